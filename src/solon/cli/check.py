"""``solon check``: every problem of a recipe at once, nothing spent."""

from __future__ import annotations

import typer

from solon import screen
from solon.cli.options import Json, Overrides, RecipeFile, Sets, print_json


def check(recipe: RecipeFile, overrides: Overrides = None, sets: Sets = None, json: Json = False) -> None:
    """Find every problem of a recipe; nothing is spent.

    Looks at settings, files, models, keys and prices, at what it compares, and without --set at the settings of every
    set of the recipe.
    Exit code 2 if there is any problem.
    """
    from solon.checking import check_recipe
    from solon.cli.failing import say, told
    from solon.comparison.checking import check_entries
    from solon.phases import problems_of_sets
    from solon.recipe import read

    opened = read(recipe, overrides or (), sets or ())
    found = check_recipe(opened)
    if not sets:
        found.problems += problems_of_sets(opened, overrides or ())
    compared = check_entries(opened, found)
    found.problems += compared.problems
    found.warnings += compared.warnings
    if json:
        print_json(
            {
                "ok": not found.problems,
                "problems": list(map(str, found.problems)),
                "warnings": list(map(str, found.warnings)),
            }
        )
    else:
        for line in told(found.warnings):
            say(f"warning: {line}")
        for line in told(found.problems):
            say(line)
        if not found.problems:
            screen.say(f"{recipe}: ready to run")
    if found.problems:
        raise typer.Exit(2)
