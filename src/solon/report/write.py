"""Writing the report of a run directory: ``report.html``, ``report.md`` and ``figures/*.svg``."""

from __future__ import annotations

from pathlib import Path

from solon.data.artifacts import atomic
from solon.errors import MissingExtra
from solon.report.alarm_facts import alarm_marks
from solon.report.curves import CURVES, figures
from solon.report.html import html
from solon.report.markdown import markdown
from solon.report.summary import summarise


def write_report(run_dir: Path) -> list[Path]:
    """Writes the report of what is in ``run_dir`` and returns the files: ``report.html``, ``report.md``, the figures.

    The same run directory gives the same bytes. Where matplotlib is not installed, the report has no curves and says
    how to get them: a run that is paid for is not refused its numbers.

    Raises:
        DataError: it is not a run directory, or a file in it is broken.
        StorageError: the disk is full or not writable; an earlier report is still there.
    """
    summary = summarise(run_dir)
    note = ""
    try:
        drawn = figures(summary.steps, alarm_marks(summary))
    except MissingExtra as error:
        drawn, note = {}, str(error)
    page, text = run_dir / "report.html", run_dir / "report.md"
    written = [page, text]
    for curve in CURVES:
        path = run_dir / "figures" / f"{curve.name}.svg"
        if curve.name in drawn:
            _write(path, drawn[curve.name])
            written.append(path)
        else:
            path.unlink(missing_ok=True)  # of an earlier training run
    _write(text, markdown(summary, drawn))
    _write(page, html(summary, drawn, note))
    return written


def _write(path: Path, text: str) -> None:
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
