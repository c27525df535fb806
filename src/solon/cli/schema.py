"""``solon schema``: the JSON Schema of a recipe, for editors."""

from __future__ import annotations

from solon.cli.options import print_json


def schema() -> None:
    """Print the JSON Schema of a recipe, for editors."""
    from solon.recipe_schema import schema as recipe_schema

    print_json(recipe_schema())
