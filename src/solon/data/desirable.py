"""Which rated responses are desirable, which undesirable, and which are left out between the two. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from solon.data.kinds import Build
from solon.data.ratings import Rated


@dataclass(frozen=True)
class Cuts:
    """Where undesirable ends and where desirable begins, on the scale of ``value``."""

    undesirable: float
    desirable: float
    quantile: bool = False

    def label(self, item: Rated) -> bool | None:
        """Whether it is desirable; ``None`` between the two. What was vetoed never is."""
        # of quantiles the order is what counts, and shares of large logits are all rounded to 1
        value = item.log_odds if self.quantile else item.share
        if value >= self.desirable and not item.vetoed:
            return True
        return False if value < self.undesirable or item.vetoed else None


def cuts(settings: Build, rated: Iterable[Rated]) -> Cuts:
    """The cuts that the settings ask for; ``rated`` is read for quantiles only, and of each response a number is held.

    A quantile is the value that has that share of the values below it, ties aside; for a share of 1, the highest.
    """
    low = settings.desirable_at if settings.undesirable_at is None else settings.undesirable_at
    if settings.desirable_by == "score":
        return Cuts(low, settings.desirable_at)
    values = sorted(item.log_odds for item in rated)
    return Cuts(_quantile(values, low), _quantile(values, settings.desirable_at), quantile=True)


def _quantile(values: list[float], share: float) -> float:
    if not values:
        return math.inf
    below = math.floor(share * len(values) + 1e-9)  # .29 of 100 is 29, also in binary
    return values[min(below, len(values) - 1)]
