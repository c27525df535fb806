"""Constitutions that break one clause each, and one that keeps all."""

from __future__ import annotations

import itertools

from solon.data.records import Case
from solon.plugins import Constitution, Principle

counter = itertools.count()


def sound() -> Constitution:
    """Keeps every clause."""
    return Constitution(name="sound", principles=(Principle(id="kind", text="Be kind."),))


def moody() -> Constitution:
    """Another each time."""
    return sound().model_copy(update={"version": str(next(counter))})


def doubled() -> Constitution:
    """One id for two principles."""
    return sound().model_copy(update={"principles": sound().principles * 2})


def unordered() -> Constitution:
    """In the order of hashes."""
    names = {"kind", "true", "brief", "clear", "warm", "exact"}
    return Constitution(name="sound", principles=tuple(Principle(id=name, text=f"Be {name}.") for name in names))


def untested() -> Constitution:
    """A case for one of its two principles."""
    case = Case(principle="kind", prompt="Hello", better="Hello!", worse="Go away.")
    both = (*sound().principles, Principle(id="brief", text="Be brief."))
    return Constitution(name="sound", principles=both, cases=(case,))
