"""The stages, one a file. Each reads the files of the one before and writes its own into the run directory."""
