"""Looking at a run in a browser, and saying what one thinks of it: `solon view`."""
