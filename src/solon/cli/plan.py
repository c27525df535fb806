"""``solon plan``: requests, tokens and dollars of a recipe before they are spent."""

from __future__ import annotations

from solon.cli.options import Json, Overrides, RecipeFile, print_json, table


def plan(recipe: RecipeFile, overrides: Overrides = None, json: Json = False) -> None:
    """Say what a recipe would cost at most; nothing is spent.

    Requests, tokens and dollars for each stage and model. Loads no model.
    """
    from solon.planning import plan_of
    from solon.recipe import read

    estimate = plan_of(read(recipe, overrides or ()))
    if json:
        print_json(estimate.model_dump(mode="json"))
        return
    from rich.console import Console

    rows = table("stage", "model", "requests", "input tokens", "output tokens", "dollars", numbers=4)
    for row in estimate.rows:
        dollars = "price unknown" if row.usd is None else f"{row.usd:,.2f}"
        rows.add_row(
            row.stage, row.model, f"{row.requests:,}", f"{row.input_tokens:,}", f"{row.output_tokens:,}", dollars
        )
    console = Console(highlight=False)
    if not estimate.rows:
        console.print("No stage of this recipe asks a model for anything.")
        return
    console.print(rows)
    for note in estimate.notes:
        console.print(note, markup=False, soft_wrap=True)
