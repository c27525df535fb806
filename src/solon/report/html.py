"""The report as one HTML file: nothing external, readable in print, on a phone, in light and dark.

Whatever a model, a judge or a recipe says is data: autoescape is on, invisible characters are spelled out, and the
content security policy allows the page's own style sheet and the one script that filters the samples (by their hashes)
and nothing else, not even an inline style. No byte of data is in either. Without the script all samples are shown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
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
from solon.report.examples import marks
from solon.report.facts import costs, given_candidates, total
from solon.report.grades import by_group
from solon.report.headline import headline
from solon.report.label_facts import label_told
from solon.report.moved import moved_tables
from solon.report.rows import blocks, rows
from solon.report.samples import samples
from solon.report.summary import Summary
from solon.report.text import excerpt, one_line, shorten_paths
from solon.report.watched import watched
from solon.report.wording import change, counted, difference, dollars, label, number, p_value, reasons, share, span

MOST_BYTES = 2_000_000
"""What the page may weigh."""


@dataclass(frozen=True)
class Caps:
    """How much of each thing the page shows: characters of a text, items of a list, bytes of all samples together."""

    text: int = 2_500
    principles: int = 80
    principle: int = 1_200
    recipe: int = 30_000
    rows: int = 60
    list: int = 60
    tables: int = 20
    outputs: int = 200
    samples: int = 200
    samples_bytes: int = 800_000

    def scaled(self, by: float) -> Caps:
        """With less of everything, but never so little that nobody could tell what it was."""
        less = {each.name: max(_LEAST.get(each.name, 0), int(by * getattr(self, each.name))) for each in fields(self)}
        return Caps(**less)


_LEAST = {"text": 80, "principle": 80, "recipe": 80, "rows": 10, "list": 10, "principles": 10, "outputs": 10}
_SCALES = (1.0, 0.5, 0.25, 0.1, 0.03, 0.0)
"""Tried one after the other until the page is small enough, which the last one always is."""


def html(summary: Summary, figures: Mapping[str, str] | None = None, note: str = "", *, most: int = MOST_BYTES) -> str:
    """The page, which never weighs more than ``most`` bytes: where it would, it shows less of everything and says so.

    Args:
        summary: what to show.
        figures: SVG of the training curves, by their names in ``curves.CURVES``.
        note: shown in place of the curves when they could not be drawn.
        most: what it may weigh; the frame of a page alone takes some tens of thousands.
    """
    page = ""
    for scale in _SCALES:
        page = _page(summary, figures or {}, note, Caps().scaled(scale), f"{most // 1000:,} kB" if scale < 1 else "")
        if len(page.encode("utf-8")) <= most:
            break
    return page


def _page(summary: Summary, drawn: Mapping[str, str], note: str, caps: Caps, cut: str) -> str:
    labels, table, doubts = label_told(summary), rows(summary.metrics), distrust(summary)
    script, style = template("samples.js"), template("report.css")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            summary=summary,
            cut=cut,
            headline=headline(summary),
            rows=table[: caps.rows],
            rows_total=len(table),
            moved=moved_tables(summary.moved),
            doubts=doubts[: caps.list],
            doubts_total=len(doubts),
            samples=samples(
                summary.examples,
                [row.name for row in table],
                [principle.id for principle in summary.constitution.principles] if summary.constitution else (),
                most=caps.samples,
                room=caps.samples_bytes,
                text=caps.text,
            ),
            sides=by_group(summary.graded[: caps.list]),
            sides_left=max(0, len(summary.graded) - caps.list),
            curves=[Markup(inline(drawn[c.name], c.name, c.title)) for c in CURVES if c.name in drawn],  # noqa: S704
            note=note,
            judges=[judge.sentence for judge in watched(summary.steps)][: caps.list],
            alarms=alarm_tables(summary),
            labels=labels.facts[: caps.list],
            labels_total=len(labels.facts),
            tables=labels.tables[: caps.tables],
            tables_total=len(labels.tables),
            given=given_candidates(summary),
            costs=costs(summary),
            total=total(costs(summary)),
            trainer=_trainer(summary),
            style=Markup(style),  # noqa: S704 - our own
            style_hash=hash_of(style),
            script=Markup(script),  # noqa: S704 - our own
            script_hash=hash_of(script),
            meanings=DROPPED,
            caps=caps,
        )
    )


def hash_of(text: str) -> str:
    """As a content security policy names it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _trainer(summary: Summary) -> str:
    """Its settings but for the limits of alarms, which no weight depends on; the recipe has those that were set."""
    settings = summary.trained.trainer if summary.trained is not None else {}
    return ", ".join(f"{key} {canonical(value)}" for key, value in sorted(settings.items()) if key != "alarms")


@cache
def environment() -> Environment:
    """The templates, with all that they may call. Whatever is put into one is escaped."""
    environment = Environment(
        loader=FunctionLoader(template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    deeds = (bar, blocks, change, counted, difference, dollars, label, marks, number, p_value, reasons, share, span)
    environment.globals |= {deed.__name__: deed for deed in deeds} | {
        "bar_width": WIDTH,
        "bar_height": HEIGHT,
        "bar_left": LEFT,
        "bar_right": RIGHT,
    }
    environment.filters |= {"excerpt": excerpt, "line": one_line, "shorten_paths": shorten_paths}
    return environment


def template(name: str) -> str:
    """The text of a template, style sheet or script of ours."""
    return files("solon.report").joinpath("templates", name).read_text(encoding="utf-8")
