"""What happened to held-out answers, what to say of each, and the few that a page without room shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from solon.evaluation.base import Both
from solon.report.headline import FIRST
from solon.report.held_out import Example, gain, is_yes_no
from solon.report.rows import is_cut_off, is_win_rate, less_is_better, neither_is_better
from solon.report.wording import number

Kind = Literal["improved", "degraded", "unchanged", "unjudged"]
KINDS: tuple[Kind, ...] = ("improved", "degraded", "unchanged", "unjudged")


@dataclass(frozen=True)
class Group:
    """Examples of one kind: ``shown`` out of ``total``."""

    kind: Kind
    shown: tuple[Example, ...]
    total: int


@dataclass(frozen=True)
class Mark:
    """What one metric says of an answer; ``good`` when it is as it should be, ``None`` where that cannot be said.

    ``value`` is the number with its change, or what came of a comparison; empty for a yes/no metric.
    """

    name: str
    good: bool | None
    value: str = ""


_SHOWN: dict[Kind, int] = {"improved": 4, "degraded": 4, "unchanged": 2, "unjudged": 4}


def kind_of(example: Example) -> Kind:
    """What happened to an answer, by what moved. One that lost in any of what decides is degraded.

    The yes/no metrics that moved decide. Where none did, of the numbers that moved the one that a headline would name
    first does, and where it would name none of them, all of them. To be cut off is a symptom, and decides nothing.
    """
    by_yes_no = kind_by_yes_no(example)
    if by_yes_no in ("improved", "degraded"):
        return by_yes_no
    gains = _gains(example, yes_no=False)
    leading = next((by for name in FIRST if (by := gains.get(name) or gains.get(f"{name}/greedy"))), None)
    by_numbers = _kind(gains.values() if leading is None else [leading])
    return by_yes_no if by_numbers == "unjudged" else by_numbers


def kind_by_yes_no(example: Example) -> Kind:
    """The same by yes/no metrics alone."""
    return _kind(_gains(example, yes_no=True).values())


def _gains(example: Example, *, yes_no: bool) -> dict[str, float]:
    return {
        name: by
        for name, both in example.changes.items()
        if is_yes_no(both) is yes_no and not is_cut_off(name) and (by := gain(name, both)) is not None
    }


def _kind(gains: Collection[float]) -> Kind:
    if not gains:
        return "unjudged"
    if any(each < 0 for each in gains):
        return "degraded"
    return "improved" if any(gains) else "unchanged"


def marks(example: Example, which: Literal["before", "after"]) -> tuple[Mark, ...]:
    """What to say of one of the two answers: every metric of it, but parts and unwanted things only if news."""
    found = []
    for name, held in example.changes.items():
        mine = held[0] if which == "before" else held[1]
        is_part, unwanted = "/" in name.removesuffix("/greedy"), less_is_better(name)
        if mine is None or neither_is_better(name):
            continue
        if isinstance(mine, bool):
            if not (unwanted and not mine) and not (is_part and not unwanted and held == (True, True)):
                found.append(Mark(name, mine is not unwanted))
        elif (by := gain(name, held)) is not None and (by or not is_part):
            found += _of_number(name, held, by, which)
    return tuple(found)


def _of_number(name: str, held: Both, by: float, which: Literal["before", "after"]) -> list[Mark]:
    mine, news = held[0] if which == "before" else held[1], which == "after" and by != 0
    good = by > 0 if news else None
    assert mine is not None
    if not is_win_rate(name):
        assert held[0] is not None
        changed = f" ({'+' if mine > held[0] else '−'}{number(abs(mine - held[0]), 'score')})" if news else ""
        return [Mark(name, good, f"{number(mine, 'score')}{changed}")]
    # both answers met once, and the one after it has the result
    return [Mark(name, good, "won" if by > 0 else "lost" if by else "tie")] if which == "after" else []


def in_order(examples: Iterable[Example]) -> list[Example]:
    """By the hash of the prompt, which nobody chose. Sampled answers go ahead of greedy ones."""
    return sorted(examples, key=lambda example: (example.decoding != "sample", example.prompt.id))


def groups(examples: Sequence[Example]) -> tuple[Group, ...]:
    """A few examples of each kind, picked by the hash of the prompt; kinds without any are left out."""
    ordered = in_order(examples)
    found = []
    for kind, most in _SHOWN.items():
        members = [example for example in ordered if kind_of(example) == kind]
        if members:
            found.append(Group(kind, tuple(members[:most]), len(members)))
    return tuple(found)
