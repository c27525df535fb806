"""Metrics side by side: before, after, by how much it changed, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from solon.data.records import Metric

Verdict = Literal["improved", "degraded", "changed", "unclear", "none"]

# What more of it means, by the metric's name or its first part. What is not listed is neither good nor bad by
# itself: a longer answer or a larger divergence is a price or a symptom, and the reader decides.
_MORE_IS_BETTER = {"compliance", "accuracy", "win_rate", "rating", "grade", "lm_eval", "refusals/harmful"}
_LESS_IS_BETTER = {"toxicity", "unsafe", "over_refusals"}

# Metrics whose items are groups of answers, of which there are always few.
_OF_GROUPS = {"distinct_1", "distinct_2", "distinct_3", "self_bleu", "compression", "word_entropy", "repeated_answers"}

ALPHA = 0.05
"""A difference counts as more than chance when its p-value is below this, or its 95 % interval leaves out no change."""


@dataclass(frozen=True)
class Row:
    """One line of the table of numbers.

    Attributes:
        name: of the metric, e.g. ``compliance``.
        before, after: the models' own numbers; ``None`` where the metric has none.
        pair: a number that compares the two: a win rate or a divergence, or, where ``before`` and ``after`` are there
            too, the measured difference between them.
        part: what it is a part of another row for, ``format`` of ``compliance/format`` below ``compliance``; empty for
            a metric of its own.
    """

    name: str
    before: Metric | None = None
    after: Metric | None = None
    pair: Metric | None = None
    part: str = ""

    @property
    def base(self) -> str:
        """The first part of the name: ``compliance`` of ``compliance/format``."""
        return self.name.split("/")[0]

    @property
    def is_win_rate(self) -> bool:
        """Whether it is one, at equal length or as it is: .5 is even."""
        return is_win_rate(self.name)

    @property
    def of_groups(self) -> bool:
        """Whether its items are groups of answers, and not answers."""
        return self.base in _OF_GROUPS

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of the three that are there."""
        return tuple(metric for metric in (self.before, self.after, self.pair) if metric is not None)

    @property
    def unit(self) -> str:
        """The unit that all of them share."""
        return self.metrics[0].unit

    @property
    def change(self) -> float | None:
        """``after - before`` in the metric's unit; ``None`` where one of them is missing or not a number."""
        if self.before is None or self.after is None:
            return None
        change = self.after.value - self.before.value
        return change if math.isfinite(change) else None

    @property
    def p_value(self) -> float | None:
        """Of the paired test against no change."""
        return next((metric.p_value for metric in self.metrics[::-1] if metric.p_value is not None), None)

    @property
    def verdict(self) -> Verdict:
        """What the change amounts to: ``none`` where nothing is compared, ``unclear`` where chance may have made it."""
        direction = self.change
        if direction is None and self.is_win_rate and self.pair is not None:
            direction = self.pair.value - 0.5
        if direction is None:
            return "none"
        if not self._beyond_chance():
            return "unclear"
        if not (way := wanted(self.name)):
            return "changed"
        return "improved" if way * direction > 0 else "degraded"

    def _beyond_chance(self) -> bool:
        if self.p_value is not None:
            return self.p_value < ALPHA
        if self.pair is not None:
            nothing = 0.0 if self.change is not None else 0.5
            return not self.pair.low <= nothing <= self.pair.high
        return self.before is not None and self.after is not None and not overlap(self.before, self.after)


def is_win_rate(name: str) -> bool:
    """Whether a metric compares the two models, at equal length or as they are: .5 is even."""
    return name.split("/")[0] == "win_rate" or name.startswith("length_controlled/win_rate")


def wanted(name: str) -> Literal[-1, 0, 1]:
    """Which way is better: 1 for more, -1 for less, 0 where neither is better by itself."""
    if less_is_better(name):
        return -1
    if {name.split("/")[0], name.replace("/greedy", "")} & _MORE_IS_BETTER or is_win_rate(name):
        return 1
    return 0


def neither_is_better(name: str) -> bool:
    """Whether it depends on the prompt what is right: some ought to be refused."""
    return name.split("/")[0] == "refusals" and not name.endswith("/harmful")


def less_is_better(name: str) -> bool:
    """Whether a metric counts what should not be there."""
    return name.split("/")[0] in _LESS_IS_BETTER or is_cut_off(name)


def is_cut_off(name: str) -> bool:
    """Whether it says that an answer ran into the limit of its length: a symptom. A principle may be called so too."""
    first, *rest = name.split("/")
    return first == "length" and rest[-1:] == ["cut_off"]


def overlap(one: Metric, other: Metric) -> bool:
    """Whether the two 95 % intervals have a point in common."""
    return one.low <= other.high and other.low <= one.high


def of_judges(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Those that say how far a judge can be trusted, the labeler ahead of examiners. They compare no models."""
    labels = [metric for metric in metrics if metric.of == "labels"]
    examiners = [metric for metric in metrics if metric.of == "pair" and metric.name.startswith("order_consistency")]
    return (*labels, *examiners)


def rows(metrics: Sequence[Metric]) -> tuple[Row, ...]:
    """One row a metric name, in the order in which the names first appear. Metrics of the judges are left out."""
    aside = of_judges(metrics)
    names = dict.fromkeys(metric.name for metric in metrics if metric not in aside)
    return tuple(
        Row(
            name,
            before=_find(metrics, name, "before"),
            after=_find(metrics, name, "after"),
            pair=_find(metrics, name, "pair"),
            part=part_of(name, names),
        )
        for name in names
    )


@dataclass(frozen=True)
class Block:
    """A metric with its parts below it: ``shown`` at once, and ``more`` for whoever asks."""

    shown: tuple[Row, ...]
    more: tuple[Row, ...] = ()


MOST_PARTS = 8
"""Parts of one metric that a page shows at once: more of them would stand before everything else."""


def blocks(table: Sequence[Row]) -> list[Block]:
    """The rows as a page shows them, each metric with the parts that follow it."""
    found: list[list[Row]] = []
    for row in table:
        if row.part and found:
            found[-1].append(row)
        else:
            found.append([row])
    return [Block(tuple(each[: MOST_PARTS + 1]), tuple(each[MOST_PARTS + 1 :])) for each in found]


def part_of(name: str, names: Collection[str]) -> str:
    """What a metric is a part of another for, ``format`` of ``compliance/format``; empty for one of its own."""
    wholes = [whole for whole in names if name.startswith(f"{whole}/")]
    part = name.removeprefix(f"{max(wholes, key=len)}/") if wholes else ""
    return "" if part == "greedy" else part  # another decoding is not a part


def _find(metrics: Sequence[Metric], name: str, of: str) -> Metric | None:
    return next((metric for metric in metrics if metric.name == name and metric.of == of), None)
