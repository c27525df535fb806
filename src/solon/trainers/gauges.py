"""What alarms read of the numbers that a training reports: a value to hold against a limit, at the steps that have one.

Each gauge is a function with a memory of constant size, and the same numbers give the same readings.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import deque
from collections.abc import Callable, Collection, Mapping
from itertools import combinations
from typing import TypeAlias

_CHECKS = 5  # of the held-out judge that are compared
_IN_A_ROW = 5  # steps: that all groups of one are alike happens, above all when the policy has learned it all
_FIRST = 5  # steps whose mean later steps are held against
_SMOOTHING = 0.2  # weight of the newest step: about the mean of the last nine (2 / .2 - 1)
_MEDIAN_OF, _MEDIAN_NEEDS = 50, 10
_CLIPPED_AT = 1.0  # gradients of a smaller norm are not clipped by any trainer of ours, so no spike of theirs is one

KL = ("objective/kl", "kl")
_REWARD = ("objective/rewards", "reward")
_ROUND = "selfplay/round"
_COUNTS = ("std", "missing", "n")  # what a held-out judge also reports
_LOSS = re.compile(r"(^|[/_])loss($|/)")

Metrics: TypeAlias = Mapping[str, float]
Reading: TypeAlias = tuple[str, float]
"""The metric that was read, and the value to hold against the limit."""
Gauge: TypeAlias = Callable[[Metrics], Reading | None]


def first(*names: str) -> Gauge:
    """The first of these metrics that was reported: ours under their own names, and TRL's."""

    def read(metrics: Metrics) -> Reading | None:
        return next(((name, metrics[name]) for name in names if math.isfinite(metrics.get(name, math.nan))), None)

    return read


def lasting(name: str) -> Gauge:
    """The least of it in the last steps: what was so in every one of them."""
    number, last = first(name), deque[float](maxlen=_IN_A_ROW)

    def read(metrics: Metrics) -> Reading | None:
        if (found := number(metrics)) is None:
            return None
        last.append(found[1])
        return (found[0], min(last)) if len(last) == _IN_A_ROW else None

    return read


def length(longest: int | None) -> Gauge:
    """Mean length as a share of the longest that a completion may be; nothing where that is not known."""
    mean = first("lengths/mean", "completions/mean_length")

    def read(metrics: Metrics) -> Reading | None:
        found = mean(metrics)
        return (found[0], found[1] / longest) if found and longest else None

    return read


def fall() -> Gauge:
    """How far the chosen responses' log-probability has fallen: the first steps' mean less the last ones'."""
    chosen, begun = first("logps/chosen"), list[float]()
    now = 0.0

    def read(metrics: Metrics) -> Reading | None:
        nonlocal now
        if (found := chosen(metrics)) is None:
            return None
        if len(begun) < _FIRST:
            begun.append(found[1])
            now = _mean(begun)
            return None
        # responses differ from batch to batch by more than a step moves them: a single step says little
        now += _SMOOTHING * (found[1] - now)
        return found[0], _mean(begun) - now

    return read


def spike() -> Gauge:
    """The gradient norm as a multiple of its median so far."""
    norm, before = first("grad_norm"), deque[float](maxlen=_MEDIAN_OF)

    def read(metrics: Metrics) -> Reading | None:
        if (found := norm(metrics)) is None:
            return None
        usual = statistics.median(before) if len(before) >= _MEDIAN_NEEDS else 0.0
        before.append(found[1])
        if usual <= 0:
            return None
        return found[0], found[1] / usual if found[1] > _CLIPPED_AT else 0.0

    return read


def each_round(make: Callable[[], Gauge]) -> Gauge:
    """A gauge that begins anew with each round of a training in rounds, whose data and first steps are others."""
    gauge, begun = make(), math.nan

    def read(metrics: Metrics) -> Reading | None:
        nonlocal gauge, begun
        if (now := metrics.get(_ROUND, begun)) != begun and not math.isnan(now):
            gauge, begun = make(), now
        return gauge(metrics)

    return read


def divergence() -> Gauge:
    """How steadily the held-out judge falls and the reward rises, the lesser of the two, in [-1, 1]."""
    reward, checks = first(*_REWARD), deque[tuple[float, float]](maxlen=_CHECKS)
    total = count = 0.0

    def read(metrics: Metrics) -> Reading | None:
        nonlocal total, count
        if (found := reward(metrics)) is not None:
            total, count = total + found[1], count + 1
        gold = {name: value for name, value in metrics.items() if _is_gold(name) and math.isfinite(value)}
        if not gold or not count:
            return None
        # the mean since the last check: one step's reward says less about where it goes
        checks.append((_mean(gold.values()), total / count))
        total = count = 0.0
        if len(checks) < _CHECKS:
            return None
        judged, rewarded = zip(*checks, strict=True)
        return next(iter(gold)), min(-_trend(judged), _trend(rewarded))

    return read


def _mean(values: Collection[float]) -> float:
    # not statistics.fmean, which raises where numbers are very large: nothing here may end a training by accident
    return sum(values) / len(values)


def _is_gold(name: str) -> bool:
    return name.startswith("gold/") and name.rsplit("/", 1)[-1] not in _COUNTS


def _trend(values: tuple[float, ...]) -> float:
    """Kendall's tau with time: 1 rises at every turn, -1 falls at every turn."""
    pairs = list(combinations(values, 2))
    return sum((later > earlier) - (later < earlier) for earlier, later in pairs) / len(pairs)


def not_numbers(metrics: Metrics) -> Reading | None:
    """How many of the numbers that have to be one are none."""
    needed = [name for name in metrics if _LOSS.search(name) or name == "grad_norm" or name in KL]
    none = [name for name in needed if not math.isfinite(metrics[name])]
    return (", ".join(none) or needed[0], len(none)) if needed else None
