"""The report in a terminal: one table, what labeled it, what it cost, what to distrust; made for 80 columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from solon.data.records import Metric
from solon.report.distrust import distrust
from solon.report.examples import groups
from solon.report.facts import cost_facts, data_facts
from solon.report.headline import headline
from solon.report.label_facts import label_told
from solon.report.rows import Row, rows
from solon.report.summary import Summary
from solon.report.tables import Fact
from solon.report.text import one_line
from solon.report.wording import change, number, p_value, span

_COLOURS = {"improved": "green", "degraded": "red", "changed": "default", "unclear": "dim", "none": "default"}
_DOUBTS_SHOWN = 3


def terminal(
    summary: Summary,
    console: Console,
    report: Path | None = None,
    *,
    today: dt.date | None = None,
    found: Sequence[Fact] = (),
) -> None:
    """Prints the summary.

    Args:
        summary: of the run.
        console: where to.
        report: the file that holds the rest.
        today: for what is too old by now.
        found: what was found out about the providers (``solon.report.limits``).
    """
    facts = [*label_told(summary).facts, *found, *data_facts(summary), *cost_facts(summary)]
    facts += _doubts(distrust(summary, today))
    if report is not None:
        facts.append(Fact("report", one_line(str(report), 4096)))
    console.print(Padding(Group(*_what_changed(summary, console.width - 2), _facts(facts)), (1, 0, 0, 1)))


def _doubts(doubts: Sequence[str]) -> list[Fact]:
    shown = [Fact("distrust" if not i else "", f"· {doubt}") for i, doubt in enumerate(doubts[:_DOUBTS_SHOWN])]
    more = len(doubts) - len(shown)
    return [*shown, Fact("", f"· and {more} more in the report")] if more else shown


def _what_changed(summary: Summary, width: int) -> list[RenderableType]:
    blocks: list[RenderableType] = [Text(headline(summary), style="bold")]
    table = rows(summary.metrics)
    if table:
        blocks += [Text(), _table(table), Text()]
    for example in (example for group in groups(summary.examples)[:1] for example in group.shown[:1]):
        blocks.append(
            _facts(
                [
                    Fact("for example", one_line(example.prompt.text, width - 14)),
                    Fact("before", one_line(example.before.text, width - 14)),
                    Fact("after", one_line(example.after.text, width - 14)),
                ]
            )
        )
        blocks.append(Text())
    return blocks


def _facts(facts: list[Fact]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(min_width=11, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for fact in facts:
        grid.add_row(Text(fact.name), Text(fact.text))
    return grid


def _table(table: tuple[Row, ...]) -> Table:
    failed = any(row.metrics[-1].failed for row in table)
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("metric", min_width=11, max_width=17, overflow="fold")
    grid.add_column("before [95%]", no_wrap=True)
    grid.add_column("after [95%]", no_wrap=True)
    grid.add_column("change", no_wrap=True, justify="right")
    grid.add_column("p", no_wrap=True)
    grid.add_column("n+failed" if failed else "n", no_wrap=True, justify="right")
    for row in table:
        colour = _COLOURS[row.verdict]
        grid.add_row(
            _name(row),
            _value(row.before, ""),
            _value(row.pair if row.after is None else row.after, colour),
            Text(_without_unit(change(row), row.unit), style=colour),
            Text(p_value(row.p_value).removeprefix("p ").removeprefix("= ").replace(" ", ""), style="dim"),
            Text(_count(row.metrics[-1])),
        )
    return grid


def _name(row: Row) -> Text:
    """The metric's own name; a part of the metric above is indented, a unit is added where it is not per cent."""
    words = one_line(row.part or row.name, 60).replace("/", " ").replace("_", " ")
    unit = "" if row.unit in ("share", "score") else f" {row.unit}"
    return Text(f"  {words}" if row.part else words).append(unit, style="dim")


def _value(metric: Metric | None, colour: str) -> Text:
    if metric is None:
        return Text("–", style="dim")
    text = Text(_without_unit(number(metric.value, metric.unit), metric.unit), style=f"bold {colour}".strip())
    interval = span(metric).replace(" to ", " ")
    return text.append(f" [{interval}]", style="not bold dim") if interval else text


def _without_unit(text: str, unit: str) -> str:
    """The unit stands beside the metric's name, and points are what shares change by."""
    return text.removesuffix(" points").removesuffix(f" {unit}")


def _count(metric: Metric) -> str:
    return f"{metric.n:,}+{metric.failed:,}" if metric.failed else f"{metric.n:,}"
