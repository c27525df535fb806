"""The programs in ``benchmarks/``, which find what stands beside them, as when they are run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
OURS = tuple(ROOT / folder for folder in ("benchmarks", "examples"))


@contextmanager
def program(name: str) -> Iterator[ModuleType]:
    """One of them; afterwards nothing knows it, nor what it has imported from there, nor where it looked.

    A module of the same name, as that of the tool ``coverage``, is itself again.
    """
    path, known = list(sys.path), dict(sys.modules)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    sys.modules.pop(name, None)
    try:
        yield import_module(name)
    finally:
        sys.path[:] = path
        for added in [key for key, module in sys.modules.items() if key not in known and _is_ours(module)]:
            del sys.modules[added]
        sys.modules.pop(name, None)
        if name in known:
            sys.modules[name] = known[name]


def _is_ours(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and any(Path(file).is_relative_to(folder) for folder in OURS)
