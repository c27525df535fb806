"""Writing the report of a run directory: ``report.html``, ``report.md``, ``report.json`` and ``figures/*.svg``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from solon.data.artifacts import write_json
from solon.data.whole import atomic
from solon.errors import MissingExtra
from solon.report.alarm_facts import alarm_marks
from solon.report.curves import CURVES, figures
from solon.report.html import html
from solon.report.markdown import markdown
from solon.report.summary import Summary, summarise
from solon.report.text import shorten_paths

Format = Literal["html", "md", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
USUAL: tuple[Format, ...] = ("html", "md")
"""What is written where nobody says otherwise."""


def page_of(run_dir: Path, written: Format) -> Path:
    """Where the report of a format goes."""
    return run_dir / f"report.{written}"


def plain(summary: Summary) -> dict[str, Any]:
    """The summary as JSON values: every number with its n, interval and failures, and no folder of anybody's.

    Without prompts and answers, and without logged steps. Grades go by the ids of their rows in ``grades.csv``.
    """
    told = summary.model_dump(mode="json", exclude={"examples", "steps", "graded", "constitution"})
    return {
        **{key: _without_folders(value) for key, value in told.items()},
        "constitution": summary.model_dump(mode="json", include={"constitution"})["constitution"],
        "graded": [
            {
                "id": one.answers.id,
                "group": one.answers.group,
                "before": one.before,
                "after": one.after,
                "note": one.note,
            }
            for one in summary.graded
        ],
    }


def _without_folders(value: Any) -> Any:
    if isinstance(value, str):
        return shorten_paths(value)
    if isinstance(value, dict):
        return {shorten_paths(key): _without_folders(each) for key, each in value.items()}
    return [_without_folders(each) for each in value] if isinstance(value, list) else value


def write_report(run_dir: Path, formats: Collection[Format] = USUAL) -> list[Path]:
    """Writes the report of what is in ``run_dir`` and returns the files. The figures are beside ``report.md``.

    The same run directory gives the same bytes. Where matplotlib is not installed, the report has no curves and says
    how to get them: a run that is paid for is not refused its numbers.

    Raises:
        DataError: it is not a run directory, or a file in it is broken.
        StorageError: the disk is full or not writable; an earlier report is still there.
    """
    summary = summarise(run_dir)
    note, drawn = "", {}
    if {"html", "md"} & set(formats):
        try:
            drawn = figures(summary.steps, alarm_marks(summary))
        except MissingExtra as error:
            note = str(error)
    written = [page_of(run_dir, each) for each in FORMATS if each in formats]
    if "md" in formats:
        written += write_figures(run_dir / "figures", drawn)
        write_page(page_of(run_dir, "md"), markdown(summary, drawn))
    if "html" in formats:
        write_page(page_of(run_dir, "html"), html(summary, drawn, note))
    if "json" in formats:
        write_json(page_of(run_dir, "json"), plain(summary))
    return written


def write_figures(folder: Path, drawn: Mapping[str, str]) -> list[Path]:
    """Writes the curves by their names, and removes those of an earlier training; returns the files."""
    written = []
    for curve in CURVES:
        path = folder / f"{curve.name}.svg"
        if curve.name in drawn:
            write_page(path, drawn[curve.name])
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def write_page(path: Path, text: str) -> None:
    """Writes a page whole, or leaves what was there.

    Raises:
        StorageError: the disk is full or not writable.
    """
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
