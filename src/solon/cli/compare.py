"""``solon compare``: several trainers on one recipe, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon import screen
from solon.cli.completing import entries
from solon.cli.options import Json, Overrides, Quiet, RecipeFile, Sets, print_json, progress_for

Trainers = Annotated[
    str | None,
    typer.Option(
        "--trainers",
        help="Entries of the recipe's `compare`, or kinds of trainers, by commas. Default: all entries.",
        autocompletion=entries,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, help="Entries to train at a time. Default: one a GPU, or as many as the cores carry."
    ),
]
Folder = Annotated[
    Path | None, typer.Option("--run-dir", help="Where all of it goes. Default: runs/<name of the recipe>-compared.")
]
EachTwo = Annotated[
    bool,
    typer.Option(
        "--each-two/--untrained-only",
        help="Whether judges of win_rate compare each two entries too, or each with the untrained policy alone.",
    ),
]


def compare(
    recipe: RecipeFile,
    overrides: Overrides = None,
    sets: Sets = None,
    trainers: Trainers = None,
    jobs: Jobs = None,
    run_dir: Folder = None,
    each_two: EachTwo = True,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train with several trainers on one recipe, dataset and seed, and put them side by side.

    Again = go on: what is done is not done twice. Exit code 3 if an entry did not get to its end.
    """
    from solon.comparison.comparing import compare as compare_entries
    from solon.comparison.entries import entries
    from solon.comparison.page import terminal
    from solon.comparison.running import at_once
    from solon.errors import Interrupted
    from solon.recipe import read
    from solon.trainers.backends import Machine
    from solon.trainers.several import Place

    if Place.here().count > 1:
        raise typer.BadParameter("entries are trained by processes of their own: start one, and set `train.processes`")
    opened = read(recipe, overrides or (), sets or ())
    chosen = entries(opened, [name.strip() for name in (trainers or "").split(",") if name.strip()])
    target = run_dir or Path("runs") / f"{opened.budget}-compared"
    count = jobs or at_once(chosen, Machine.here())
    try:
        found = compare_entries(
            opened, chosen, target, jobs=min(count, len(chosen)), progress=progress_for(quiet), each_two=each_two
        )
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what was done is kept, and the same command goes on from here") from None
    if json:
        print_json({"run_dir": str(target), **found.model_dump(mode="json", exclude={"recipe": True})})
    elif not quiet:
        terminal(found, screen.console(), target / "comparison.html")
    if any(side.failed for side in found.sides):
        raise typer.Exit(3)
