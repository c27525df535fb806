"""The main path, top to bottom: a recipe in, a report out. Read this first.

Each stage reads the files of the one before and writes its own into the run directory. A stage whose inputs have not
changed is skipped; what has been paid for is in the ledger and is never asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from solon.errors import RecipeError
from solon.progress import Progress, Silent
from solon.recipe import Opened, Recipe
from solon.stages.build import build
from solon.stages.evaluate import evaluate
from solon.stages.label import label
from solon.stages.report import report
from solon.stages.run import Run, forget_others, opened_run
from solon.stages.sample import sample
from solon.stages.train import refuse_untrainable, train

STAGES: Mapping[str, Callable[[Run], None]] = {
    "sample": sample,  #     candidates.jsonl       the policy's completions, n a prompt
    "label": label,  #       judgments.jsonl        judges compare or rate them under the constitution
    "build": build,  #       datasets/              judgments become preferences, split by prompt
    "train": train,  #       checkpoints/           a trainer aligns the policy with them
    "evaluate": evaluate,  # evaluation/            against the untrained policy, on held-out prompts
    "report": report,  #     report.html            numbers with their uncertainty, curves, examples, cost, warnings
}


def stages_of(recipe: Recipe) -> list[str]:
    """The stages that a recipe has: it may begin at candidates or at a dataset, and end at datasets.

    A trainer that writes the completions itself and asks for their rewards leaves nothing to sample and label.
    """
    has = {
        "sample": recipe.prompts is not None and recipe.label is not None,
        "label": recipe.label is not None,
        "build": recipe.dataset is None,
        "train": recipe.train is not None,
        "evaluate": recipe.evaluate is not None,
        "report": True,
    }
    return [name for name in STAGES if has[name]]


def run(
    opened: Opened, run_dir: Path | None = None, *, until: str | None = None, progress: Progress | None = None
) -> Path:
    """Does every stage of a recipe, or those up to ``until``; returns the run directory.

    Raises:
        RecipeError: the recipe has no stage ``until``; nothing was done.
        SolonError: a stage failed. Everything that succeeded is kept, and running again goes on from there.
    """
    target = run_dir or Path("runs") / opened.name
    stages = stages_of(opened.recipe)
    if until is not None and until not in stages:
        raise RecipeError(f"this recipe has no stage {until!r}; its stages are {', '.join(stages)}")
    wanted = stages[: stages.index(until) + 1] if until is not None else stages
    with opened_run(opened, target, progress or Silent()) as work:
        forget_others(work, stages)
        for name in wanted:
            to_come = wanted[wanted.index(name) + 1 :]
            work.refuse_ahead = partial(refuse_untrainable, work) if "train" in to_come else lambda: None
            STAGES[name](work)
    return target
