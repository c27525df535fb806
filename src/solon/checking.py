"""``solon check``: all that can be known to be wrong with a recipe before anything is spent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from solon.constitution.library import resolve
from solon.constitution.linting import lint
from solon.data.candidates import reading_candidates
from solon.data.prompts import read_prompts
from solon.data.records import Prompt
from solon.errors import InputError, Problem, SolonError
from solon.plugins.base import located
from solon.recipe import Opened, plugins
from solon.stages.evaluate import held_out_prompts, trained_prompts
from solon.stages.run import policy_model

T = TypeVar("T")
LEAST_FREE_DISK = 200 * 2**20


@dataclass
class Checked:
    """What was found. Problems keep a run from ending well; warnings do not."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check_recipe(opened: Opened) -> Checked:
    """Looks at every file, model, key and price a recipe names. Loads no model and sends no request."""
    found = Checked()
    recipe = opened.recipe

    def collect(key: str, look: Callable[[], T]) -> T | None:
        try:
            return look()
        except InputError as error:
            found.problems += error.problems
        except SolonError as error:
            found.problems.append(Problem(f"{opened.path}: {key}", str(error)))
        return None

    constitution = collect("constitution", lambda: resolve(located(recipe.constitution)))
    if constitution is not None:
        found.warnings += lint(constitution)
    given: list[Prompt] | None = None
    if recipe.prompts is not None:
        source = located(recipe.prompts)
        prompts = collect("prompts", lambda: read_prompts(source, recipe.columns))
        given = list(prompts.prompts) if prompts is not None else None
        if prompts is not None and prompts.duplicates:
            found.warnings.append(Problem(source, f"{prompts.duplicates} prompts occur twice; each is used once"))
    if recipe.candidates is not None:
        candidates = located(recipe.candidates)

        def answered() -> list[Prompt]:
            with reading_candidates(candidates, recipe.columns) as responses:
                return [one.prompt for one in responses]

        given = collect("candidates", answered)
    if recipe.dataset is not None:
        dataset = recipe.dataset
        if Path(located(dataset)).exists():
            given = collect("dataset", lambda: trained_prompts(dataset))
        else:
            found.problems.append(Problem(f"{opened.path}: dataset", f"there is no {dataset!r}"))
    if recipe.evaluate is not None:
        # where the prompts cannot be read, those held out still can
        trained_on = given if given is not None or recipe.evaluate.prompts is None else []
        if trained_on is not None:
            collect("evaluate.prompts", lambda: held_out_prompts(recipe, trained_on))
    if recipe.policy is not None:
        policy = recipe.policy
        found.problems += [Problem(f"{opened.path}: policy", text) for text in policy_model(policy).problems()]
    for key, plugin in plugins(recipe):
        found.problems += [Problem(f"{opened.path}: {key}", text) for text in plugin.problems()]
    if shutil.disk_usage(Path.cwd()).free < LEAST_FREE_DISK:
        found.warnings.append(Problem("", "less than 200 MiB of disk are free here"))
    return found
