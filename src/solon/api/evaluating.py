"""Evaluating by itself: two policies and held-out prompts in, metrics out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from solon.api import given
from solon.api.labeling import Labeled
from solon.api.metrics import Metrics
from solon.api.recipes import refuse_unlike
from solon.api.running import AnyProgress
from solon.api.scratch import LEDGER, NAME, NO_CONSTITUTION, GivenLedger, scratch, write_records
from solon.data.artifacts import json_lines
from solon.data.records import Checkpoint, Completion, Constitution, Metric, Prompt, Usage
from solon.data.split import split_key
from solon.errors import DataError, RecipeError
from solon.evaluation.base import Evaluator, Pair
from solon.loops import run_to_end
from solon.recipe_parts import Evaluate
from solon.report.reading import read_json
from solon.stages.evaluate import measured
from solon.stages.run import Run, Stage, policy_model, refuse_problems

GivenEvaluators = str | Mapping[str, Any] | Evaluator | Sequence[str | Mapping[str, Any] | Evaluator]


class Evaluation(Metrics):
    """Metrics by name, with the answers that they are of.

    Attributes:
        answers: the prompts with both policies' answers.
        warnings: what a reader must know before trusting the numbers.
        usage, cost_usd: of whoever was asked; what the ledger answered counts as what it had cost.
    """

    answers: tuple[Pair, ...]
    warnings: tuple[str, ...]
    usage: Usage
    cost_usd: float

    def __init__(self, metrics: Iterable[Metric], answers: Iterable[Pair], summary: Mapping[str, Any]) -> None:
        super().__init__(metrics)
        self.answers = tuple(answers)
        self.warnings = tuple(summary["warnings"])
        self.usage = Usage.model_validate(summary["usage"])
        self.cost_usd = float(summary["cost_usd"])

    @property
    def failed(self) -> list[Metric]:
        """The numbers of which some items could not be measured."""
        return [metric for metric in self.all if metric.failed]


def evaluate(
    policy: given.GivenPolicy,
    prompts: given.GivenPrompts,
    evaluators: GivenEvaluators,
    *,
    against: given.GivenPolicy | None = None,
    constitution: given.GivenConstitution | None = None,
    labels: Labeled | None = None,
    trained_on: given.GivenPrompts | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_tokens: int = 512,
    seed: int = 0,
    ledger: GivenLedger = LEDGER,
    max_usd: float | None = None,
    max_failed: float = 0.25,
    name: str = NAME,
    progress: AnyProgress = True,
) -> Evaluation:
    """Measures a trained policy against another on the same prompts, as ``solon evaluate``.

    Args:
        policy: the trained one: a ``Checkpoint``, a folder or hub id, or a mapping as under ``policy``.
        prompts: to measure on, as ``solon.sample`` takes them; nothing may have been trained on them.
        evaluators: names, mappings as under ``evaluate`` in a recipe, or instances.
        against: the untrained one; what a ``Checkpoint`` began at when left out.
        constitution: for evaluators that judge; that of ``labels`` when left out.
        labels: what was learned from, for evaluators that look at labels.
        trained_on: the prompts that were trained on; one of them among ``prompts`` is an error.
        temperature, top_p, max_tokens, seed: how answers are sampled.
        ledger, max_usd, max_failed, name: as for ``solon.label``.
        progress: whether bars are shown, or where.

    Raises:
        DataError, RecipeError: what was given cannot be used; nothing was asked.
        StageIncomplete: more answers or measurements are missing than ``max_failed`` allows.
    """
    after, before = _both(policy, against)
    found = given.read_prompts(prompts)
    seen = frozenset(split_key(one) for one in (given.read_prompts(trained_on) if trained_on is not None else ()))
    _refuse_trained_on(found, seen)
    remedy = "give a name, a mapping as in a recipe, an instance, or a list of these"
    refuse_unlike(evaluators, (str, Mapping, Evaluator, Iterable), "evaluators", remedy)
    measures = [evaluators] if isinstance(evaluators, str | Mapping | Evaluator) else list(evaluators)
    settings = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens, "prompts": "given"}
    plan = given.read_settings(Evaluate, {"with": measures, **settings}, "evaluate")
    both = policy_model(before), policy_model(after)
    refuse_problems(*both, *plan.measures)
    with scratch(
        constitution=_principles(constitution, labels),
        ledger=ledger,
        name=name,
        progress=progress,
        candidates=labels.candidates if labels is not None else None,
        dataset=None if labels is not None else "given",
        label=labels.labeler if labels is not None else None,
        policy=before,
        train="sft",  # not done: a recipe that evaluates has a trainer
        evaluate=plan,
        seed=seed,
        max_usd=max_usd,
        max_failed=max_failed,
    ) as run:
        if labels is not None:
            write_records(run.path / "judgments.jsonl", labels)
        work = Stage(run, "evaluate")
        run_to_end(measured(run, work, plan, found, both, seen))
        return _left_by(run, work)


def _both(policy: given.GivenPolicy, against: given.GivenPolicy | None) -> tuple[Any, Any]:
    if against is None and not isinstance(policy, Checkpoint):
        raise RecipeError("what is it measured against? Give the untrained policy: evaluate(..., against=...)")
    before = given.policy(policy.base_model if against is None and isinstance(policy, Checkpoint) else against)
    after = given.policy(policy)
    # a checkpoint is run as the policy is that it began at
    alike = {"load_in_4bit": before.load_in_4bit, "dtype": before.dtype, "threads": before.threads}
    if isinstance(policy, Checkpoint):
        after = after.model_copy(update={**alike, "batch_size": before.batch_size})
    return after, before


def _principles(constitution: given.GivenConstitution | None, labels: Labeled | None) -> Constitution:
    if constitution is not None:
        return given.read_constitution(constitution)
    return labels.constitution if labels is not None else NO_CONSTITUTION


def _refuse_trained_on(prompts: Sequence[Prompt], seen: frozenset[str]) -> None:
    if both := [one.text for one in prompts if split_key(one) in seen]:
        raise DataError(
            f"{len(both)} of {len(prompts)} prompts are trained on too, the first being {both[0][:80]!r}: "
            "take them out of one of the two"
        )


def _left_by(run: Run, work: Stage) -> Evaluation:
    folder = run.path / "evaluation"
    metrics = [Metric.model_validate(one) for one in read_json(folder / "metrics.json")]
    rows = [row for _, row in json_lines(folder / "samples.jsonl") if isinstance(row, dict)]
    answers = [
        Pair(
            Prompt.model_validate(row["prompt"]),
            Completion.model_validate(row["before"]),
            Completion.model_validate(row["after"]),
        )
        for row in rows
    ]
    return Evaluation(metrics, answers, work.summary)
