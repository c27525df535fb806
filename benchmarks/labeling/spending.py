"""A way of judging, a budget, and the rows that come out: real labelers and the real build, asked of simulated judges.

Solon never asks in one order only. ``Method.one_order`` does so here: the second order of every comparison is not asked
for, and gets the mirror image of the first, which is what a tool that asks once takes for granted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from simulated import Bill, Truth

from solon.data.build import Build, build
from solon.data.records import Candidates, Constitution, Judgment, Principle, Question, Scored
from solon.labelers.base import Label, Labeler
from solon.stream import Stream

CONSTITUTION = Constitution(name="planted", principles=(Principle(id="best", text="The better response is better."),))
BUILD = Build(held_out=0, pairs="all")


@dataclass(frozen=True)
class Method:
    """A labeler, and how it is used.

    Attributes:
        name: what the tables call it.
        labeler: who judges.
        one_order: each two completions are compared in one order only.
        concludes: whether the labeler gets its last look at all judgments (a panel's weights).
    """

    name: str
    labeler: Labeler
    one_order: bool = False
    concludes: bool = True


@dataclass(frozen=True)
class Labeled:
    """A prompt, what was said of it, and what had been spent by then."""

    candidates: Candidates
    judgments: tuple[Judgment, ...]
    spent: float


@dataclass(frozen=True)
class Row:
    """A preference of the built dataset against the truth.

    Attributes:
        margin: how clear it is to the judge, in [0, 1].
        wrong: the chosen one is truly worse.
        longer: the chosen one is longer.
    """

    margin: float
    wrong: bool
    longer: bool


def labeled(method: Method, truth: Truth, bill: Bill, budget: float) -> list[Labeled]:
    """As many prompts as the budget lets be judged in full, one after the other."""

    async def spend() -> list[Labeled]:
        found: list[Labeled] = []
        bill.spent = 0.0
        async with Stream(None, run="planted", stage="label"):
            for candidates in truth:
                label = one_order(method.labeler.label) if method.one_order else None
                judgments = await method.labeler.examine(candidates, CONSTITUTION, label=label)
                if bill.spent > budget:
                    return found
                found.append(Labeled(candidates, judgments, bill.spent))
        return found

    return asyncio.run(spend())


def built(method: Method, truth: Truth, run: Sequence[Labeled], budget: float) -> list[Row]:
    """The rows of the preference dataset that are built of what was labeled within the budget."""
    paid = [one for one in run if one.spent <= budget]
    judgments = [judgment for one in paid for judgment in one.judgments]
    revise = method.labeler.conclude(lambda: iter(judgments)) if method.concludes else None
    if revise is not None:
        judgments = list(map(revise, judgments))
    datasets = build((one.candidates for one in paid), judgments, CONSTITUTION, BUILD, seed=0)
    return [
        Row(
            margin=row.margin,
            wrong=truth.quality[row.chosen] < truth.quality[row.rejected],
            longer=len(row.chosen) > len(row.rejected),
        )
        for row in datasets.preference.train
    ]


def clearest(rows: Sequence[Row], most: int) -> list[Row]:
    """Those that are clearest to the judge; of equally clear ones the earlier."""
    return sorted(rows, key=lambda row: -row.margin)[:most]


def one_order(label: Label) -> Label:
    """Asks of each two options once, in the order in which they come first, and mirrors that for the other order.

    For one prompt under one principle.
    """
    asked: dict[frozenset[str], tuple[str, asyncio.Task[Judgment]]] = {}

    async def once(question: Question) -> Judgment:
        shown = [option.id for option in question.options]
        if frozenset(shown) not in asked:
            asked[frozenset(shown)] = shown[0], asyncio.ensure_future(label(question))
        first, answer = asked[frozenset(shown)]
        return await answer if shown[0] == first else _mirrored(await answer)

    return once


def _mirrored(judgment: Judgment) -> Judgment:
    outcome = judgment.outcome
    if isinstance(outcome, Scored):
        outcome = outcome.model_copy(update={"scores": outcome.scores[::-1]})
    return judgment.model_copy(
        update={
            "options": judgment.options[::-1],
            "outcome": outcome,
            "votes": tuple(map(_mirrored, judgment.votes)),
        }
    )
