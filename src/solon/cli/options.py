"""Options that verbs share, said once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon import screen
from solon.cli import completing

if TYPE_CHECKING:
    from rich.table import Table

    from solon.progress import Progress

RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="The recipe file.", autocompletion=completing.recipes)
]
RecipeOrRun = Annotated[
    Path,
    typer.Argument(
        metavar="RECIPE", help="The recipe file, or the folder of a run.", autocompletion=completing.recipes_and_runs
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Values to use in place of the recipe's, e.g. train.beta=0.05."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME",
        help="A variation of the recipe, as it stands under `sets`. May be repeated.",
        autocompletion=completing.sets,
    ),
]
Phase = Annotated[
    str | None,
    typer.Option(
        "--phase",
        metavar="NAME",
        help="The last phase to do, of a recipe with `phases`.",
        autocompletion=completing.phases,
    ),
]
RunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the run's files go. Default: runs/<name of the recipe>.")
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format", metavar="md|html|json", help="What to write; may be repeated, or commas between. Default: html,md."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors only.")]


def progress_for(quiet: bool) -> Progress:
    """Bars on standard error, or nothing."""
    from solon.progress import Silent, Terminal

    return Silent() if quiet else Terminal()


def table(*names: str, numbers: int = 0) -> Table:
    """An empty table without lines; the last ``numbers`` columns hold numbers."""
    from rich.table import Column, Table

    first = len(names) - numbers
    # what is cut off cannot be copied: a long cell goes on in the next line
    columns = [
        Column(name, justify="right" if place >= first else "left", overflow="fold") for place, name in enumerate(names)
    ]
    return Table(*columns, box=None, pad_edge=False)


def print_json(value: Any) -> None:
    """One JSON object on standard output: what ``--json`` promises."""
    screen.say_json(value)
