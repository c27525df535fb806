"""``solon run`` and the verbs that do one stage: sample, label, build, train, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from solon import screen
from solon.cli.options import (
    Formats,
    Json,
    Overrides,
    Phase,
    Quiet,
    RecipeFile,
    RecipeOrRun,
    RunDir,
    Sets,
    print_json,
    progress_for,
)

if TYPE_CHECKING:
    from solon.recipe import Opened
    from solon.report import Format


@dataclass(frozen=True)
class Verb:
    """A verb that does a recipe's stages up to one of them."""

    name: str
    help: str
    command: Callable[..., None]


def _verb(name: str, until: str | None, help: str) -> Verb:  # noqa: A002
    def command(
        recipe: RecipeFile,
        overrides: Overrides = None,
        sets: Sets = None,
        phase: Phase = None,
        run_dir: RunDir = None,
        json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        _run(recipe, overrides, sets, phase, run_dir, json=json, quiet=quiet, until=until)

    return Verb(name, help, command)


def _report(
    recipe: RecipeOrRun,
    overrides: Overrides = None,
    sets: Sets = None,
    phase: Phase = None,
    run_dir: RunDir = None,
    formats: Formats = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    asked = _known(formats or ())
    if recipe.is_dir():
        if overrides or sets or phase or run_dir:
            raise typer.BadParameter(f"{recipe} is a run, which is reported on as it is: values go with its recipe")
        from solon.stages.report import report_on

        report_on(recipe, asked, progress_for(quiet))
        _tell(recipe, asked, json=json, quiet=quiet)
        return
    _run(recipe, overrides, sets, phase, run_dir, json=json, quiet=quiet, until="report", formats=asked)


def _known(formats: Sequence[str]) -> list[Format]:
    from solon.report.write import FORMATS

    asked = [name.strip() for each in formats for name in each.split(",")]
    if unknown := [name for name in asked if name not in FORMATS]:
        raise typer.BadParameter(f"{unknown[0]!r} is no format of the report; there are {', '.join(FORMATS)}")
    return [known for known in FORMATS if known in asked]


VERBS = (
    _verb("sample", "sample", "Draw completions of the prompts."),
    _verb("label", "label", "Judge the completions under the constitution."),
    _verb("build", "build", "Turn judgments into datasets."),
    _verb("train", "train", "Align the policy with the dataset."),
    _verb("evaluate", "evaluate", "Measure the trained policy against the untrained one."),
    Verb("report", "Write the report and print its table.", _report),
    _verb("run", None, "Do all stages, or go on where it stopped. What is done is not done twice."),
)


def _run(
    recipe: RecipeFile,
    overrides: Overrides,
    sets: Sets,
    phase: Phase,
    run_dir: RunDir,
    *,
    json: bool,
    quiet: bool,
    until: str | None,
    formats: Sequence[Format] = (),
) -> None:
    from solon.errors import Interrupted, RecipeError
    from solon.pipeline import run, stages_of
    from solon.recipe import read
    from solon.trainers.joining import join, nothing_to_train, refuse_unmet
    from solon.trainers.several import Place

    opened = read(recipe, overrides or (), sets or ())
    here = Place.here()
    refuse_unmet(here)
    if opened.recipe.phases and here.count > 1:
        raise RecipeError(
            "a recipe with `phases` trains more than once, and processes that were started together join one training: "
            "set train.processes in its place"
        )
    if here.rank > 0:  # the first of the processes does it all; this one joins it when it trains
        join()
        return
    try:
        done = run(opened, run_dir, until=until, phase=phase, formats=formats, progress=progress_for(quiet))
        nothing_to_train()
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what was paid for is kept, and the same command goes on from here") from None
    if json or ("report" in stages_of(opened.recipe) and until in (None, "report")):
        _tell(done, formats, json=json, quiet=quiet, **_phases(opened, done))
    elif until is not None and not quiet:
        from solon.report import ended, summarise

        screen.say(ended(summarise(done), done, until), err=True)


def _tell(done: Path, formats: Sequence[Format], *, json: bool, quiet: bool, **more: dict[str, str]) -> None:
    """What the run came to: as JSON, with ``more`` ahead of it, or as a table."""
    if json:
        from solon.report import plain, summarise

        print_json({"run_dir": str(done), **more, **plain(summarise(done))})
    elif not quiet:
        from datetime import UTC, datetime

        from solon.report import limits_found, summarise, terminal
        from solon.report.write import FORMATS, page_of

        today, found = datetime.now(UTC).date(), limits_found(done)
        page = next(path for path in (page_of(done, each) for each in (*formats, *FORMATS)) if path.is_file())
        terminal(summarise(done), screen.console(), page, today=today, found=found)


def _phases(opened: Opened, last: Path) -> dict[str, dict[str, str]]:
    """The run directory of each phase that was done, by its name; nothing for a recipe without phases."""
    names = list(opened.recipe.phases)
    done = names[: names.index(last.name) + 1] if names else []
    return {"phases": {name: str(last.with_name(name)) for name in done}} if done else {}
