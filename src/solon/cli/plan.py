"""``solon plan``: requests, tokens and dollars of a recipe before they are spent."""

from __future__ import annotations

from solon.cli.options import Json, Overrides, RecipeFile, print_json


def plan(recipe: RecipeFile, overrides: Overrides = None, json: Json = False) -> None:
    """Say what a recipe would cost: requests, tokens, dollars. Spends nothing and loads no model."""
    from solon.planning import plan_of
    from solon.recipe import read

    estimate = plan_of(read(recipe, overrides or ()))
    if json:
        print_json(estimate.model_dump(mode="json"))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", "model", "requests", "input tokens", "output tokens", "dollars", title=None)
    for row in estimate.rows:
        dollars = "price unknown" if row.usd is None else f"{row.usd:,.2f}"
        table.add_row(
            row.stage, row.model, f"{row.requests:,}", f"{row.input_tokens:,}", f"{row.output_tokens:,}", dollars
        )
    console = Console(highlight=False)
    console.print(table)
    for note in estimate.notes:
        console.print(note, markup=False)
