"""Runs a constitution's own cases through a judge: does it read the principles as their author means them?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, assert_never

from solon.data.records import Case, Constitution, Failed, Judgment, Noun, Prompt, Record
from solon.errors import InputError
from solon.labelers.base import Labeler
from solon.trust.orders import in_both_orders, sign, under

Verdict = Literal["passed", "wrong", "order_dependent", "tied", "failed"]


class CaseResult(Noun):
    """What a judge made of one case.

    Attributes:
        number: of the case in its constitution, from 1.
        verdict: ``passed`` it preferred the better response in both orders; ``wrong`` the worse in both;
            ``order_dependent`` its preference changed with the order; ``tied`` neither, in both orders;
            ``failed`` it gave no verdict in at least one order.
        better_first: P(the better response is better) when it was shown first, in [0, 1]; ``None`` if it gave none.
        better_second: the same, when it was shown second.
        reason: why it failed, and what the judge said instead.
        stated: P(the preferred response is better) of each verdict, as the judge states it, and whether it was right.
        judgments: what was said, each question's.
    """

    number: int
    case: Case
    verdict: Verdict
    better_first: float | None
    better_second: float | None
    reason: str | None = None
    stated: tuple[tuple[float, bool], ...] = ()
    judgments: tuple[Judgment, ...] = ()


class CaseReport(Record):
    """The results of every case, in the order of the constitution.

    Attributes:
        constitution: id of the constitution.
        labeler: who judged.
        results: one a case.
    """

    constitution: str
    labeler: str
    results: tuple[CaseResult, ...]

    def count(self, verdict: Verdict) -> int:
        """How many cases got this verdict."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def n(self) -> int:
        """How many cases were judged; failed ones were not."""
        return len(self.results) - self.count("failed")

    @property
    def accuracy(self) -> float | None:
        """The share of judged cases that passed, in [0, 1]; ``None`` when none was judged."""
        return self.count("passed") / self.n if self.n else None

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return self.count("passed") == len(self.results)


async def run_cases(
    constitution: Constitution, labeler: Labeler, *, on_result: Callable[[CaseResult], None] | None = None
) -> CaseReport:
    """Asks a labeler about each case in both orders, under the case's own principle alone.

    Args:
        constitution: whose cases are run.
        labeler: one that compares responses, or rates them.
        on_result: called with each result as it comes, in any order.

    Raises:
        InputError: the constitution has no cases.
        ModelRejected, ModelDown: the judge cannot be asked at all.
    """
    if not constitution.cases:
        raise InputError(f"constitution {constitution.name!r} has no cases to run")

    async def run(number: int, case: Case) -> CaseResult:
        result = await _run(number, case, constitution, labeler)
        if on_result is not None:
            on_result(result)
        return result

    results = await asyncio.gather(*(run(number, case) for number, case in enumerate(constitution.cases, 1)))
    return CaseReport(constitution=constitution.id, labeler=labeler.name, results=results)


async def _run(number: int, case: Case, constitution: Constitution, labeler: Labeler) -> CaseResult:
    alone = under(constitution, case.principle)
    orders = await in_both_orders(labeler, Prompt.of(case.prompt), case.better, case.worse, alone)
    verdict: Verdict = "failed"
    if orders.shown_first is not None and orders.shown_second is not None:
        verdict = _verdict(orders.shown_first, orders.shown_second)
    return CaseResult(
        number=number,
        case=case,
        verdict=verdict,
        better_first=orders.shown_first,
        better_second=orders.shown_second,
        reason=_reason(orders.failed) if verdict == "failed" and orders.failed is not None else None,
        stated=orders.stated,
        judgments=orders.judgments,
    )


def _verdict(better_first: float, better_second: float) -> Verdict:
    preferred = {sign(better_first), sign(better_second)}
    if preferred == {1}:
        return "passed"
    if preferred == {-1}:
        return "wrong"
    return "tied" if preferred == {0} else "order_dependent"


def _reason(failed: Failed) -> str:
    match failed.reason:
        case "unavailable":
            why = "the judge could not be reached"
        case "malformed":
            why = "what answers is no reply of a judge"
        case "unparseable":
            why = "the judge gave no verdict"
        case "truncated":
            why = "the judge's reply was cut off"
        case "refused":
            why = "the judge refused"
        case "filtered":
            why = "the judge's provider filtered it out"
        case "disagreed":
            why = "nothing follows from the votes of the judges"
        case "too_long":
            why = "the case is too long for the judge"
        case "error":
            why = "the judge failed"
        case _:
            assert_never(failed.reason)
    said = " ".join((failed.raw or "").split())
    return f"{why}: {said[:200]!r}" if said else why
