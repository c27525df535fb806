"""Reporting: one page of what got better, what it cost, and what to distrust."""

from __future__ import annotations

from solon.data.artifacts import sha256_of
from solon.stages.run import Run, stage


def report(run: Run) -> None:
    """Writes ``report.md`` and ``report.html`` from the files of the run directory alone."""
    from solon.report import write_report

    inputs = {
        name: [run.directory.outputs(name), run.directory.summary(name)]
        for name in ("sample", "label", "build", "train", "evaluate")
    } | {
        "about": [run.directory.state[key] for key in ("solon", "name", "seed", "constitution", "versions")],
        "recipe": sha256_of(run.path / "recipe.yaml"),
    }
    with stage(run, "report", inputs) as work:
        if work is not None:
            with run.progress.stage("report", None, "pages") as bar:
                work.outputs += write_report(run.path)
                bar.advance()
