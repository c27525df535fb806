"""Whether labels follow length: how often the longer response wins, and how label and length go together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from pydantic import JsonValue

from solon.data.records import Candidates, Judgment, Scored
from solon.statistics.estimates import Z, wilson


class Verbosity:
    """An account of a stage's judgments: how they depend on the length of what was judged, in characters.

    For comparisons and rankings, each pair of options under each set of principles is one observation, both orders
    taken together: how clearly the first leads, against the difference of the logarithms of the two lengths. Ratings
    are held against the logarithm of their own length. The intervals take observations for independent; a completion
    that is in many pairs makes them too narrow. Keeps sums only. (Verbosity bias: Zheng et al. 2023,
    arXiv:2306.05685, section 3.3.)
    """

    def __init__(self) -> None:
        self._longer = self._decided = 0
        self._pairs, self._ratings = _Correlation(), _Correlation()

    def add(self, candidates: Candidates, judgments: Sequence[Judgment]) -> None:
        """Counts all judgments on one prompt."""
        lengths = {one.id: math.log1p(len(one.text)) for one in candidates.completions}
        leads: dict[tuple[str, tuple[str, ...], str, str], list[float]] = {}
        for judgment in judgments:
            if not isinstance(judgment.outcome, Scored):
                continue
            scored = list(zip(judgment.options, judgment.outcome.scores, strict=True))
            if len(scored) == 1:
                self._ratings.add(scored[0][1], lengths[scored[0][0]])
            for pair in combinations(scored, 2):
                (a, first), (b, second) = sorted(pair)
                if a != b:
                    leads.setdefault((judgment.labeler, judgment.principles, a, b), []).append(first - second)
        for (_, _, a, b), seen in leads.items():
            self._compare(math.fsum(seen) / len(seen), lengths[a] - lengths[b])

    def _compare(self, lead: float, longer: float) -> None:
        self._pairs.add(lead, longer)
        if lead and longer:
            self._decided += 1
            self._longer += (lead > 0) == (longer > 0)

    def summary(self) -> dict[str, JsonValue]:
        """Shares and correlations, each ``[value, low, high]`` with its n; what was not judged is left out."""
        found: dict[str, JsonValue] = {}
        if self._decided:
            share = wilson(self._longer, self._decided)
            found["longer_wins"] = [round(share.value, 4), round(share.low, 4), round(share.high, 4)]
            found["longer_wins_n"] = self._decided
        for name, correlation in (("pairs", self._pairs), ("ratings", self._ratings)):
            if (r := correlation.value()) is not None:
                found[f"correlation_of_{name}"] = [round(one, 4) for one in r]
                found[f"correlation_of_{name}_n"] = correlation.n
        return found


class _Correlation:
    """Pearson's r of a stream of pairs, by Welford's updates, which do not lose digits as plain sums do."""

    def __init__(self) -> None:
        self.n = 0
        self._mean_x = self._mean_y = self._xx = self._yy = self._xy = 0.0

    def add(self, x: float, y: float) -> None:
        self.n += 1
        dx, dy = x - self._mean_x, y - self._mean_y
        self._mean_x += dx / self.n
        self._mean_y += dy / self.n
        self._xx += dx * (x - self._mean_x)
        self._yy += dy * (y - self._mean_y)
        self._xy += dx * (y - self._mean_y)

    def value(self) -> tuple[float, float, float] | None:
        """R with its 95 % interval by Fisher's z; ``None`` where one side does not vary, or of fewer than 4 pairs."""
        if self.n < 4 or self._xx <= 0 or self._yy <= 0:
            return None
        r = max(-1.0, min(1.0, self._xy / math.sqrt(self._xx * self._yy)))
        if abs(r) == 1:
            return r, r, r
        z, half = math.atanh(r), Z / math.sqrt(self.n - 3)
        return r, math.tanh(z - half), math.tanh(z + half)
