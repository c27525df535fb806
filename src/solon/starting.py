"""How a process of Python's is started that runs a module of ours."""

from __future__ import annotations

import sys


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module in this interpreter.

    It looks up nothing in the folder that it starts in: a ``datasets.py`` beside a recipe shadows no package there.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
