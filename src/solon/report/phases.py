"""The page of a recipe of several phases: what each came to, where its own report is, and the last one's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from solon.report.headline import headline
from solon.report.html import environment, hash_of, template
from solon.report.rows import Row, rows
from solon.report.summary import summarise
from solon.report.write import write_page

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{hash}'">
<title>{name}</title>
<style>{style}</style>
</head>
<body>
<header><p class="eyebrow">solon <span>{name}</span></p><h1>{last}</h1></header>
<main>
{sections}{numbers}</main>
</body>
</html>
"""
_PHASE = """\
<section><h2>{number}. <a href="{folder}/{page}">{folder}</a></h2><p>{headline}</p></section>
"""
_NUMBERS = """\
<section id="numbers"><h2>Numbers of {folder}</h2>
{table}</section>
"""
_MOST_ROWS = 60


def write_phases(run_dir: Path, phases: Sequence[Path]) -> Path:
    """Writes ``report.html`` of a run of several phases, below which each has its own folder; returns it.

    Args:
        run_dir: where it goes.
        phases: the run directories of the phases that were done, in order.

    Raises:
        DataError: one of them is no run directory.
        StorageError: the disk is full or not writable.
    """
    summaries = [summarise(folder) for folder in phases]
    said = [headline(summary) for summary in summaries]
    style = template("report.css")
    sections = Markup().join(
        Markup(_PHASE).format(  # noqa: S704 - our own
            number=number,
            folder=folder.name,
            page="report.html" if (folder / "report.html").is_file() else "run.json",
            headline=escape(sentence),
        )
        for number, (folder, sentence) in enumerate(zip(phases, said, strict=True), 1)
    )
    page = Markup(_PAGE).format(  # noqa: S704 - our own
        hash=hash_of(style),
        name=run_dir.absolute().name,
        style=Markup(style),  # noqa: S704 - our own
        last=said[-1],
        sections=sections,
        numbers=_numbers(phases[-1].name, rows(summaries[-1].metrics)),
    )
    path = run_dir / "report.html"
    write_page(path, page)
    return path


def _numbers(folder: str, table: Sequence[Row]) -> Markup:
    """The same table as in that phase's own report; nothing where nothing was measured."""
    if not table:
        return Markup()
    drawn = environment().get_template("numbers.html.j2").make_module().numbers(table[:_MOST_ROWS])  # type: ignore[attr-defined]
    return Markup(_NUMBERS).format(folder=folder, table=drawn)  # noqa: S704 - our own
