"""What all stages of a plan do: deeds are done without asking anybody, and every model that was asked gets a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from solon.data.records import Candidates, Constitution, Judgment
from solon.labelers.base import Labeler
from solon.planning.known import Known
from solon.planning.load import Load, load_of
from solon.planning.rehearsal import Rehearsal, examined, harmless, longest, thrifty
from solon.planning.rows import Estimate, Purpose, estimate

T = TypeVar("T")


class Trial:
    """Tries deeds out and keeps a row for each model and purpose.

    Attributes:
        rows: in the order in which they will be asked.
        sorts: whether a labeler sorts by comparisons, whose number hangs on the verdicts: they are the most.
    """

    def __init__(self, constitution: Constitution, known: Known | None, seconds: float | None) -> None:
        self.rows: list[Estimate] = []
        self.sorts = False
        self._constitution, self._known, self._seconds = constitution, known, seconds

    async def judged(
        self, purpose: Purpose, labeler: Labeler, sample: Sequence[Candidates], times: float
    ) -> list[tuple[Judgment, ...]]:
        """The judgments on a sample, none of which says anything."""

        def deeds(tried: Labeler) -> Iterator[Awaitable[tuple[Judgment, ...]]]:
            return (examined(tried, one, self._constitution) for one in sample)

        return await self.with_labeler(purpose, labeler, deeds, times)

    async def with_labeler(
        self, purpose: Purpose, labeler: Labeler, deeds: Callable[[Labeler], Iterator[Awaitable[T]]], times: float
    ) -> list[T]:
        """Deeds that a labeler has a part in. One with a cascade is also tried out as if that never escalated."""
        asked, labeler = labeler, longest(labeler)
        self.sorts = self.sorts or labeler is not asked
        fewest = thrifty(labeler)
        in_any_case = None
        if fewest is not labeler:
            _, rehearsal = await self._rehearsed(deeds(harmless(fewest)))
            in_any_case = _loads(rehearsal)
        return await self.done(purpose, deeds(harmless(labeler)), times, in_any_case)

    async def done(
        self,
        purpose: Purpose,
        deeds: Iterator[Awaitable[T]],
        times: float,
        in_any_case: dict[str, Load] | None = None,
    ) -> list[T]:
        """The results of deeds.

        Args:
            purpose: what they are done for.
            deeds: done all at once.
            times: how many requests there will be for each that is made.
            in_any_case: of the requests, those that are made in any case; all of them when left out.
        """
        results, rehearsal = await self._rehearsed(deeds)
        for name, most in _loads(rehearsal).items():
            least = most if in_any_case is None else in_any_case.get(name, Load(most.model))
            self.rows.append(estimate(purpose, most, least, times, rehearsal.rounds[name], self._seconds))
        return results

    async def _rehearsed(self, deeds: Iterator[Awaitable[T]]) -> tuple[list[T], Rehearsal]:
        async with Rehearsal(self._known) as rehearsal:
            return await rehearsal.play(deeds), rehearsal


def _loads(rehearsal: Rehearsal) -> dict[str, Load]:
    return {name: load_of(model, rehearsal.asked[name].values()) for name, model in rehearsal.models.items()}
