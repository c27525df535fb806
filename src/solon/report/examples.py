"""Which held-out answers a report shows: picked by the hash of the prompt, so never by hand and always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from solon.report.rows import less_is_better, neither_is_better
from solon.report.summary import Example

Kind = Literal["improved", "degraded", "unchanged", "unjudged"]


@dataclass(frozen=True)
class Group:
    """Examples of one kind: ``shown`` out of ``total``."""

    kind: Kind
    shown: tuple[Example, ...]
    total: int


@dataclass(frozen=True)
class Mark:
    """One yes/no metric of an answer; ``good`` when it is as it should be."""

    name: str
    good: bool


_SHOWN: dict[Kind, int] = {"improved": 4, "degraded": 4, "unchanged": 2, "unjudged": 4}


def kind_of(example: Example) -> Kind:
    """What happened to an answer. One that lost anything is degraded, whatever else it gained."""
    known = [
        (before, after, less_is_better(name))
        for name, (before, after) in example.changes.items()
        if before is not None and after is not None and not neither_is_better(name)
    ]
    if not known:
        return "unjudged"
    if any(before is not after and before is not unwanted for before, after, unwanted in known):
        return "degraded"
    return "improved" if any(before is not after for before, after, _ in known) else "unchanged"


def marks(example: Example, which: Literal["before", "after"]) -> tuple[Mark, ...]:
    """What to say of one of the two answers: every yes/no metric, but parts and unwanted things only if news."""
    found = []
    for name, held in example.changes.items():
        mine = held[0] if which == "before" else held[1]
        is_part, unwanted = "/" in name.removesuffix("/greedy"), less_is_better(name)
        if (
            mine is None
            or neither_is_better(name)
            or (unwanted and not mine)
            or (is_part and not unwanted and held == (True, True))
        ):
            continue
        found.append(Mark(name, mine is not unwanted))
    return tuple(found)


def groups(examples: Sequence[Example]) -> tuple[Group, ...]:
    """A few examples of each kind; kinds without any are left out. Sampled answers go ahead of greedy ones."""
    ordered = sorted(examples, key=lambda example: (example.decoding != "sample", example.prompt.id))
    found = []
    for kind, most in _SHOWN.items():
        members = [example for example in ordered if kind_of(example) == kind]
        if members:
            found.append(Group(kind, tuple(members[:most]), len(members)))
    return tuple(found)
