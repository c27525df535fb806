"""The picture beside a metric of a comparison: every entry's number with its 95 % interval on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from solon.comparison.tables import Line
from solon.report.bars import LEFT, RIGHT, Mark
from solon.report.rows import is_win_rate

ROW = 9
"""Height of one entry, in SVG units."""


@dataclass(frozen=True)
class Forest:
    """Marks from the top to the bottom in the order of the columns, the height of all, and where even odds are."""

    marks: tuple[Mark, ...]
    height: int
    even: float | None = None


def forest(line: Line) -> Forest | None:
    """The picture of a line; ``None`` where a number has no place on a scale, or there is none."""
    shown = [("before", line.untrained.metric), *(("after", cell.metric) for cell in line.cells)]
    present = [metric for _, metric in shown if metric is not None]
    numbers = [number for metric in present for number in (metric.value, metric.low, metric.high)]
    if not numbers or not all(math.isfinite(number) for number in numbers):
        return None
    low, high = (0.0, 1.0) if line.unit == "share" else (min(0.0, *numbers), max(0.0, *numbers))
    if high <= low or min(numbers) < low or max(numbers) > high:
        return None

    def place(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 1)

    marks = tuple(
        Mark(kind, place(metric.value), place(metric.low), place(metric.high), ROW * row + ROW / 2)
        for row, (kind, metric) in enumerate(shown)
        if metric is not None
    )
    return Forest(marks, ROW * len(shown), place(0.5) if is_win_rate(line.name) else None)
