"""The report as one HTML file: nothing external, no script, readable in print, on a phone, in light and dark.

Whatever a model, a judge or a recipe says is data: autoescape is on, invisible characters are spelled out, and the
content security policy allows the page's own style sheet (by its hash) and nothing else, not even an inline style.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from solon.data.build import DROPPED
from solon.data.records import canonical
from solon.report.alarm_facts import alarm_tables
from solon.report.bars import HEIGHT, LEFT, RIGHT, WIDTH, bar
from solon.report.curves import CURVES, inline
from solon.report.distrust import distrust
from solon.report.examples import groups, marks
from solon.report.facts import costs, given_candidates, total
from solon.report.grades import by_group
from solon.report.headline import headline
from solon.report.label_facts import label_told
from solon.report.rows import rows
from solon.report.summary import Summary
from solon.report.text import excerpt, one_line, shorten_paths
from solon.report.watched import watched
from solon.report.wording import change, counted, difference, dollars, label, number, p_value, reasons, share, span

MOST_BYTES = 2_000_000
"""What the page may weigh. Each list and text in it is capped, so that it never comes near."""
_CAPS = {"text": 2500, "principles": 80, "principle": 1200, "recipe": 30_000, "rows": 60, "list": 60, "tables": 20}


def html(summary: Summary, figures: Mapping[str, str] | None = None, note: str = "") -> str:
    """The page.

    Args:
        summary: what to show.
        figures: SVG of the training curves, by their names in ``curves.CURVES``.
        note: shown in place of the curves when they could not be drawn.
    """
    style = _template("report.css")
    drawn, labels = figures or {}, label_told(summary)
    curves = [Markup(inline(drawn[c.name], c.name, c.title)) for c in CURVES if c.name in drawn]  # noqa: S704 - our own
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            summary=summary,
            headline=headline(summary),
            rows=rows(summary.metrics)[: _CAPS["rows"]],
            doubts=distrust(summary)[: _CAPS["list"]],
            groups=groups(summary.examples),
            sides=by_group(summary.graded[: _CAPS["list"]]),
            sides_left=max(0, len(summary.graded) - _CAPS["list"]),
            curves=curves,
            note=note,
            judges=[judge.sentence for judge in watched(summary.steps)],
            alarms=alarm_tables(summary),
            labels=labels.facts[: _CAPS["list"]],
            tables=labels.tables[: _CAPS["tables"]],
            given=given_candidates(summary),
            costs=costs(summary),
            total=total(costs(summary)),
            trainer=_trainer(summary),
            style=Markup(style),  # noqa: S704 - our own
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
            meanings=DROPPED,
            caps=_CAPS,
        )
    )


def _trainer(summary: Summary) -> str:
    """Its settings but for the limits of alarms, which no weight depends on; the recipe has those that were set."""
    settings = summary.trained.trainer if summary.trained is not None else {}
    return canonical({key: value for key, value in settings.items() if key != "alarms"}) if settings else ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    deeds = (bar, change, counted, difference, dollars, label, marks, number, p_value, reasons, share, span)
    environment.globals |= {deed.__name__: deed for deed in deeds} | {
        "bar_width": WIDTH,
        "bar_height": HEIGHT,
        "bar_left": LEFT,
        "bar_right": RIGHT,
    }
    environment.filters |= {"excerpt": excerpt, "line": one_line, "shorten_paths": shorten_paths}
    return environment


def _template(name: str) -> str:
    return files("solon.report").joinpath("templates", name).read_text(encoding="utf-8")
