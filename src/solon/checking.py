"""``solon check``: all that can be known to be wrong with a recipe before anything is spent."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from solon.constitution.library import resolve
from solon.constitution.linting import lint
from solon.data.candidates import reading_candidates
from solon.data.hub import is_on_the_hub
from solon.data.prompts import read_prompts
from solon.data.records import Constitution, Prompt
from solon.data.split import split_key
from solon.errors import InputError, Problem, RecipeError, SolonError
from solon.labelers.base import Labeler
from solon.phases import phases_of
from solon.plugins.base import Plugin, Settings, located
from solon.plugins.boundary import answer_of
from solon.recipe import Opened, plugins
from solon.stages.evaluate import held_out_prompts, trained_on_earlier, trained_prompts
from solon.stages.run import policy_model
from solon.trainers.announcing import refuse_unfit
from solon.trainers.prompted import PromptTrainer

T = TypeVar("T")
LEAST_FREE_DISK = 200 * 2**20


@dataclass
class Checked:
    """What was found. Problems keep a run from ending well; warnings do not."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check_recipe(opened: Opened) -> Checked:
    """Looks at every file, model, key and price a recipe names. Loads no model and sends no request.

    Of a recipe of several phases each is looked at, the later ones with the first policy in place of what the phase
    before will have trained.
    """
    try:
        phases = phases_of(opened)
    except RecipeError as error:
        return Checked(problems=list(error.problems))
    each = [(phase.phase, _checked(phase)) for phase in phases]
    return Checked(
        _together((name, found.problems) for name, found in each),
        _together((name, found.warnings) for name, found in each),
    )


def _together(each: Iterable[tuple[str, list[Problem]]]) -> list[Problem]:
    """What was found in any phase: once where several have it, under the name of the first."""
    found: dict[Problem, str] = {}
    for name, problems in each:
        for problem in problems:
            found.setdefault(problem, name)
    return [replace(one, what=f"phase {name!r}: {one.what}") if name else one for one, name in found.items()]


def _checked(opened: Opened) -> Checked:
    """Of a recipe without phases, or of one phase."""
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
    responses: Counter[tuple[int, str | None]] = Counter()
    if recipe.prompts is not None:
        source = located(recipe.prompts)
        prompts = collect("prompts", lambda: read_prompts(source, recipe.columns))
        given = list(prompts.prompts) if prompts is not None else None
        at_once = recipe.train.completions_of(1)[0] if isinstance(recipe.train, PromptTrainer) else recipe.sample.n
        responses.update((at_once, prompt.topic) for prompt in given or ())
        if prompts is not None and prompts.duplicates:
            found.warnings.append(Problem(source, f"{prompts.duplicates} prompts occur twice; each is used once"))
    if recipe.candidates is not None:
        candidates = located(recipe.candidates)

        def answered() -> list[Prompt]:
            asked = []
            with reading_candidates(candidates, recipe.columns) as rows:
                for one in rows:
                    asked.append(one.prompt)
                    responses[len({completion.text for completion in one.completions}), one.prompt.topic] += 1
            return asked

        given = collect("candidates", answered)
    if recipe.dataset is not None:
        dataset = recipe.dataset
        if is_on_the_hub(dataset) or Path(located(dataset)).exists():
            given = collect("dataset", lambda: trained_prompts(recipe))
        else:
            found.problems.append(Problem(f"{opened.path}: dataset", f"there is no {dataset!r}"))
    if recipe.evaluate is not None:
        # where the prompts cannot be read, those held out still can
        trained_on = given if given is not None or recipe.evaluate.prompts is None else []
        if trained_on is not None:
            held_out = collect(
                "evaluate.prompts", lambda: held_out_prompts(recipe, trained_on, trained_on_earlier(opened.earlier))
            )
            found.problems += _trained_on_too(opened, trained_on, held_out or ())
    against = recipe.evaluate.against if recipe.evaluate is not None else None
    for key, policy in (("policy", recipe.policy), ("evaluate.against", against)):
        if policy is not None:
            texts = answer_of(policy_model(policy), "problems")
            found.problems += [Problem(f"{opened.path}: {key}", text) for text in texts]
    for key, plugin in plugins(recipe):
        found.problems += [Problem(f"{opened.path}: {key}", text) for text in answer_of(plugin, "problems")]
        if constitution is not None:
            under = [text for labeler in _labelers(plugin) for text in labeler.problems_under(constitution)]
            found.problems += [Problem(f"{opened.path}: {key}", text) for text in under]
    if constitution is not None and recipe.label is not None:
        unasked = _unasked(recipe.label, constitution, responses)
        found.warnings += [Problem(f"{opened.path}: label", text) for text in unasked]
    if isinstance(recipe.train, PromptTrainer) and (key := recipe.train.needs_held_out) and not recipe.build.held_out:
        what = "compares policies on held-out prompts, and build.held_out is 0: raise that, or leave this out"
        found.problems.append(Problem(f"{opened.path}: train.{key}", what))
    if constitution is not None and recipe.train is not None:
        for labeler in recipe.train.labelers():
            unasked = _unasked(labeler, constitution, responses)
            place = f"{opened.path}: train.{recipe.train.judged_by}"
            found.warnings += [Problem(place, text) for text in unasked]
    if recipe.train is not None and recipe.policy is not None and not answer_of(recipe.train, "problems"):
        trainer, policy = recipe.train, recipe.policy
        collect("train", lambda: refuse_unfit(trainer, policy))
    if recipe.train is not None:
        stated = recipe.track if "track" in recipe.model_fields_set else ()
        found.problems += [Problem(f"{opened.path}: track", text) for each in stated for text in each.problems()]
        found.warnings += [Problem(f"{opened.path}: track", text) for each in stated for text in each.warnings()]
    found.warnings += _idle_sampling(opened)
    found.warnings += _idle_building(opened)
    if shutil.disk_usage(Path.cwd()).free < LEAST_FREE_DISK:
        found.warnings.append(Problem("", "less than 200 MiB of disk are free here"))
    return found


def _trained_on_too(opened: Opened, given: Iterable[Prompt], held_out: Iterable[Prompt]) -> Iterator[Problem]:
    """Prompts that an evaluator brings, and that the policy learns from."""
    assert opened.recipe.evaluate is not None
    trained_on = {split_key(prompt) for prompt in given} - {split_key(prompt) for prompt in held_out}
    for number, measure in enumerate(opened.recipe.evaluate.measures):
        try:
            own = measure.own_prompts()
        except SolonError:  # its own problems say so
            continue
        if seen := [prompt for prompt in own if split_key(prompt) in trained_on]:
            what = f"{len(seen)} of {len(own)} prompts that {measure.kind} brings are trained on too"
            first = f"the first is {seen[0].text[:80]!r}: take them out of one of the two files"
            yield Problem(f"{opened.path}: evaluate.with.{number}", what, first)


def _labelers(plugin: Plugin) -> Iterator[Labeler]:
    """A labeler with those that it is made of, and those of any other plugin."""
    if isinstance(plugin, Labeler):
        yield plugin
    for part in plugin.parts():
        yield from _labelers(part)


def _unasked(labeler: Labeler, constitution: Constitution, responses: Counter[tuple[int, str | None]]) -> Iterator[str]:
    """Prompts about which the labeler has nothing to ask, by the reason.

    Args:
        labeler: who judges.
        constitution: what under.
        responses: how many prompts there are, by the number of their different responses and their topic.
    """
    no_principle: Counter[str | None] = Counter()
    too_few: Counter[int] = Counter()
    for (count, topic), prompts in responses.items():
        applying = sum(principle.applies_to(topic) for principle in constitution.principles)
        if not applying:
            no_principle[topic] += prompts
            continue
        try:
            expected = answer_of(labeler, "expected_questions", count, applying)
        except SolonError:  # it reads a file: its own problems() says what is wrong with it
            return
        if not expected:
            too_few[count] += prompts
    total = responses.total()
    if few := too_few.total():
        have = " or ".join(str(count) for count in sorted(too_few))
        wants = f"{labeler.kind} needs more responses that differ"
        yield f"nothing can be asked about {few:,} of {total:,} prompts: {wants}, and of these each has {have}"
    if none := no_principle.total():
        yield f"nothing is asked about {none:,} of {total:,} prompts: no principle applies to their topic"


def _idle_sampling(opened: Opened) -> Iterator[Problem]:
    """Settings of ``sample`` that nothing reads in a recipe that does not sample."""
    recipe = opened.recipe
    if recipe.prompts is not None and recipe.label is not None:
        return
    begins = next(key for key in ("candidates", "dataset", "prompts") if getattr(recipe, key) is not None)
    why, remedy = f"the recipe begins at `{begins}`, and nothing is sampled", "take it out, or begin at `prompts`"
    if begins == "prompts":
        why, remedy = "the trainer writes the completions itself, by its own settings", "take it out"
    # the longest answer to evaluate on is taken from here
    read = {"max_tokens"} if recipe.evaluate is not None else set()
    if idle := _set_without(read, recipe.sample):
        yield Problem(f"{opened.path}: sample", f"{idle} changes nothing: {why}", remedy)


def _idle_building(opened: Opened) -> Iterator[Problem]:
    """Settings of ``build`` that nothing reads in a recipe whose datasets are not built of judgments."""
    recipe, trainer = opened.recipe, opened.recipe.train
    if recipe.label is not None:
        return
    asks = trainer is not None and bool(trainer.labelers())
    read = {"veto_below"} if asks else set()
    why = "the recipe begins at `dataset`, and nothing is built"
    remedy = f"take it out, or begin at `{'prompts' if asks else 'candidates'}`"
    if recipe.dataset is None and trainer is not None:
        why, remedy = f"trainer {trainer.kind!r} learns from prompts, and nothing else is built", "take it out"
        read.add("held_out")
        if own := sorted((recipe.build.model_fields_set - read) & type(trainer).model_fields.keys()):
            remedy += f"; the trainer has {', '.join(f'`train.{name}`' for name in own)}"
    if idle := _set_without(read, recipe.build):
        yield Problem(f"{opened.path}: build", f"{idle} changes nothing: {why}", remedy)


def _set_without(read: Collection[str], settings: Settings) -> str:
    """The settings that the recipe sets, but for those that something reads."""
    names = type(settings).model_fields
    return ", ".join(f"`{name}`" for name in names if name in settings.model_fields_set and name not in read)
