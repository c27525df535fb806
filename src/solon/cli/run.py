"""``solon run`` and the verbs that do one stage: sample, label, build, train, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer

from solon.cli.options import Json, Overrides, Quiet, RecipeFile, RunDir, print_json, progress_for


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
        run_dir: RunDir = None,
        json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        _run(recipe, overrides, run_dir, json=json, quiet=quiet, until=until)

    return Verb(name, help, command)


VERBS = (
    _verb("sample", "sample", "Draw completions of the prompts."),
    _verb("label", "label", "Judge the completions under the constitution."),
    _verb("build", "build", "Turn judgments into datasets."),
    _verb("train", "train", "Align the policy with the dataset."),
    _verb("evaluate", "evaluate", "Measure the trained policy against the untrained one."),
    _verb("report", "report", "Write the report and print its table."),
    _verb("run", None, "Do all stages, or go on where it stopped. What is done is not done twice."),
)


def _run(
    recipe: RecipeFile, overrides: Overrides, run_dir: RunDir, *, json: bool, quiet: bool, until: str | None
) -> None:
    from solon.errors import Interrupted
    from solon.pipeline import run, stages_of
    from solon.recipe import read
    from solon.trainers.joining import join, nothing_to_train, refuse_unmet
    from solon.trainers.several import Place

    opened = read(recipe, overrides or ())
    here = Place.here()
    refuse_unmet(here)
    if here.rank > 0:  # the first of the processes does it all; this one joins it when it trains
        join()
        return
    try:
        done = run(opened, run_dir, until=until, progress=progress_for(quiet))
        nothing_to_train()
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what was paid for is kept, and the same command goes on from here") from None
    if json:
        from solon.report import summarise

        print_json({"run_dir": str(done), **summarise(done).model_dump(mode="json", exclude={"examples", "steps"})})
    elif "report" in stages_of(opened.recipe) and until in (None, "report") and not quiet:
        from datetime import UTC, datetime

        from rich.console import Console

        from solon.report import limits_found, summarise, terminal

        today, found = datetime.now(UTC).date(), limits_found(done)
        terminal(summarise(done), Console(highlight=False), done / "report.html", today=today, found=found)
    elif until is not None and not quiet:
        from solon.report import ended, summarise

        typer.echo(ended(summarise(done), done, until), err=True)
