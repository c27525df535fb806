"""What ways of judging come to: the rows that they make of the same budget and truth, and how many are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from spending import Labeled, Method, Row, built, clearest, labeled
from ways import Crew, World

from solon.statistics.estimates import Estimate, mean_t

KEPT = 80
"""Rows of 1,000 calls that are compared where all ways deliver the same number: the clearest ones."""


@dataclass(frozen=True)
class Outcome:
    """What a way of judging came to within a budget, seed by seed.

    Attributes:
        budget: what could be spent in one seed.
        prompts, spent: what was judged, and what that cost.
        rows: of the preference dataset.
    """

    budget: float
    prompts: tuple[int, ...]
    spent: tuple[float, ...]
    rows: tuple[list[Row], ...]

    @property
    def all_rows(self) -> list[Row]:
        """Those of all seeds."""
        return together(self.rows)

    @property
    def per_call(self) -> float:
        """Rows a call of the small judge."""
        return len(self.all_rows) / (sum(self.spent) or 1)

    @property
    def worth(self) -> float:
        """Clean rows that a call is worth, where n rows of which a share e is wrong are as good as n (1 - 2e)^2.

        So many more rows are needed where labels are wrong at random (Angluin & Laird 1988, Machine Learning 2:343).
        """
        return self.per_call * (1 - 2 * wrong(self.all_rows)) ** 2

    def kept(self) -> list[list[Row]]:
        """For each seed, the clearest ``KEPT`` rows of 1,000 calls, or all where there are fewer."""
        return [clearest(rows, round(KEPT * self.budget / 1000)) for rows in self.rows]


def outcomes(
    world: World,
    of: Callable[[Crew], Sequence[Method]],
    budgets: Sequence[int],
    seeds: int,
    *,
    completions: int = 2,
) -> dict[int, dict[str, Outcome]]:
    """For each budget and way of judging. A smaller budget is the beginning of a larger one."""
    found: dict[int, dict[str, list[tuple[int, float, list[Row]]]]] = {budget: {} for budget in budgets}
    for seed in range(seeds):
        crew = Crew(world, seed, completions)
        runs: dict[tuple[int, bool], list[Labeled]] = {}
        for method in of(crew):
            key = id(method.labeler), method.one_order
            if key not in runs:
                runs[key] = labeled(method, crew.truth, crew.bill, max(budgets))
            for budget in budgets:
                paid = [one.spent for one in runs[key] if one.spent <= budget]
                rows = built(method, crew.truth, runs[key], budget)
                found[budget].setdefault(method.name, []).append((len(paid), max(paid, default=0.0), rows))
    return {
        budget: {name: Outcome(budget, *zip(*of_seeds, strict=True)) for name, of_seeds in by_name.items()}
        for budget, by_name in found.items()
    }


def wrong(rows: Sequence[Row]) -> float:
    """Share of the rows that are wrong; 0 of none."""
    return sum(row.wrong for row in rows) / (len(rows) or 1)


def together(rows: Iterable[Sequence[Row]]) -> list[Row]:
    """Those of all seeds."""
    return list(chain.from_iterable(rows))


def as_many(baseline: Outcome, other: Outcome) -> list[list[Row]]:
    """For each seed, as many of the baseline's clearest rows as the other has."""
    return [clearest(rows, len(others)) for rows, others in zip(baseline.rows, other.rows, strict=True)]


def fewer_wrong(baseline: Sequence[list[Row]], other: Sequence[list[Row]]) -> Estimate:
    """By how much the share of wrong rows is smaller: the mean over seeds, each with the same truth for both."""
    return mean_t([wrong(one) - wrong(two) for one, two in zip(baseline, other, strict=True) if one and two])


def told_by_margin(rows: Sequence[Row]) -> float:
    """How well margins tell right rows from wrong ones: the area under the ROC curve, .5 when not at all."""
    ordered = sorted(rows, key=lambda row: row.margin)
    wrong_below = accumulate(row.wrong for row in ordered)
    right = sum(not row.wrong for row in rows)
    above = sum(below for row, below in zip(ordered, wrong_below, strict=True) if not row.wrong)
    return above / (right * (len(rows) - right))
