"""The little picture beside a row of numbers: both values with their 95 % intervals on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from solon.report.rows import Row

WIDTH, HEIGHT = 180, 26
LEFT, RIGHT = 6, 174


@dataclass(frozen=True)
class Mark:
    """One value on the scale, in SVG units: ``x`` of the dot, ``left`` to ``right`` of its interval, ``y`` of both."""

    kind: str
    x: float
    left: float
    right: float
    y: float


@dataclass(frozen=True)
class Bar:
    """The marks of a row and, for a win rate, the ``x`` of even odds."""

    marks: tuple[Mark, ...]
    even: float | None


def bar(row: Row) -> Bar | None:
    """The picture of a row; ``None`` where a number has no place on a scale, or nothing would be compared."""
    shown = [("before", row.before), ("after", row.after if row.after is not None else row.pair)]
    present = [(kind, metric) for kind, metric in shown if metric is not None]
    numbers = [number for _, metric in present for number in (metric.value, metric.low, metric.high)]
    if not all(math.isfinite(number) for number in numbers):
        return None
    low, high = (0.0, 1.0) if row.unit == "share" else (min(0.0, *numbers), max(0.0, *numbers))
    if high <= low or min(numbers) < low or max(numbers) > high:
        return None

    def place(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 1)

    heights = (8.0, 18.0) if len(present) == 2 else (13.0,)
    marks = tuple(
        Mark(kind, place(metric.value), place(metric.low), place(metric.high), y)
        for (kind, metric), y in zip(present, heights, strict=True)
    )
    return Bar(marks, place(0.5) if row.is_win_rate else None)
