"""What a judge that is not learned from says while the reward rises: proxy and gold by how far the policy has moved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from solon.errors import MissingExtra
from solon.report.text import one_line
from solon.report.wording import p_value
from solon.statistics.overoptimisation import Curve, Turn, gao, turn

_GOLD = "gold/"
_PROXY = ("objective/rewards", "reward")
_LENGTHS = ("completions/mean_length", "lengths/mean")
_MOST_POINTS = 60


@dataclass(frozen=True)
class Point:
    """One step at which the judge was asked.

    Attributes:
        step: of the training.
        distance: square root of the KL divergence from the reference, in nats a completion.
        gold: the judge's mean.
        proxy: the mean of the reward that is learned from.
    """

    step: float
    distance: float
    gold: float
    proxy: float | None


@dataclass(frozen=True)
class Watched:
    """A judge, what it said, where it turned, and the curve that Gao et al. would expect."""

    judge: str
    points: tuple[Point, ...]
    turn: Turn | None
    curve: Curve | None

    @property
    def best(self) -> Point | None:
        """The step that was nearest to the turn, the first of several; ``None`` where nothing surely turned."""
        if self.turn is None or not self.turn.sure:
            return None
        peak = self.turn.distance
        return min(self.points, key=lambda point: (abs(point.distance - peak), point.step))

    @property
    def ends_beyond(self) -> bool:
        """Whether the training ended surely farther away than where the judge was highest."""
        return self.turn is not None and self.points[-1].distance > self.turn.high

    @property
    def sentence(self) -> str:
        """What the numbers carry, and no more."""
        name, found, best = one_line(self.judge, 60), self.turn, self.best
        if found is None:
            return f"{name}: too few checks to say whether it turned."
        if best is None:
            return f"{name}: nothing says that it turned ({p_value(found.p_value)} of a fall by {found.fall:.2f})."
        where = f"a distance of {found.distance:.2f} [{found.low:.2f} to {found.high:.2f}]"
        fell = f"fell by {found.fall:.2f} as the policy moved on ({p_value(found.p_value)})"
        return f"{name} was highest at {where}, about step {best.step:g}, and {fell}; {self._expected()}."

    def _expected(self) -> str:
        curve = self.curve
        if curve is None or not curve.fits or curve.peak is None or curve.low is None or curve.high is None:
            return "the curve of Gao et al. does not fit"
        return f"the curve of Gao et al. has its top at {curve.peak:.2f} [{curve.low:.2f} to {curve.high:.2f}]"


def watched(steps: Sequence[Mapping[str, float]]) -> tuple[Watched, ...]:
    """Each held-out judge of a training, as far as the distance from the reference is known. Empty without one.

    Without scipy nothing is fitted to what it said.
    """
    judges = dict.fromkeys(name for step in steps for name in step if name.startswith(_GOLD) and name.count("/") == 1)
    found = []
    for judge in judges:
        points = tuple(_points(steps, judge))
        if len(points) > 1:
            found.append(_watched(judge.removeprefix(_GOLD), points))
    return tuple(found)


def _watched(judge: str, points: tuple[Point, ...]) -> Watched:
    thinned = points[::-1][:: -(-len(points) // _MOST_POINTS)][::-1]  # from the end, which is what was kept
    distances, gold = tuple(point.distance for point in thinned), tuple(point.gold for point in thinned)
    try:
        return Watched(judge, points, _turn(distances, gold), gao(distances, gold))
    except MissingExtra:
        return Watched(judge, points, None, None)


# a report asks in several places, and resampling takes a second
_turn = lru_cache(16)(turn)


def _points(steps: Sequence[Mapping[str, float]], judge: str) -> Iterator[Point]:
    for step in steps:
        gold, divergence = step.get(judge), _divergence(step)
        if gold is None or divergence is None:
            continue
        proxy = next((step[name] for name in _PROXY if name in step), None)
        yield Point(step["step"], math.sqrt(max(0.0, divergence)), gold, proxy)


def _divergence(step: Mapping[str, float]) -> float | None:
    """Nats a completion: ours as they are, TRL's a token."""
    if "objective/kl" in step:
        return step["objective/kl"]
    tokens = next((step[name] for name in _LENGTHS if name in step), None)
    return step["kl"] * tokens if "kl" in step and tokens is not None else None
