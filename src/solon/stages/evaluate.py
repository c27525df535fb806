"""Evaluating: the trained policy against the untrained one, on prompts that neither was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from solon.data.artifacts import read_jsonl, write_json, writing_jsonl
from solon.data.candidates import reading_candidates
from solon.data.prompts import read_prompts
from solon.data.records import Checkpoint, Completion, Judgment, Metric, Prompt
from solon.data.split import is_held_out, split_key
from solon.errors import DataError, StageIncomplete
from solon.evaluation.base import Decoding, Each, Evidence, Keeping, Pair, Which
from solon.evaluation.boundary import measured_by
from solon.evaluation.items import Items
from solon.loops import run_to_end
from solon.models.base import ChatModel
from solon.models.transformers import Transformers
from solon.plugins.base import Plugin, effects_of, located
from solon.plugins.boundary import answer_of
from solon.recipe import Recipe
from solon.recipe_parts import Evaluate
from solon.report.rows import part_of
from solon.stages.label import candidates
from solon.stages.policies import Policies
from solon.stages.run import Run, Stage, policy_model, stage
from solon.stages.sample import reasons, remedies
from solon.stages.watch import Watch
from solon.trainers.dataset import place_of


def evaluate(run: Run) -> None:
    """Writes ``evaluation/metrics.json`` and ``evaluation/samples.jsonl``.

    Raises:
        DataError: no prompt was held out, or one of the held-out prompts was trained on.
        StageIncomplete: more prompts lack an answer than ``max_failed`` allows.
    """
    recipe = run.recipe
    plan = recipe.evaluate
    assert plan is not None
    assert recipe.policy is not None
    checkpoint = Checkpoint.model_validate(run.directory.summary("train")["checkpoint"])
    given = _given(run)
    trained_earlier = trained_on_earlier(run.opened.earlier)
    prompts = held_out_prompts(recipe, given, trained_earlier)
    before = policy_model(plan.against or recipe.policy)
    after = trained_model(run, checkpoint)
    inputs = {
        "checkpoint": run.directory.outputs("train"),
        "judgments": run.directory.outputs("label"),
        "prompts": [prompt.id for prompt in prompts],
        "model": before.describe(),
        "principles": [principle.model_dump(mode="json") for principle in run.constitution.principles],
        "rating": run.constitution.rating.model_dump(mode="json"),
        "label": effects_of(recipe.label) if recipe.label is not None else None,
        "veto_below": recipe.build.veto_below,
        "measures": [effects_of(measure) for measure in plan.measures],
        "models": [model.describe() for model in examiners(recipe)],
        "sampling": [plan.temperature, plan.top_p, plan.max_tokens or recipe.sample.max_tokens],
        "seed": recipe.seed,
    }
    again = run.directory.summary("evaluate").get("unavailable", 0) > 0
    with stage(run, "evaluate", inputs, needs=asked_to_evaluate(recipe), again=again) as work:
        if work is not None:
            held_out = {split_key(prompt) for prompt in prompts}
            trained_on = frozenset(key for prompt in given if (key := split_key(prompt)) not in held_out)
            trained_on |= trained_earlier
            run_to_end(measured(run, work, plan, prompts, (before, after), trained_on))


def _given(run: Run) -> list[Prompt]:
    """The prompts that the recipe begins at, whatever came of them."""
    recipe = run.recipe
    if recipe.dataset is not None:
        return trained_prompts(recipe)
    if recipe.label is None:
        return list(run.training_prompts().prompts)
    return [one.prompt for one in candidates(run)]


def asked_to_evaluate(recipe: Recipe) -> list[Plugin]:
    """The evaluators, and whoever they ask about the answers: the labeler too, where one falls back on it."""
    measures = recipe.evaluate.measures if recipe.evaluate is not None else ()
    return [*measures, *(labeler for measure in measures for labeler in measure.examiners(recipe.label))]


def examiners(recipe: Recipe) -> list[ChatModel]:
    """Every chat model that an evaluator may ask: its own, or the labeler's where it falls back on that."""
    plan, labeler = recipe.evaluate, recipe.label
    own = [model for measure in (plan.measures if plan else ()) for model in answer_of(measure, "models")]
    return [*own, *(answer_of(labeler, "models") if labeler is not None else ())]


def trained_prompts(recipe: Recipe) -> list[Prompt]:
    """The prompts of the train split of the dataset at which a recipe begins.

    Raises:
        DataError: it is not there, or has no column of prompts.
    """
    assert recipe.dataset is not None
    path = place_of(recipe.dataset, recipe.train.consumes if recipe.train is not None else None)
    return list(read_prompts(path if path.is_file() else path / "train.parquet").prompts)


def trained_on_earlier(recipes: Sequence[Recipe]) -> frozenset[str]:
    """The split keys of the prompts that earlier phases train on, whatever came of them.

    Raises:
        DataError: they cannot be read.
    """
    return frozenset(
        split_key(prompt)
        for recipe in recipes
        for prompt in _beginning(recipe)
        if recipe.dataset is not None or not is_held_out(prompt, recipe.build.held_out, recipe.seed)
    )


def _beginning(recipe: Recipe) -> list[Prompt]:
    """The prompts that a recipe begins at, read from its files alone."""
    if recipe.dataset is not None:
        return trained_prompts(recipe)
    if recipe.prompts is not None:
        return list(read_prompts(located(recipe.prompts), recipe.columns).prompts)
    assert recipe.candidates is not None
    with reading_candidates(located(recipe.candidates), recipe.columns) as rows:
        return [one.prompt for one in rows]


def held_out_prompts(
    recipe: Recipe, given: Sequence[Prompt], trained_earlier: frozenset[str] = frozenset()
) -> tuple[Prompt, ...]:
    """The prompts to evaluate on, none of which is trained on.

    Args:
        recipe: one that evaluates.
        given: the prompts that are labeled, or those of the dataset that the recipe begins at.
        trained_earlier: split keys of prompts that earlier phases train on.

    Raises:
        DataError: there are none, or one of them is trained on.
    """
    plan = recipe.evaluate
    assert plan is not None
    if plan.prompts is None:
        kept = tuple(prompt for prompt in given if is_held_out(prompt, recipe.build.held_out, recipe.seed))
        if not kept:
            raise DataError(
                "no prompt is held out to evaluate on: give evaluate.prompts, more prompts, or a larger build.held_out"
            )
        if seen := [prompt.text for prompt in kept if split_key(prompt) in trained_earlier]:
            raise DataError(
                f"{len(seen)} of {len(kept)} held-out prompts are trained on in an earlier phase, the first being "
                f"{seen[0][:80]!r}: give the phases one `seed` and one `build.held_out`"
            )
        return kept
    held_out = read_prompts(located(plan.prompts), recipe.columns).prompts
    trained_on = {split_key(prompt) for prompt in given} | trained_earlier
    both = [prompt.text for prompt in held_out if split_key(prompt) in trained_on]
    if both:
        raise DataError(
            f"{len(both)} of {len(held_out)} prompts in {plan.prompts} are trained on too, the first being "
            f"{both[0][:80]!r}: take them out of one of the two files"
        )
    return held_out


def trained_model(run: Run, checkpoint: Checkpoint) -> Transformers:
    """The checkpoint as a chat model."""
    assert run.recipe.policy is not None
    path = str((run.path / checkpoint.path).absolute())
    if checkpoint.form == "lora":
        return policy_model(run.recipe.policy, adapter=path)
    return policy_model(run.recipe.policy, model=path)


async def measured(
    run: Run,
    work: Stage,
    plan: Evaluate,
    prompts: Sequence[Prompt],
    both: tuple[Transformers, Transformers],
    trained_on: frozenset[str],
) -> None:
    """Asks both policies and measures their answers; the files are those of ``evaluate``."""
    decodings: list[Decoding] = list(dict.fromkeys(need for measure in plan.measures for need in measure.needs))
    decodings = decodings or ["sample"]
    watch = Watch()
    models = (*both, *examiners(run.recipe))
    async with run.stream("evaluate", *models, on_event=watch, keeps_worth=True) as stream:
        watch.stream = stream
        policies = Policies(run, stream, *both, trained_on)
        with run.progress.stage("evaluate", 2 * len(decodings) * len(prompts), "answers") as bar:
            answers: dict[tuple[Which, Decoding], list[Completion | str]] = {}
            for name in policies.models:  # one policy after the other: two large ones are not loaded in turns
                for decoding in decodings:
                    answers[name, decoding] = []
                    async for one in policies.answered(name, prompts, decoding):
                        answers[name, decoding].append(one)
                        bar.advance(failed=isinstance(one, str))
        pairs = {
            each: _pairs(prompts, answers["before", each], answers["after", each], run.recipe.max_failed)
            for each in decodings
        }
        kept: dict[str, Iterable[Mapping[str, Any]]] = {"samples": (), "items": ()}

        def keep(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
            again = sum(known == name or known.startswith(f"{name}-") for known in kept)
            kept[f"{name}-{again + 1}" if again else name] = list(rows)

        items = Items()
        evidence = _evidence(run, pairs, policies, keep, items.add)
        metrics: list[Metric] = []
        warnings: list[str] = []
        with run.progress.stage("measure", len(plan.measures), "evaluators") as bar:
            watch.bar = bar
            for measure in plan.measures:
                watch.measure(measure.kind)
                found, said = await measured_by(measure, evidence)
                metrics += found
                warnings += said
                bar.advance()
        _refuse_failures(metrics, run.recipe.max_failed)
    write_json(work.file("evaluation/metrics.json"), [metric.model_dump(mode="json") for metric in metrics])
    shown: Decoding = "sample" if "sample" in pairs else decodings[0]
    kept["samples"] = _samples(plan, pairs[shown], shown)
    kept["items"] = items.rows()
    for shown_by, rows in kept.items():
        with writing_jsonl(work.file(f"evaluation/{shown_by}.jsonl")) as write:
            for row in rows:
                write(row)
    work.summary.update(
        prompts=len(prompts),
        usage=policies.usage.model_dump(),
        cost_usd=round(stream.worth(), 6),
        unavailable=stream.tally.unavailable,
        warnings=warnings,
    )
    with run.tracked() as track:
        track.results(metrics)


def _pairs(
    prompts: Sequence[Prompt], before: Sequence[Completion | str], after: Sequence[Completion | str], limit: float
) -> tuple[Pair, ...]:
    """The prompts that both policies answered.

    Raises:
        StageIncomplete: more lack an answer than the share ``limit``.
    """
    both = zip(prompts, before, after, strict=True)
    pairs = tuple(
        Pair(prompt, one, other)
        for prompt, one, other in both
        if isinstance(one, Completion) and isinstance(other, Completion)
    )
    lost = len(prompts) - len(pairs)
    if lost > limit * len(prompts):
        missing = Counter(one for one in (*before, *after) if isinstance(one, str))
        raise StageIncomplete(
            f"{lost} of {len(prompts)} held-out prompts lack an answer of one model or both "
            f"({reasons(missing)}), more than max_failed {limit:.0%} allows; {remedies(missing)}"
        )
    return pairs


def _samples(plan: Evaluate, pairs: Sequence[Pair], decoding: Decoding) -> Iterator[dict[str, Any]]:
    """The rows of ``samples.jsonl``: both answers, and what each yes/no metric says of them."""
    measures = [measure for measure in plan.measures if decoding in measure.needs]
    for pair in pairs:
        changes = {name: list(marks) for measure in measures for name, marks in measure.changes(pair).items()}
        yield {
            "prompt": pair.prompt.model_dump(mode="json"),
            "before": pair.before.model_dump(mode="json"),
            "after": pair.after.model_dump(mode="json"),
            "decoding": decoding,
            "changes": changes,
        }


def _refuse_failures(metrics: Sequence[Metric], limit: float) -> None:
    """A number that rests on what few items could be measured is no number; a part of one may be small by nature."""
    names = {metric.name for metric in metrics}
    for metric in metrics:
        is_part = bool(part_of(metric.name, names))
        if metric.of != "labels" and not is_part and metric.failed > limit * (metric.n + metric.failed):
            raise StageIncomplete(
                f"{metric.name} could not be measured on {metric.failed} of {metric.n + metric.failed} items, more "
                f"than max_failed {limit:.0%} allows; look at what its judge or rule needs ({metric.method})"
            )


def _evidence(
    run: Run, pairs: dict[Decoding, tuple[Pair, ...]], policies: Policies, keep: Keeping, each: Each
) -> Evidence:
    judged, trainer = run.recipe.label is not None, run.recipe.train
    return Evidence(
        constitution=run.constitution,
        pairs=pairs,
        log_probs=policies.log_probs,
        labeler=run.recipe.label,
        rewards=trainer.teachers() if trainer is not None else (),
        candidates=tuple(candidates(run)) if judged else (),
        judgments=tuple(read_jsonl(run.path / "judgments.jsonl", Judgment)) if judged else (),
        answers=policies.answers,
        policies=policies.models,
        veto_below=run.recipe.build.veto_below,
        keep=keep,
        each=each,
    )
