"""The main path of a plan: the stages of a recipe, each tried out on a sample, from the first to the last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from solon.constitution.library import resolve
from solon.data.records import Candidates, Completion, Constitution, Judgment, Record, canonical
from solon.data.split import is_held_out
from solon.evaluation.agreement import Agreement
from solon.evaluation.base import Evaluator
from solon.evaluation.comparison import comparisons
from solon.labelers.base import Labeler
from solon.loops import run_to_end
from solon.planning.crowd import Crowd, crowds_of
from solon.planning.known import knowing
from solon.planning.rehearsal import name_of
from solon.planning.rows import Estimate, Purpose, places_in
from solon.planning.trying import Trial
from solon.planning.unwritten import size, unwritten
from solon.plugins.base import located
from solon.recipe import Opened, Recipe
from solon.recipe_parts import Evaluate, Sample
from solon.stages.run import policy_model
from solon.stages.sample import complete, seed_of
from solon.trainers.prompted import PromptTrainer
from solon.trust import canaries


@dataclass
class Estimates:
    """What was found.

    Attributes:
        rows: in the order in which they will be asked.
        labels, held_out: what is labeled, and what is evaluated on.
        candidates, judgments: bytes of what is written of them.
        has_ledger: whether there is a ledger, in which replies were looked for.
        sorts: whether a labeler sorts by comparisons, of which the most are counted.
    """

    rows: list[Estimate] = field(default_factory=list)
    labels: Crowd | None = None
    held_out: Crowd | None = None
    candidates: int = 0
    judgments: int = 0
    has_ledger: bool = False
    sorts: bool = False


@dataclass(frozen=True)
class Labeled:
    """A prompt's completions with the judgments on them, none of which says anything."""

    candidates: Candidates
    judgments: tuple[Judgment, ...]


def estimated(opened: Opened, seconds: float | None) -> Estimates:
    """Tries every stage out that asks a model. Loads no model, asks nobody, runs no program.

    Args:
        opened: the recipe.
        seconds: that a request takes; as long as its reply is written when ``None``.
    """
    recipe = opened.recipe
    constitution = resolve(located(recipe.constitution))
    labels, held_out = crowds_of(recipe, constitution)
    with knowing(Path(recipe.ledger)) as known:
        found = Estimates(labels=labels, held_out=held_out, has_ledger=known is not None)
        trial = Trial(constitution, known, seconds)
        run_to_end(_through(recipe, constitution, trial, found))
        found.rows, found.sorts = trial.rows, trial.sorts
    return found


async def _through(recipe: Recipe, constitution: Constitution, trial: Trial, found: Estimates) -> None:
    """From the prompts to the last evaluator."""
    labeled: list[Labeled] = []
    if recipe.prompts is not None and recipe.label is not None and found.labels is not None:
        found.labels = await _sample(recipe, trial, found, found.labels)
    if recipe.label is not None and found.labels is not None:
        labeled = await _label(recipe, recipe.label, constitution, trial, found, found.labels)
    if isinstance(recipe.train, PromptTrainer) and found.labels is not None:
        await _train(recipe, recipe.train, trial, found.labels)
    if recipe.evaluate is not None and found.held_out is not None:
        await _evaluate(recipe, recipe.evaluate, trial, found.held_out)
        for number, measure in enumerate(recipe.evaluate.measures):
            await _measure(recipe, f"evaluate.with.{number}", measure, trial, found, labeled)


async def _sample(recipe: Recipe, trial: Trial, found: Estimates, crowd: Crowd) -> Crowd:
    """Every prompt answered ``n`` times, by the ledger or by a stand-in."""
    settings = recipe.sample
    if settings.model is not None:
        model, place = settings.model, "sample.model"
    else:
        assert recipe.policy is not None
        model, place = policy_model(recipe.policy), "policy"

    async def draw(one: Candidates) -> Candidates:
        drawn = await asyncio.gather(
            *(
                complete(
                    model,
                    one.prompt,
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                    max_tokens=settings.max_tokens,
                    seed=seed_of(recipe.seed, one.prompt, number),
                )
                for number in range(settings.n)
            )
        )
        completions = tuple(completion for completion in drawn if isinstance(completion, Completion))
        return Candidates(prompt=one.prompt, completions=completions)

    purpose = Purpose("sample", "completions", {name_of(model): place})
    drawn = await trial.done(purpose, map(draw, crowd.sample), crowd.times)
    found.candidates = _bytes(drawn, crowd.times)
    return replace(crowd, sample=tuple(drawn))


async def _label(
    recipe: Recipe, labeler: Labeler, constitution: Constitution, trial: Trial, found: Estimates, crowd: Crowd
) -> list[Labeled]:
    """The judgments on the sample, and canaries beside them."""
    places, times = places_in(labeler, "label"), crowd.times_for(labeler)
    judged = await trial.judged(Purpose("label", "labels", places), labeler, crowd.sample, times)
    found.judgments = _bytes([judgment for judgments in judged for judgment in judgments], times)
    if recipe.canaries is not None:
        # of a part, all are tried out, so that there is something to scale up
        share = recipe.canaries.share
        settings = recipe.canaries if crowd.is_whole else recipe.canaries.model_copy(update={"share": 1.0})

        def deeds(tried: Labeler) -> Iterator[Awaitable[canaries.Canary | None]]:
            return (canaries.examine(settings, tried, one, constitution) for one in crowd.sample)

        purpose = Purpose("label", "canaries", places)
        await trial.with_labeler(purpose, labeler, deeds, 1.0 if crowd.is_whole else share * crowd.times)
    return [Labeled(one, judgments) for one, judgments in zip(crowd.sample, judged, strict=True)]


async def _train(recipe: Recipe, trainer: PromptTrainer, trial: Trial, crowd: Crowd) -> None:
    """What is asked about all completions that the trainer has written: of different texts, which is the most."""
    held_out = sum(is_held_out(one.prompt, recipe.build.held_out, recipe.seed) for one in crowd.sample)
    longest = trainer.longest_completion or Sample().max_tokens
    for asked in trainer.asked(len(crowd), round(held_out * crowd.times)):
        texts = [unwritten(longest, number) for number in range(1, asked.completions + 1)]
        written = tuple(Completion(text=text, model="policy") for text in texts)
        groups = [Candidates(prompt=one.prompt, completions=written) for one in crowd.sample]
        purpose = Purpose("train", asked.part, places_in(asked.labeler, f"train.{asked.key}"))
        times = crowd.times_for(asked.labeler) * asked.prompts / max(1, len(crowd))
        await trial.judged(purpose, asked.labeler, groups, times)


async def _evaluate(recipe: Recipe, plan: Evaluate, trial: Trial, crowd: Crowd) -> None:
    """The answers of both policies."""
    assert recipe.policy is not None
    policy = policy_model(recipe.policy)
    decodings = {need for measure in plan.measures for need in measure.needs} or {"sample"}
    longest = plan.max_tokens or recipe.sample.max_tokens
    answers = (
        complete(policy, one.prompt, temperature=plan.temperature, top_p=plan.top_p, max_tokens=longest, seed=0)
        for one in crowd.sample
    )
    purpose = Purpose("evaluate", "answers", {name_of(policy): "policy"})
    # the untrained and the trained policy
    await trial.done(purpose, answers, 2 * len(decodings) * crowd.times)
    own = (
        complete(policy, prompt, temperature=plan.temperature, top_p=plan.top_p, max_tokens=longest, seed=0)
        for measure in plan.measures
        for prompt in measure.own_prompts()
    )
    await trial.done(purpose, own, 2)


async def _measure(
    recipe: Recipe, place: str, measure: Evaluator, trial: Trial, found: Estimates, labeled: Sequence[Labeled]
) -> None:
    """Whoever an evaluator asks about the answers of both policies, or about the labels."""
    label = recipe.label
    places = places_in(measure, place) | ({} if label is None else places_in(label, "label"))
    purpose = Purpose("evaluate", measure.kind, places)
    if isinstance(measure, Agreement):
        if measure.other is not None and label is not None and found.labels is not None:
            await trial.judged(purpose, measure.other, list(_compared(labeled)), found.labels.times_for(label))
        return
    assert recipe.evaluate is not None
    assert found.held_out is not None
    longest = recipe.evaluate.max_tokens or recipe.sample.max_tokens
    both = tuple(Completion(text=unwritten(longest, number), model="policy") for number in (1, 2))
    pairs = [Candidates(prompt=one.prompt, completions=both) for one in found.held_out.sample]
    own = [Candidates(prompt=prompt, completions=both) for prompt in measure.own_prompts()]
    own += measure.own_candidates()
    for labeler in measure.examiners(label):
        if measure.needs:
            await trial.judged(purpose, labeler, pairs, found.held_out.times_for(labeler))
        if own:
            await trial.judged(purpose, labeler, own, 1.0)


def _compared(labeled: Sequence[Labeled]) -> Iterator[Candidates]:
    """Every two completions that the labels compare or rate, as ``Agreement`` asks about them."""
    for one in labeled:
        completions = one.candidates.completions
        for number, first in enumerate(completions):
            for second in completions[number + 1 :]:
                if first.text != second.text and comparisons(one.judgments, first.id, second.id):
                    yield Candidates(prompt=one.candidates.prompt, completions=(first, second))


def _bytes(records: Sequence[Record], times: float) -> int:
    return round(times * sum(size(canonical(record.model_dump(mode="json"))) for record in records))
