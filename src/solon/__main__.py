"""``python -m solon``: the command line, where something else has to start it, such as ``accelerate launch``."""

from __future__ import annotations

from solon.cli.app import main

if __name__ == "__main__":
    main()
