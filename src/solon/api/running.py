"""Recipes as the command line takes them: run, check, plan, advise, compare."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from solon import pipeline
from solon.advice import Counsel, counsel, facts_of
from solon.api.compared import Compared
from solon.api.recipes import AnyRecipe, Overrides, opened, refuse_unlike, typed
from solon.api.reports import known_formats
from solon.api.results import Run, of_phases
from solon.checking import check_recipe
from solon.comparison.checking import check_entries
from solon.comparison.comparing import compare as compare_entries
from solon.comparison.entries import entries
from solon.comparison.running import at_once
from solon.errors import InputError, Problem, RecipeError
from solon.notebook import progress_here
from solon.phases import problems_of_sets
from solon.planning import Plan, plan_of
from solon.progress import Progress, Silent
from solon.report.write import Format
from solon.screen import visible
from solon.trainers.backends import Machine

AnyProgress = bool | Progress


def run(
    recipe: AnyRecipe,
    *,
    run_dir: str | Path | None = None,
    overrides: Overrides = None,
    sets: str | Sequence[str] = (),
    phase: str | None = None,
    until: str | None = None,
    formats: Collection[Format] = (),
    progress: AnyProgress = True,
) -> Run:
    """Does every stage of a recipe, as ``solon run``. What is done is not done twice, so the same call goes on.

    Args:
        recipe: the path of a recipe; a mapping of what the file would say, in which instances may stand in place of
            plugins; or a ``Recipe``.
        run_dir: where the run's files go; ``runs/<name of the recipe>`` when left out.
        overrides: values in place of the recipe's, by key: ``{"train.beta": 0.05}``.
        sets: names of variations of the recipe.
        phase: the last phase to do, of a recipe with phases.
        until: the last stage to do: ``sample``, ``label``, ``build``, ``train``, ``evaluate`` or ``report``.
        formats: of the report, of ``html``, ``md`` and ``json``; html and md when empty.
        progress: whether bars are shown, or where (``solon.progress.Progress``).

    Returns:
        What the run has left; of a recipe with phases the last one's, with the others under ``phases``.

    Raises:
        RecipeError: with every problem of the recipe; nothing was done.
        DataError: the report has no such format; nothing was done.
        SolonError: a stage failed. What succeeded is kept, and the same call goes on from there.
        KeyboardInterrupt: Ctrl-C. Likewise.
    """
    shows, pages, target = shown(progress), known_formats(formats), _target(run_dir)
    found = opened(recipe, overrides, sets)
    with kept():
        done = pipeline.run(
            found,
            target,
            until=until,
            phase=phase,
            formats=pages,
            progress=shows,
        )
    names = list(found.recipe.phases)
    if not names:
        return Run(done, base=found.folder)
    done_before = names[: names.index(done.name) + 1]
    return of_phases([done.with_name(name) for name in done_before], found.folder)


def check(recipe: AnyRecipe, *, overrides: Overrides = None, sets: str | Sequence[str] = ()) -> Findings:
    """Every problem of a recipe at once, as ``solon check``: a list, empty where it is ready to run. Spends nothing.

    What cannot be read as a recipe at all is among the problems too.
    """
    try:
        found = opened(recipe, overrides, sets)
    except InputError as error:
        return Findings(error.problems)
    checked = check_recipe(found)
    if not sets and isinstance(recipe, str | Path):
        checked.problems += problems_of_sets(found, typed(overrides))
    compared = check_entries(found, checked)
    return Findings([*checked.problems, *compared.problems], [*checked.warnings, *compared.warnings])


def plan(
    recipe: AnyRecipe,
    *,
    overrides: Overrides = None,
    sets: str | Sequence[str] = (),
    seconds_per_request: float | None = None,
) -> Plan:
    """What a recipe would ask and cost, as ``solon plan``. Loads no model and asks nobody.

    Args:
        recipe, overrides, sets: as for ``run``.
        seconds_per_request: how long a request to a remote model takes.

    Raises:
        RecipeError, DataError: the recipe or what it names cannot be read.
    """
    return plan_of(opened(recipe, overrides, sets), seconds_per_request=seconds_per_request)


def advise(source: str | Path, *, model: str | None = None, sets: str | Sequence[str] = ()) -> Counsel:
    """Which trainer fits a recipe, a file of data, a dataset folder or a run directory, as ``solon advise``.

    Args:
        source: what is looked at.
        model: the policy's folder or hub id, where the recipe does not name it.
        sets: of the recipe.
    """
    facts = facts_of(Path(source), (sets,) if isinstance(sets, str) else tuple(sets))
    return counsel(replace(facts, model=model) if model is not None else facts)


def compare(
    recipe: AnyRecipe,
    trainers: str | Sequence[str] = (),
    *,
    run_dir: str | Path | None = None,
    overrides: Overrides = None,
    sets: str | Sequence[str] = (),
    jobs: int | None = None,
    each_two: bool = True,
    progress: AnyProgress = True,
) -> Compared:
    """Trains with several trainers on one recipe, dataset and seed, and puts them side by side, as ``solon compare``.

    Args:
        recipe, overrides, sets, progress: as for ``run``.
        trainers: entries of the recipe's ``compare``, or kinds of trainers; all entries when empty.
        run_dir: where all of it goes; ``runs/<name of the recipe>-compared`` when left out.
        jobs: how many train at a time, 1 or more; as many as the machine carries when left out.
        each_two: whether judges of ``win_rate`` compare each two entries too.

    Raises:
        RecipeError: with every problem of all entries.
        StageIncomplete: no entry got to its end.
    """
    shows, target = shown(progress), _target(run_dir)
    if jobs is not None and jobs < 1:
        remedy = "leave it out for as many as the machine carries"
        raise RecipeError([Problem("jobs", f"is {jobs}, and at least one trains at a time", remedy)])
    found = opened(recipe, overrides, sets)
    chosen = entries(found, (trainers,) if isinstance(trainers, str) else tuple(trainers))
    target = target or Path("runs") / f"{found.budget}-compared"
    count = min(jobs if jobs is not None else at_once(chosen, Machine.here()), len(chosen))
    with kept():
        comparison = compare_entries(found, chosen, target, jobs=count, progress=shows, each_two=each_two)
    return Compared(target, comparison)


def _target(run_dir: str | Path | None) -> Path | None:
    if run_dir is None:
        return None
    refuse_unlike(run_dir, (str, Path), "run_dir", "give a folder, or leave it out")
    return Path(run_dir)


class Findings(list[Problem]):
    """Problems, which keep a run from ending well; ``warnings`` do not."""

    warnings: list[Problem]

    def __init__(self, problems: Iterable[Problem] = (), warnings: Iterable[Problem] = ()) -> None:
        super().__init__(problems)
        self.warnings = list(warnings)

    def __repr__(self) -> str:
        lines = [f"warning: {warning}" for warning in self.warnings] + list(map(str, self))
        return visible("\n".join(lines if self else [*lines, "ready to run"]))


def shown(progress: AnyProgress) -> Progress:
    """Where stages report: ``True`` is bars, in a notebook or on standard error; ``False`` is nothing.

    Raises:
        RecipeError: it is neither a truth value nor a ``Progress``.
    """
    if isinstance(progress, bool):
        return progress_here() if progress else Silent()
    if not all(hasattr(progress, name) for name in ("stage", "say", "note")):
        remedy = "give True for bars, False for none, or a solon.progress.Progress"
        raise RecipeError([Problem("progress", f"is {progress!r}"[:100], remedy)])
    return progress


@contextmanager
def kept() -> Iterator[None]:
    """Says in a ``KeyboardInterrupt`` that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        said = "stopped; what was paid for is kept, and the same call goes on from here"
        raise KeyboardInterrupt(said) from None
