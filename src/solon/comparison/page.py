"""A comparison as one HTML file, as Markdown, and in a terminal: the same numbers in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from solon.comparison.curves import figures
from solon.comparison.forest import forest
from solon.comparison.record import Comparison
from solon.comparison.tables import (
    Line,
    between_table,
    cost_table,
    count,
    families,
    quality,
    quality_table,
    standing_tables,
)
from solon.comparison.words import headline, sentences
from solon.data.artifacts import write_json
from solon.errors import MissingExtra
from solon.report.curves import CURVES, inline
from solon.report.html import environment, hash_of, template
from solon.report.markdown import bullets, escaped, fenced, small_table
from solon.report.tables import Table
from solon.report.text import one_line, shorten_paths
from solon.report.write import write_figures, write_page
from solon.screen import visible

_MOST_LINES = 80
_MOST_DOUBTS = 8


def write(comparison: Comparison, run_dir: Path) -> list[Path]:
    """Writes ``comparison.json``, ``comparison.html``, ``comparison.md`` and the curves beside them.

    The same comparison gives the same bytes, times and memory aside.

    Raises:
        StorageError: the disk is full or not writable; what was there before is still there.
    """
    note, drawn = "", dict[str, str]()
    try:
        drawn = figures(comparison.finished)
    except MissingExtra as error:
        note = str(error)
    data, page, text = (run_dir / f"comparison.{end}" for end in ("json", "html", "md"))
    write_json(data, comparison)
    write_page(page, html(comparison, drawn, note))
    write_page(text, markdown(comparison, drawn))
    return [data, page, text, *write_figures(run_dir / "figures", drawn)]


def html(comparison: Comparison, drawn: Mapping[str, str], note: str = "") -> str:
    """The page. ``drawn`` are SVG curves by their names; ``note`` stands in their place where there are none."""
    style = template("report.css")
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            comparison=comparison,
            headline=headline(comparison),
            sentences=sentences(comparison),
            sides=comparison.finished,
            lines=quality(comparison)[:_MOST_LINES],
            forest=forest,
            counts=_counts,
            tests=families(comparison.against_untrained),
            between=between_table(comparison),
            standings=list(standing_tables(comparison)),
            cost=cost_table(comparison),
            curves=[Markup(inline(drawn[c.name], c.name, c.title)) for c in CURVES if c.name in drawn],  # noqa: S704
            note=note,
            style=Markup(style),  # noqa: S704 - our own
            style_hash=hash_of(style),
        )
    )


def _counts(line: Line) -> str:
    return count([cell.metric for cell in line.cells])


def markdown(comparison: Comparison, drawn: Iterable[str] = ()) -> str:
    """The same as text, for a pull request. ``drawn`` are the names of the SVG files under ``figures/``."""
    names = set(drawn)
    sections = [
        f"# {escaped(comparison.name)}: comparison",
        f"**{escaped(headline(comparison))}**",
        *map(escaped, sentences(comparison)),
        bullets("What to distrust", comparison.warnings),
        *map(small_table, _tables(comparison)),
        *(f"![{curve.title}](figures/{curve.name}.svg)" for curve in CURVES if curve.name in names),
        f"## Run it again\n\nsolon {escaped(comparison.solon)}, seed {comparison.seed}",
        fenced(shorten_paths(comparison.recipe).rstrip("\n"), "yaml") if comparison.recipe else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def terminal(comparison: Comparison, console: Console, page: Path) -> None:
    """Prints words and tables, and where the page is."""
    blocks = [Text(visible(headline(comparison)), style="bold"), Text()]
    for sentence in sentences(comparison):
        blocks += [Text(visible(sentence)), Text()]
    tables: list[Text | Grid] = []
    for table in _tables(comparison):
        tables += [Text(table.title, style="bold"), _grid(table), Text(table.note, style="dim"), Text()]
    doubts = [Text(f"distrust: {one_line(warning, 1000)}") for warning in comparison.warnings[:_MOST_DOUBTS]]
    if more := len(comparison.warnings) - len(doubts):
        doubts.append(Text(f"and {more} more to distrust in the report"))
    console.print(Padding(Group(*blocks, *tables, *doubts, Text(f"report: {one_line(str(page), 4096)}")), (1, 0, 0, 1)))


def _tables(comparison: Comparison) -> list[Table]:
    between = between_table(comparison)
    found = [quality_table(comparison), between, *standing_tables(comparison), cost_table(comparison)]
    return [table for table in found if table is not None and table.rows]


def _grid(table: Table) -> Grid:
    grid = Grid(*table.heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid
