"""Training curves as SVG: one small figure a quantity, the same bytes for the same numbers.

The files under ``figures/`` stand alone, on white. The same drawings go into the HTML page with their colours replaced
by the page's own (so that they follow light and dark) and with attributes instead of inline styles (so that the page's
content security policy can forbid inline styles).
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

from solon.errors import MissingExtra
from solon.report.text import one_line
from solon.report.watched import Watched, watched

INK, MUTED, RULE, TRAINING, HELD_OUT, ALARM = "#21201c", "#6f6c64", "#dcd8cd", "#0f6b5c", "#b4571e", "#ad3324"
_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    TRAINING: "var(--accent)",
    HELD_OUT: "var(--second)",
    ALARM: "var(--bad)",
    "#ffffff": "none",  # the white ground of the figure that stands alone
}
_MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """A figure: ``name`` of its file, ``title``, the series it may show (key in the log, legend), most wanted first."""

    name: str
    title: str
    series: tuple[tuple[str, str], ...]


CURVES = (
    Curve("loss", "Loss", (("loss", "training"), ("eval_loss", "held out"))),
    Curve(
        "margins",
        "Reward margin",
        (
            ("rewards/margins", "training"),
            ("eval_rewards/margins", "held out"),
            ("margin", "training"),  # of a reward model, as its accuracy
            ("eval_margin", "held out"),
        ),
    ),
    Curve(
        "accuracies",
        "Pairs ranked right",
        (
            ("rewards/accuracies", "training"),
            ("eval_rewards/accuracies", "held out"),
            ("accuracy", "training"),
            ("eval_accuracy", "held out"),
        ),
    ),
    Curve("reward", "Reward", (("reward", "training"), ("objective/rewards", "training"), ("eval_reward", "held out"))),
    Curve(
        "kl", "KL to the reference, nats", (("kl", "training"), ("objective/kl", "training"), ("eval_kl", "held out"))
    ),
    Curve("win_rate", "Win rate against the last round", (("selfplay/win_rate", "held out"),)),
    Curve("overoptimisation", "Reward and held-out judge", ()),
)


def figures(
    steps: Sequence[dict[str, float]], alarms: Mapping[str, Collection[float]] = MappingProxyType({})
) -> dict[str, str]:
    """The SVG of every curve that has at least two points, by its name.

    Args:
        steps: what was logged.
        alarms: steps at which a quantity raised an alarm, by its key in the log: upright lines in its curve.

    Raises:
        MissingExtra: there is something to draw and matplotlib is not installed.
    """
    drawn = {}
    for curve in CURVES:
        lines = [(legend, own) for key, legend in curve.series if (own := points(steps, key))]
        if any(len(own) > 1 for _, own in lines):
            marks = [step for key, _ in curve.series for step in alarms.get(key, ())]
            drawn[curve.name] = _draw(curve.title, lines, marks)
    if judges := watched(steps):
        drawn["overoptimisation"] = _draw_watched(judges[0])
    return drawn


def points(steps: Sequence[Mapping[str, float]], key: str) -> list[tuple[float, float]]:
    """One quantity by step, thinned where there are very many."""
    found = [(step["step"], step[key]) for step in steps if key in step]
    stride = -(-len(found) // _MOST_POINTS) or 1
    return found[::-1][::stride][::-1]  # thinned from the end, which is what was kept


def _draw(title: str, lines: Sequence[tuple[str, list[tuple[float, float]]]], marks: Sequence[float]) -> str:
    with drawing(title, "step") as (axes, svg):
        from matplotlib.ticker import MaxNLocator

        for (legend, own), colour in zip(lines, (TRAINING, HELD_OUT), strict=False):
            marker = "o" if len(own) < 12 else None
            x, y = zip(*own, strict=True)
            axes.plot(x, y, color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=legend)
        for step in marks:
            axes.axvline(step, color=ALARM, linewidth=1.2)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if len(lines) > 1:
            axes.legend(frameon=False, fontsize=9, labelcolor=MUTED, handlelength=1.4)
    return svg.getvalue()


def _draw_watched(judge: Watched) -> str:
    """Proxy on the left scale, gold and the curve through it on the right, over the distance from the reference.

    An upright line is where the judge turned, and the ground around it the 95 % interval of that.
    """
    with drawing("Reward and held-out judge", "distance from the reference, √KL") as (axes, svg):
        proxy = sorted((point.distance, point.proxy) for point in judge.points if point.proxy is not None)
        handles = (
            [axes.plot(*zip(*proxy, strict=True), color=TRAINING, linewidth=1.6, label="reward")[0]] if proxy else []
        )
        right = axes.twinx()
        gold = sorted((point.distance, point.gold) for point in judge.points)
        name = one_line(judge.judge, 24)
        handles += right.plot(
            *zip(*gold, strict=True), color=HELD_OUT, linestyle="none", marker="o", markersize=3.5, label=name
        )
        if (curve := judge.curve) is not None and curve.fits and curve.low is not None:
            along = [gold[-1][0] * place / 60 for place in range(61)]
            right.plot(along, [curve.at(distance) for distance in along], color=HELD_OUT, linewidth=1.2)
        if judge.turn is not None and judge.best is not None:
            right.axvspan(judge.turn.low, judge.turn.high, color=ALARM, alpha=0.14, linewidth=0)
            right.axvline(judge.turn.distance, color=ALARM, linewidth=1.2)
        # each scale in the colour of what is read off it
        axes.tick_params(axis="y", labelcolor=TRAINING)
        axes.set_ylabel("reward", color=TRAINING)
        right.tick_params(color=RULE, labelcolor=HELD_OUT, length=3)
        right.set_ylabel(name, color=HELD_OUT)
        right.spines[["top", "right", "left", "bottom"]].set_visible(False)
        # below: the points may be anywhere
        axes.figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=2,
            frameon=False,
            fontsize=9,
            labelcolor=MUTED,
            handlelength=1.4,
        )
    return svg.getvalue()


@contextmanager
def drawing(title: str, below: str) -> Iterator[tuple[Any, io.StringIO]]:
    """The axes to draw on, and where the SVG is when the block is left.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise MissingExtra("drawing training curves", "report") from None
    # hashsalt and no date: the same numbers give the same bytes; fonttype none: text stays text, and small
    settings = {
        "svg.hashsalt": "solon",
        "svg.fonttype": "none",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10,
        "text.color": INK,
    }
    out = io.StringIO()
    with rc_context(settings):
        figure = Figure(figsize=(4.2, 2.7), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel(below, color=MUTED)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(color=RULE, labelcolor=MUTED, length=3)
        axes.grid(axis="y", color=RULE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(RULE)
        yield axes, out
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", facecolor="white", metadata=nothing)


def inline(svg: str, name: str, title: str) -> str:
    """The SVG as it goes into the page: no prolog, no styles, the page's colours, ids that no other figure has."""
    root = ET.fromstring(svg)  # noqa: S314 - matplotlib wrote it a moment ago, from numbers
    parts = [part for part in root if part.tag == _svg("g") or part.find(_svg("clipPath")) is not None]
    for element in (each for part in parts for each in part.iter()):
        element.tag = element.tag.split("}")[-1]
        element.attrib = _attributes(element.attrib, name)
    drawing = "".join(ET.tostring(part, encoding="unicode") for part in parts)
    drawing = re.sub(r"\s*\n\s*", " ", drawing).replace("> <", "><")
    label = f"{title} by training step"
    return f'<svg class="curve" viewBox="{root.get("viewBox")}" role="img" aria-label="{label}">{drawing}</svg>'


def _svg(tag: str) -> str:
    return f"{{http://www.w3.org/2000/svg}}{tag}"


_LOCAL_ID = re.compile(r"(?<=#)[mp][0-9a-f]{10}\b|^[mp][0-9a-f]{10}$")  # of markers and clip paths: what is referred to
_UNWANTED = {"font", "font-family", "style", "type"}  # the page sets its own family


def _attributes(old: dict[str, str], name: str) -> dict[str, str]:
    """The attributes that stand for what the old ones and their inline style said."""
    plain = {key.split("}")[-1]: value for key, value in old.items()}
    style = dict(part.split(": ", 1) for part in plain.get("style", "").split("; ") if ": " in part)
    if "font" in style:  # older matplotlib writes the shorthand, which is not an attribute
        style["font-size"] = next(word for word in style["font"].split() if word.endswith("px"))
    new = {}
    for key, value in {**plain, **style}.items():
        if key in _UNWANTED or (key == "id" and not _LOCAL_ID.search(value)) or "rotate(-0" in value:
            continue
        new[key] = _LOCAL_ID.sub(lambda found: f"{name}-{found[0]}", _COLOURS.get(value, value))
    return new
