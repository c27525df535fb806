"""Reporting: one page of what got better, what it cost, and what to distrust."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from solon.data.artifacts import sha256_of
from solon.data.people import OF_LABELS
from solon.errors import DataError, Problem
from solon.progress import Progress
from solon.report.write import FORMATS, USUAL, Format, page_of, write_report
from solon.rundir import RunDirectory, clock
from solon.stages.run import Run


def with_those_there(directory: RunDirectory, asked: Collection[Format]) -> Collection[Format]:
    """The formats that were asked for, or the usual ones, and those that the run had once: none is taken away."""
    return {*(asked or USUAL), *_there(directory), *(each for each in FORMATS if each in directory.formats)}


def report(run: Run) -> None:
    """Writes the report from the files of the run directory alone, and the form for grades.

    The form is the user's: it is no output of the stage, and what is filled in makes the report anew.
    """
    _report(run.directory, run.formats, run.progress)


def report_on(run_dir: Path, asked: Collection[Format], progress: Progress) -> None:
    """The same for a run directory whose recipe need not be at hand, and anew: another version may write it otherwise.

    Raises:
        DataError: it is not a run directory, or a file in it is broken.
        RunBusy: a run is at work in it.
    """
    if not (run_dir / "run.json").is_file():
        remedy = "give the recipe, or the folder of one run: of a run with phases, that of a phase"
        raise DataError([Problem(str(run_dir), "is not a run directory: it holds no run.json", remedy)])
    with RunDirectory.open(run_dir) as directory:
        _report(directory, with_those_there(directory, asked), progress, anew=True)


def _report(directory: RunDirectory, formats: Collection[Format], progress: Progress, *, anew: bool = False) -> None:
    from solon.report.grades import write_form

    form = write_form(directory.path) if directory.outputs("evaluate") else None
    inputs = {
        name: [directory.outputs(name), directory.summary(name)]
        for name in ("sample", "label", "build", "train", "evaluate")
    } | {
        "about": [directory.state[key] for key in ("solon", "name", "seed", "constitution", "versions")],
        "recipe": sha256_of(directory.path / "recipe.yaml"),
        **({"grades": sha256_of(form)} if form is not None else {}),
        # people's verdicts, which are no output of any stage: no rerun touches them
        **({"people": sha256_of(said)} if (said := directory.path / OF_LABELS).is_file() else {}),
    }
    if not directory.is_done("report", inputs):
        if (aside := directory.set_aside("report")) is not None:
            progress.say(f"report    its inputs have changed; what was there is now in {aside}")
    elif _there(directory).issuperset(formats) and not anew:
        progress.say("report    done before, with the same inputs")
        return
    started = clock()
    with progress.stage("report", None, "pages") as bar:
        written = write_report(directory.path, formats)
        bar.advance()
    directory.keep_formats(each for each in FORMATS if each in formats)
    directory.finish("report", inputs, written, {}, started)


def _there(directory: RunDirectory) -> set[Format]:
    return {each for each in FORMATS if page_of(directory.path, each).name in directory.outputs("report")}
