"""The page that leads to the reports of a recipe's phases."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from solon.report.phases import write_phases


def test_the_page_says_what_each_phase_came_to_and_leads_to_its_report(run_dir: Path, tmp_path: Path) -> None:
    """One that has a report yet, and one that was stopped before it; of the last one the numbers too."""
    phases = [tmp_path / "runs" / name for name in ("supervised", "preferred")]
    for folder in phases:
        shutil.copytree(run_dir, folder)
    (phases[0] / "report.html").write_text("")
    (phases[1] / "report.html").unlink(missing_ok=True)
    page = write_phases(tmp_path / "runs", phases).read_text("utf-8")
    assert page.index('1. <a href="supervised/report.html">') < page.index('2. <a href="preferred/run.json">')
    assert "<h2>Numbers of preferred</h2>" in page
    assert page.count('<table class="numbers">') == 1
    assert '<span class="value">96.2%</span>' in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert write_phases(tmp_path / "runs", phases).read_text("utf-8") == page


def test_where_the_last_phase_measured_nothing_there_is_no_table(make_run, tmp_path: Path) -> None:
    """A sentence alone, as before."""
    folder = tmp_path / "runs" / "one"
    shutil.copytree(make_run(metrics=[]), folder)
    page = write_phases(tmp_path / "runs", [folder]).read_text("utf-8")
    assert "Numbers of" not in page
    assert "<table" not in page


def test_what_a_run_says_of_itself_is_text_on_the_page(run_dir: Path, tmp_path: Path) -> None:
    """A metric may be named by whoever wrote the recipe."""
    folder = tmp_path / "runs" / "one"
    shutil.copytree(run_dir, folder)
    metrics = folder / "evaluation" / "metrics.json"
    rows = json.loads(metrics.read_text("utf-8"))
    for row in rows:
        row["name"] = "<script>alert(1)</script>"
    metrics.write_text(json.dumps(rows), "utf-8")
    page = write_phases(tmp_path / "runs", [folder]).read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
