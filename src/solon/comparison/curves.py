"""Training curves of several entries over each other: one figure a quantity that two of them report."""

from __future__ import annotations

from collections.abc import Sequence

from solon.comparison.record import Side
from solon.report.curves import CURVES, Curve, drawing, points
from solon.report.text import one_line

PALETTE = ("#0f6b5c", "#b4571e", "#4b6cb7", "#9b3f8f", "#8a7a12", "#5f6570")
"""Told apart by those who see red and green alike, on white and on black."""
_NOT_COMPARED = {"loss", "overoptimisation"}
"""Losses of two trainers are numbers of two kinds."""
_MOST = len(PALETTE)


def figures(sides: Sequence[Side]) -> dict[str, str]:
    """The SVG of each quantity that two entries at least report, by its name in ``CURVES``.

    The horizontal axis is the share of the training that is over: a step of one trainer is not a step of another.

    Raises:
        MissingExtra: there is something to draw and matplotlib is not installed.
    """
    drawn = {}
    for curve in CURVES:
        if curve.name in _NOT_COMPARED:
            continue
        lines = [(side.name, own) for side in sides if len(own := _line(curve, side)) > 1]
        if len(lines) > 1:
            drawn[curve.name] = _draw(curve, lines)
    return drawn


def _line(curve: Curve, side: Side) -> list[tuple[float, float]]:
    """The quantity of one entry over the share of its training, in per cent: training's own where it is reported."""
    for key, _ in curve.series:
        if len(own := points(side.steps, key)) > 1:
            last = max(step.get("steps", step["step"]) for step in side.steps) or 1.0
            return [(100 * step / last, value) for step, value in own]
    return []


def _draw(curve: Curve, lines: Sequence[tuple[str, list[tuple[float, float]]]]) -> str:
    with drawing(curve.title, "share of the training, %") as (axes, svg):
        for place, (name, own) in enumerate(lines):
            x, y = zip(*own, strict=True)
            marker = "o" if len(own) < 12 else None
            colour = PALETTE[place % _MOST]
            style = ("-", "--", ":")[min(2, place // _MOST)]  # a colour comes again with other dashes
            axes.plot(x, y, style, color=colour, linewidth=1.5, marker=marker, markersize=3, label=one_line(name, 20))
        axes.set_xlim(0, 100)
        axes.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8, handlelength=1.2)
    return svg.getvalue()
