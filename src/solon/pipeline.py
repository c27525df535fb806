"""The main path, top to bottom: a recipe in, a report out. Read this first.

Each stage reads the files of the one before and writes its own into the run directory. A stage whose inputs have not
changed is skipped; what has been paid for is in the ledger and is never asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from solon.errors import RecipeError
from solon.phases import phases_of, unfolding, up_to
from solon.progress import Progress, Silent
from solon.recipe import Opened, Recipe
from solon.report.phases import write_phases
from solon.report.write import Format
from solon.stages.ahead import refuse_unready
from solon.stages.build import build
from solon.stages.evaluate import evaluate
from solon.stages.label import label
from solon.stages.report import report, with_those_there
from solon.stages.run import Run, forget_others, opened_run
from solon.stages.sample import sample
from solon.stages.train import train

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
    opened: Opened,
    run_dir: Path | None = None,
    *,
    until: str | None = None,
    phase: str | None = None,
    goes_on: bool = False,
    formats: Collection[Format] = (),
    progress: Progress | None = None,
) -> Path:
    """Does every stage of a recipe, or those up to ``until``; returns the run directory, that of the last phase done.

    Of a recipe of several phases, one after the other is done up to ``phase``, each in a folder of its own below
    ``run_dir``; ``until`` is a stage of the last of them. The report is written in ``formats`` (html and md when empty)
    and in those that it has already. With ``goes_on`` the rest is to follow in another call: what would keep that from
    working here is refused now.

    Raises:
        RecipeError: the recipe has no such phase or stage, or one of its phases is wrong; nothing was done.
        SolonError: a stage failed. Everything that succeeded is kept, and running again goes on from there.
    """
    target = run_dir or Path("runs") / opened.name
    phases = phases_of(opened)
    planned = up_to(phase, phases)
    wanted = _stages_up_to(until, planned[-1])
    for number, (one, folder) in enumerate(islice(unfolding(opened, target), len(planned))):
        if one.phase:
            (progress or Silent()).say(f"phase     {one.phase}")
            with suppress(OSError):  # to open the phase's own folder says what is wrong
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_last = number == len(planned) - 1
        stages = wanted if is_last else stages_of(one.recipe)
        expected = [stages_of(each.recipe) for each in (phases if goes_on else planned)]
        if not goes_on:
            expected[-1] = wanted
        ahead = list(zip((each.recipe for each in phases), expected, strict=False))[number:]
        _run(one, folder, stages, ahead, formats, progress or Silent())
        if one.phase:
            write_phases(target, [target / earlier.phase for earlier in planned[: number + 1]])
    return folder


def _stages_up_to(until: str | None, opened: Opened) -> list[str]:
    """Those of a recipe up to ``until``, or all."""
    stages = stages_of(opened.recipe)
    if until is not None and until not in stages:
        what = f"phase {opened.phase!r} of this recipe" if opened.phase else "this recipe"
        raise RecipeError(f"{what} has no stage {until!r}; its stages are {', '.join(stages)}")
    return stages if until is None else stages[: stages.index(until) + 1]


def _run(
    opened: Opened,
    target: Path,
    wanted: Sequence[str],
    ahead: Sequence[tuple[Recipe, Sequence[str]]],
    formats: Collection[Format],
    progress: Progress,
) -> None:
    """One phase. Before anything is paid for, what cannot be done here is refused.

    ``ahead`` are the stages that are expected to work, of this phase and of those after it.
    """
    (_, expected), *later = ahead
    with opened_run(opened, target, progress) as work:
        work.formats = with_those_there(work.directory, formats)
        forget_others(work, stages_of(opened.recipe))
        for name in wanted:
            to_come = expected[expected.index(name) + 1 :]
            work.refuse_ahead = partial(_refuse_unready, [(opened.recipe, to_come), *later])
            STAGES[name](work)


def _refuse_unready(ahead: Sequence[tuple[Recipe, Sequence[str]]]) -> None:
    for recipe, stages in ahead:
        refuse_unready(recipe, stages)
