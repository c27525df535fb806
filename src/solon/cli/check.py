"""``solon check``: every problem of a recipe at once, nothing spent."""

from __future__ import annotations

import typer

from solon.cli.options import Json, Overrides, RecipeFile, print_json


def check(recipe: RecipeFile, overrides: Overrides = None, json: Json = False) -> None:
    """Find every problem of a recipe; nothing is spent.

    Looks at settings, files, models, keys and prices. Exit code 2 if there is any problem.
    """
    from solon.checking import check_recipe
    from solon.recipe import read

    found = check_recipe(read(recipe, overrides or ()))
    if json:
        print_json(
            {
                "ok": not found.problems,
                "problems": list(map(str, found.problems)),
                "warnings": list(map(str, found.warnings)),
            }
        )
    else:
        for warning in found.warnings:
            typer.echo(f"warning: {warning}", err=True)
        for problem in found.problems:
            typer.echo(f"{problem}", err=True)
        if not found.problems:
            typer.echo(f"{recipe}: ready to run")
    if found.problems:
        raise typer.Exit(2)
