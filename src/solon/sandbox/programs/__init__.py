"""What a child runs: each has ``prepare()``, once before anything is isolated, and ``run(arguments)``."""
