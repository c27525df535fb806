"""Evaluating: the trained policy against the untrained one, on prompts that neither was trained on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from solon.data.artifacts import read_jsonl, write_json, writing_jsonl
from solon.data.prompts import read_prompts
from solon.data.records import Checkpoint, Completion, Judgment, Metric, Prompt, Usage
from solon.data.split import is_held_out, split_key
from solon.errors import DataError, StageIncomplete
from solon.evaluation.base import Decoding, Evidence, Pair
from solon.models.transformers import Transformers
from solon.plugins.base import located
from solon.recipe import Evaluate
from solon.stages.label import candidates
from solon.stages.run import Run, Stage, policy_model, stage, window
from solon.stages.sample import complete, seed_of
from solon.stream import Stream


def evaluate(run: Run) -> None:
    """Writes ``evaluation/metrics.json`` and ``evaluation/samples.jsonl``.

    Raises:
        DataError: no prompt was held out, or one of the held-out prompts was trained on.
    """
    recipe = run.recipe
    plan = recipe.evaluate
    assert plan is not None
    assert recipe.policy is not None
    checkpoint = Checkpoint.model_validate(run.directory.summary("train")["checkpoint"])
    prompts = held_out_prompts(run, plan)
    before = policy_model(recipe.policy)
    after = trained_model(run, checkpoint)
    inputs = {
        "checkpoint": run.directory.outputs("train"),
        "judgments": run.directory.outputs("label"),
        "prompts": [prompt.id for prompt in prompts],
        "model": before.describe(),
        "measures": [measure.settings() for measure in plan.measures],
        "models": [model.describe() for measure in plan.measures for model in measure.models()],
        "sampling": [plan.temperature, plan.top_p, plan.max_tokens or recipe.sample.max_tokens],
        "seed": recipe.seed,
    }
    with stage(run, "evaluate", inputs) as work:
        if work is not None:
            asyncio.run(_evaluate(run, work, plan, prompts, before, after))


def held_out_prompts(run: Run, plan: Evaluate) -> tuple[Prompt, ...]:
    """The prompts to evaluate on, none of which was trained on."""
    recipe = run.recipe
    if plan.prompts is None:
        kept = tuple(
            one.prompt for one in candidates(run) if is_held_out(one.prompt, recipe.build.held_out, recipe.seed)
        )
        if not kept:
            raise DataError(
                "no prompt was held out to evaluate on: give evaluate.prompts, more prompts, or a larger build.held_out"
            )
        return kept
    held_out = tuple(read_prompts(located(plan.prompts), recipe.columns).prompts)
    if recipe.dataset is not None:
        return held_out
    trained_on = {split_key(one.prompt) for one in candidates(run)}
    both = [prompt.text for prompt in held_out if split_key(prompt) in trained_on]
    if both:
        raise DataError(
            f"{len(both)} of {len(held_out)} prompts in {plan.prompts} were trained on too, the first being "
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


async def _evaluate(
    run: Run, work: Stage, plan: Evaluate, prompts: Sequence[Prompt], before: Transformers, after: Transformers
) -> None:
    decodings: list[Decoding] = list(dict.fromkeys(need for measure in plan.measures for need in measure.needs))
    decodings = decodings or ["sample"]
    judges = [model for measure in plan.measures for model in measure.models()]
    pairs: dict[Decoding, tuple[Pair, ...]] = {}
    async with run.stream("evaluate", before, after, *judges) as stream:
        with run.progress.stage("evaluate", 2 * len(decodings) * len(prompts), "answers") as bar:
            answers: dict[tuple[str, Decoding], list[Completion | str]] = {}
            for name, model in (("before", before), ("after", after)):
                for decoding in decodings:
                    answers[name, decoding] = await _answers(run, stream, plan, model, prompts, decoding)
                    lost = sum(isinstance(one, str) for one in answers[name, decoding])
                    bar.advance(len(prompts), failed=lost)
        for decoding in decodings:
            pairs[decoding] = tuple(
                Pair(prompt, one, other)
                for prompt, one, other in zip(
                    prompts, answers["before", decoding], answers["after", decoding], strict=True
                )
                if isinstance(one, Completion) and isinstance(other, Completion)
            )
            lost = len(prompts) - len(pairs[decoding])
            if lost > run.recipe.max_failed * len(prompts):
                raise StageIncomplete(
                    f"{lost} of {len(prompts)} held-out prompts have no answer, more than max_failed allows; "
                    "run again to ask for them"
                )
        evidence = _evidence(run, pairs, before, after)
        metrics: list[Metric] = []
        warnings: list[str] = []
        with run.progress.stage("measure", len(plan.measures), "evaluators") as bar:
            for measure in plan.measures:
                metrics += await measure.evaluate(evidence)
                warnings += measure.warnings(evidence)
                bar.advance(note=measure.kind)
    write_json(work.file("evaluation/metrics.json"), [metric.model_dump(mode="json") for metric in metrics])
    shown: Decoding = "sample" if "sample" in pairs else decodings[0]
    with writing_jsonl(work.file("evaluation/samples.jsonl")) as write:
        for pair in pairs[shown]:
            write(
                {
                    "prompt": pair.prompt.model_dump(mode="json"),
                    "before": pair.before.model_dump(mode="json"),
                    "after": pair.after.model_dump(mode="json"),
                    "decoding": shown,
                    "changes": {
                        name: list(marks)
                        for measure in plan.measures
                        if shown in measure.needs
                        for name, marks in measure.changes(pair).items()
                    },
                }
            )
    said = [answer for group in answers.values() for answer in group if isinstance(answer, Completion)]
    work.summary.update(
        prompts=len(prompts),
        usage=sum((one.usage for one in said), Usage()).model_dump(),
        cost_usd=round(_judged_usd(run), 6),
        warnings=warnings,
    )


def _judged_usd(run: Run) -> float:
    """What the examiners' replies cost, in this run or in the one that first asked for them."""
    return sum(entry.cost_usd for entry in run.ledger.entries(run=run.opened.name, stage="evaluate"))


async def _answers(
    run: Run, stream: Stream, plan: Evaluate, model: Transformers, prompts: Sequence[Prompt], decoding: Decoding
) -> list[Completion | str]:
    """One answer a prompt, in the order of the prompts, or why there is none."""

    async def answer(prompt: Prompt) -> Completion | str:
        return await complete(
            model,
            prompt,
            temperature=plan.temperature if decoding == "sample" else 0.0,
            top_p=plan.top_p if decoding == "sample" else 1.0,
            max_tokens=plan.max_tokens or run.recipe.sample.max_tokens,
            seed=seed_of(run.recipe.seed, prompt, -1),
        )

    return [result async for _, result in stream.map(answer, prompts, window=4 * window(model))]


def _evidence(run: Run, pairs: dict[Decoding, tuple[Pair, ...]], before: Transformers, after: Transformers) -> Evidence:
    def log_probs(which: Literal["before", "after"], completions: tuple[tuple[Prompt, Completion], ...]) -> list[float]:
        model = before if which == "before" else after
        return model.log_probs([(prompt.messages, completion.text) for prompt, completion in completions])

    judged = run.recipe.dataset is None
    return Evidence(
        constitution=run.constitution,
        pairs=pairs,
        log_probs=log_probs,
        labeler=run.recipe.label,
        candidates=tuple(candidates(run)) if judged else (),
        judgments=tuple(read_jsonl(run.path / "judgments.jsonl", Judgment)) if judged else (),
    )
