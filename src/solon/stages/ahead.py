"""What would keep a stage that is still to come from working here, known before an earlier one works."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from solon.plugins.base import Plugin
from solon.recipe import Recipe
from solon.stages.evaluate import asked_to_evaluate
from solon.stages.run import refuse_problems
from solon.stages.train import refuse_untrainable


def refuse_unready(recipe: Recipe, stages: Collection[str]) -> None:
    """Stops before anything is sampled, judged or trained when one of these stages cannot be done here.

    A key or a package that is missing is found so, and a training that does not fit; no model is loaded or asked.

    Args:
        recipe: one phase.
        stages: those of it that are to come.

    Raises:
        RecipeError, MissingExtra: with every problem of the plugins at once, and the remedies.
    """
    refuse_problems(*(plugin for name in stages for plugin in _working(recipe, name)))
    if "train" in stages:
        refuse_untrainable(recipe)


def _working(recipe: Recipe, stage: str) -> Iterator[Plugin]:
    """Whose work a stage is; the trained policy itself is not there yet."""
    if stage == "sample" and recipe.sample.model is not None:
        yield recipe.sample.model
    if stage == "label" and recipe.label is not None:
        yield recipe.label
    if stage == "train" and recipe.train is not None:
        yield recipe.train
    if stage == "evaluate":
        yield from asked_to_evaluate(recipe)
