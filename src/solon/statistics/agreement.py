"""How far several raters agree beyond chance, from compact counts. Pure Python; memory does not grow with the units.

No single coefficient tells it all. Raw agreement is high by chance where nearly everything is of one kind; kappa and
alpha are then low although the raters hardly ever differ (Feinstein & Cicchetti 1990), and AC1 is not. Print all of
them, with how many units they rest on. Each is ``None`` where it is not defined: nothing was rated twice, or nothing
varies.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations
from typing import Any, Literal, assert_never

Level = Literal["nominal", "ordinal", "interval"]
Distance = Callable[[Any, Any], float]


class Agreement:
    """What a fixed number of raters said of the same units, in categories, and how far they agree.

    Args:
        raters: how many there are; at least 2.

    Attributes:
        units: units that at least two raters rated, on which the agreement of all raters rests.
    """

    def __init__(self, raters: int) -> None:
        if raters < 2:
            raise ValueError(f"agreement takes at least 2 raters, and there are {raters}")
        self.raters = raters
        self.units = 0
        # whole numbers by the ratings a unit has, so that sums are exact however many there are
        self._ordered_pairs: Counter[tuple[int, Hashable, Hashable]] = Counter()
        self._given: Counter[tuple[int, Hashable]] = Counter()
        self._rated = 0
        self._tables: dict[tuple[int, int], Counter[tuple[Hashable, Hashable]]] = {
            pair: Counter() for pair in combinations(range(raters), 2)
        }

    def add(self, ratings: Sequence[Hashable | None], times: int = 1) -> None:
        """Counts a unit, or as many as ``times`` with the same ratings.

        Args:
            ratings: one a rater, in the order of the raters; ``None`` where one gave none.
            times: how many such units there are.

        Raises:
            ValueError: there are more or fewer ratings than raters.
        """
        if len(ratings) != self.raters:
            raise ValueError(f"{len(ratings)} ratings of {self.raters} raters: one a rater is expected, None for none")
        given = [(rater, rating) for rater, rating in enumerate(ratings) if rating is not None]
        if not given:
            return
        self._rated += times
        for _, rating in given:
            self._given[len(given), rating] += times
        if len(given) < 2:
            return
        self.units += times
        for (one, first), (other, second) in combinations(given, 2):
            self._tables[one, other][first, second] += times
            self._ordered_pairs[len(given), first, second] += times
            self._ordered_pairs[len(given), second, first] += times

    def raw(self) -> float | None:
        """Share of the pairs of raters that agree, in the mean over units."""
        if not self.units:
            return None
        agreeing = (
            count / (ratings * (ratings - 1))
            for (ratings, one, other), count in self._ordered_pairs.items()
            if one == other
        )
        return math.fsum(agreeing) / self.units

    def alpha(self, level: Level = "nominal") -> float | None:
        """Krippendorff's alpha, at most 1; 0 is chance.

        Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".

        Args:
            level: ``nominal``: categories differ or not. ``ordinal``: they have an order; ``interval``: their
                differences count. Both take numbers.
        """
        together: dict[tuple[Hashable, Hashable], float] = {}
        for (ratings, one, other), count in self._ordered_pairs.items():
            together[one, other] = together.get((one, other), 0.0) + count / (ratings - 1)
        totals: Counter[Hashable] = Counter()
        for (ratings, rating), count in self._given.items():
            totals[rating] += count if ratings > 1 else 0
        n = totals.total()
        distance = _distance(level, totals)
        expected = math.fsum(
            totals[one] * totals[other] * distance(one, other) for one in totals for other in totals if one != other
        )
        if not expected:
            return None
        observed = math.fsum(count * distance(one, other) for (one, other), count in together.items() if one != other)
        return 1 - (n - 1) * observed / expected

    def ac1(self) -> float | None:
        """Gwet's AC1, at most 1; 0 is chance (Gwet 2008, Br. J. of Mathematical and Statistical Psychology 61:29).

        Chance is that of raters who guess where a unit is hard, so it stays small where one category prevails.
        Categories that nobody used are not counted; there are at least two.
        """
        raw = self.raw()
        if raw is None:
            return None
        shares: dict[Hashable, float] = {}
        for (ratings, rating), count in self._given.items():
            shares[rating] = shares.get(rating, 0.0) + count / ratings / self._rated
        chance = math.fsum(share * (1 - share) for share in shares.values()) / max(1, len(shares) - 1)
        return (raw - chance) / (1 - chance)

    def kappa(self, one: int, other: int) -> float | None:
        """Cohen's kappa of two raters, at most 1; 0 is chance (Cohen 1960), on the units that both rated."""
        table = self._tables[one, other]
        n = table.total()
        rows: Counter[Hashable] = Counter()
        columns: Counter[Hashable] = Counter()
        for (first, second), count in table.items():
            rows[first] += count
            columns[second] += count
        by_chance = sum(count * columns[category] for category, count in rows.items())
        if by_chance == n * n:  # nothing was rated by both, or all of it alike
            return None
        agreed = sum(count for (first, second), count in table.items() if first == second)
        return (n * agreed - by_chance) / (n * n - by_chance)

    def mean_kappa(self) -> float | None:
        """Mean of Cohen's kappa over the pairs of raters for which it is defined (Light 1971)."""
        return _mean(self.kappa(*pair) for pair in self._tables)


class NumericAgreement:
    """Krippendorff's alpha at interval level of ratings that are any numbers, whose coincidences would fill memory.

    Attributes:
        units: units that at least two raters rated.
    """

    def __init__(self) -> None:
        self.units = 0
        self._n, self._sum, self._squares, self._within = 0, 0.0, 0.0, 0.0

    def add(self, ratings: Sequence[float | None]) -> None:
        """Counts a unit: one rating a rater, ``None`` where one gave none."""
        given = [rating for rating in ratings if rating is not None]
        if len(given) < 2:
            return
        total, squares = math.fsum(given), math.fsum(rating * rating for rating in given)
        self.units += 1
        self._n += len(given)
        self._sum += total
        self._squares += squares
        # the sum of (a - b)^2 over all ordered pairs of the unit, each rating paired with m - 1 others
        self._within += 2 * max(0.0, len(given) * squares - total * total) / (len(given) - 1)

    def alpha(self) -> float | None:
        """As ``Agreement.alpha("interval")``; ``None`` where nothing was rated twice or all ratings are equal."""
        spread = self._n * self._squares - self._sum * self._sum
        if spread <= 1e-12 * self._n * self._squares:  # what rounding leaves of equal ratings
            return None
        return 1 - (self._n - 1) * self._within / (2 * spread)


def _distance(level: Level, totals: Counter[Hashable]) -> Distance:
    """Krippendorff's squared difference of two categories."""
    match level:
        case "nominal":
            return lambda one, other: float(one != other)
        case "interval":
            return lambda one, other: float((one - other) ** 2)
        case "ordinal":
            below: dict[Any, float] = {}
            so_far = 0.0
            for category, count in sorted(totals.items()):
                below[category] = so_far + count / 2
                so_far += count
            return lambda one, other: (below[one] - below[other]) ** 2
        case _:
            assert_never(level)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
