"""Reporting: one page of what got better, what it cost, and what to distrust."""

from __future__ import annotations

from solon.data.artifacts import sha256_of
from solon.stages.run import Run, stage


def report(run: Run) -> None:
    """Writes ``report.md`` and ``report.html`` from the files of the run directory alone, and the form for grades.

    The form is the user's from then on: it is no output of the stage, and what is filled in makes the report anew.
    """
    from solon.report import write_report
    from solon.report.grades import write_form

    form = write_form(run.path) if run.directory.outputs("evaluate") else None
    inputs = {
        name: [run.directory.outputs(name), run.directory.summary(name)]
        for name in ("sample", "label", "build", "train", "evaluate")
    } | {
        "about": [run.directory.state[key] for key in ("solon", "name", "seed", "constitution", "versions")],
        "recipe": sha256_of(run.path / "recipe.yaml"),
        **({"grades": sha256_of(form)} if form is not None else {}),
    }
    with stage(run, "report", inputs) as work:
        if work is not None:
            with run.progress.stage("report", None, "pages") as bar:
                work.outputs += write_report(run.path)
                bar.advance()
