"""A module that offers names of others, and imports each when it is first asked for: so ``import solon`` is light."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def door(
    module: str, taken: Mapping[str, str | Mapping[str, str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a module, which imports the same names for type checkers itself.

    Args:
        module: its ``__name__``. What it offers stands in its ``__all__``.
        taken: each module that something is taken from, with the names, or with what they are called here and there. A
            module by itself is taken from its package: ``{"solon": "aio"}``.
    """
    where: dict[str, tuple[str, str]] = {}
    for source, names in taken.items():
        known = {name: name for name in names.split()} if isinstance(names, str) else names
        where.update((here, (source, there)) for here, there in known.items())

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        source, there = where[name]
        value = import_module(f"{source}.{there}") if source == module else getattr(import_module(source), there)
        setattr(sys.modules[module], name, value)
        return value

    def listed() -> list[str]:
        offering = sys.modules[module]
        return sorted({*vars(offering), *offering.__all__})

    return get, listed
