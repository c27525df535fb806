"""What a contract is made of: clauses that a plugin keeps or breaks, and what is said of one that is broken.

A clause is a function of what is checked (its *subject*). It returns when it is kept, raises ``Broken`` with what was
expected, what happened and what to do, and raises ``Unchecked`` where it does not apply. pytest's classes
(``solon.plugins.testing.contracts``) and ``solon plugins check`` run the same ones.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

S = TypeVar("S")

LONGEST = 600
"""Characters of what happened that are shown."""


class Broken(AssertionError):
    """A clause that is not kept.

    Attributes:
        expected: what a plugin has to do, as a clause.
        happened: what this one did.
        remedy: what its author can do about it.
    """

    def __init__(self, *, expected: str, happened: object, remedy: str) -> None:
        self.expected, self.remedy = expected, remedy
        self.happened = cut(str(happened))
        super().__init__(f"expected: {self.expected}\nhappened: {self.happened}\nto do: {self.remedy}")


class Unchecked(Exception):
    """A clause that could not be looked at, and why: not a failure."""


@dataclass(frozen=True)
class Clause(Generic[S]):
    """One thing that every plugin of a group keeps.

    Attributes:
        id: its name, such as ``settings-closed``.
        promise: what is kept, as a sentence whose subject is the plugin.
        why: what depends on it.
        check: looks at a subject.
    """

    id: str
    promise: str
    why: str
    check: Callable[[S], None]


@dataclass(frozen=True)
class Verdict:
    """What came of one clause. Of one that passed only the first two say something."""

    clause: str
    outcome: Literal["passed", "failed", "skipped"]
    expected: str = ""
    happened: str = ""
    remedy: str = ""


def clause(into: list[Clause[S]], id: str, promise: str, why: str) -> Callable[[Callable[[S], None]], Any]:  # noqa: A002
    """Adds the function that it decorates to a contract."""

    def add(check: Callable[[S], None]) -> Callable[[S], None]:
        into.append(Clause(id, promise, why, check))
        return check

    return add


def held(one: Clause[S], subject: S) -> Verdict:
    """Looks at one clause. Whatever a plugin raises that the clause did not reckon with breaks it."""
    try:
        one.check(subject)
    except Unchecked as reason:
        return Verdict(one.id, "skipped", happened=str(reason))
    except Broken as broken:
        return Verdict(one.id, "failed", broken.expected, broken.happened, broken.remedy)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary: a foreign plugin may raise anything
        return Verdict(one.id, "failed", f"the plugin {one.promise}", raised(error), "look at where it was raised")
    return Verdict(one.id, "passed")


def raised(error: BaseException) -> str:
    """An error with the last place that it came through, for people."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return cut(f"{type(error).__name__}: {error}{where}")


def cut(text: str) -> str:
    """A text that is not too long to read."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def some(items: Sequence[object], most: int = 3) -> str:
    """The first few of several, for people."""
    shown = ", ".join(map(str, items[:most]))
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown
