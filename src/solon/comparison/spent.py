"""What an entry took: time, memory, models, tokens, judgments and money, read from the runs that it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from solon.comparison.record import Spent
from solon.data.artifacts import read_jsonl
from solon.data.records import Candidates
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.models.remote import RemoteModel
from solon.recipe import Recipe
from solon.report.reading import read_json
from solon.report.summary import Summary
from solon.report.wording import counted
from solon.stages.train import DATASET_OF
from solon.trainers.gradient import GradientTrainer
from solon.trainers.memory import ONLINE
from solon.trainers.prompted import PromptTrainer
from solon.trainers.selfplay import SelfPlay
from solon.trainers.used import Used

_LENGTHS = ("lengths/mean", "completions/mean_length")


@dataclass(frozen=True)
class Done:
    """One run of an entry: its directory, its recipe and its summary."""

    run_dir: Path
    recipe: Recipe
    summary: Summary


def spent(runs: Sequence[Done]) -> Spent:
    """What they took together."""
    each = [_used(run.run_dir) for run in runs]
    on_gpus = [used.gpu_gib for used in each if used.gpu_gib is not None]
    trained = runs[-1].summary.trained
    told = trained.checkpoint.metrics if trained is not None else {}
    tokens = [count for run in runs for count in _tokens(run)]
    return Spent(
        used=Used(
            seconds=round(math.fsum(used.seconds for used in each), 2),
            cpu_seconds=round(math.fsum(used.cpu_seconds for used in each), 2),
            peak_gib=max((used.peak_gib for used in each), default=0.0),
            gpu_gib=max(on_gpus, default=None),
            beside=max((used.beside for used in each), default=1),
        ),
        models=max((in_memory(run.recipe) for run in runs), key=len, default=()),
        trainable=int(told["parameters/trainable"]) if "parameters/trainable" in told else None,
        parameters=int(told["parameters/all"]) if "parameters/all" in told else None,
        rows=_rows(runs[-1]),
        learned=", then ".join(_learned(run) for run in runs),
        tokens=None if None in tokens else sum(count for count in tokens if count is not None),
        judged=sum(_judged(run) for run in runs),
        usd=round(math.fsum(_usd(run.summary) for run in runs), 6),
    )


def in_memory(recipe: Recipe) -> tuple[str, ...]:
    """The models that a training has in memory beside each other.

    Adapters share their base, and so do a value and a reward model that are adapters on the policy's.
    """
    trainer, policy = recipe.train, recipe.policy
    if trainer is None or policy is None:
        return ()
    models = ["policy"]
    # selfplay asks the reference before it trains, as dpo does; without a price on leaving it none is loaded
    asks = trainer.kind in ONLINE and trainer.kind != "selfplay" and getattr(trainer, "beta", 1.0) > 0
    if asks and isinstance(trainer, GradientTrainer) and trainer.lora is None:
        models.append("reference")
    own = [model for labeler in trainer.labelers() for model in _local(labeler)]
    for model in {model.identity(): model for model in own}.values():
        adapter, base = getattr(model, "adapter", None), getattr(model, "model", None)
        if trainer.kind == "ppo" and adapter is not None and str(base) == str(policy.model) and policy.adapter is None:
            continue
        models.append(f"{model.name}, which rewards")
    return tuple(models)


def _local(labeler: Labeler) -> Iterator[ChatModel]:
    for model in labeler.models():
        if not isinstance(model, RemoteModel) and getattr(model, "model", None) is not None:
            yield model


def _used(run_dir: Path) -> Used:
    """Of the training; nothing where the run was made by a version that did not measure it."""
    file = run_dir / "timings.json"
    timings = read_json(file) if file.is_file() else {}
    return Used.model_validate(timings.get("train", {}).get("training", {}))


def _rows(run: Done) -> int:
    trainer, built = run.recipe.train, run.summary.built
    if trainer is None or built is None:
        return 0
    split = built.datasets.get(_dataset(run))
    return split.train if split is not None else 0


_ROWS_OF = {"preference": "pair", "unpaired": "answer", "sft": "demonstration", "prompts": "prompt"}


def _learned(run: Done) -> str:
    """What a training learned from, in words."""
    return counted(_rows(run), _ROWS_OF.get(_dataset(run), "row"))


def _dataset(run: Done) -> str:
    return DATASET_OF.get(run.recipe.train.consumes, "") if run.recipe.train is not None else ""


def _tokens(run: Done) -> Iterator[int | None]:
    """Sampled before training, and while it trained."""
    if run.summary.sampled is not None:
        yield run.summary.sampled.usage.output_tokens
    trainer = run.recipe.train
    if isinstance(trainer, SelfPlay):
        rounds = sorted((run.run_dir / "checkpoints" / trainer.kind / "rounds").glob("*/candidates.jsonl"))
        for file in rounds:
            yield sum(answer.usage.output_tokens for one in read_jsonl(file, Candidates) for answer in one.completions)
    elif isinstance(trainer, PromptTrainer):
        means = [step[name] for step in run.summary.steps for name in _LENGTHS if name in step]
        yield round(_completions(trainer, run) * math.fsum(means) / len(means)) if means else None


def _completions(trainer: PromptTrainer, run: Done) -> int:
    at_once, prompts = trainer.completions_of(_rows(run))
    last = run.summary.steps[-1] if run.summary.steps else {}
    done = last["step"] / last["steps"] if last.get("steps") else 1.0  # less where an alarm ended it
    return round(at_once * prompts * done)


def _judged(run: Done) -> int:
    labeled, trainer = run.summary.labeled, run.recipe.train
    count = labeled.judgments if labeled is not None else 0
    if isinstance(trainer, SelfPlay):
        rounds = (run.run_dir / "checkpoints" / trainer.kind / "rounds").glob("*/judgments.jsonl")
        return count + sum(1 for file in rounds for line in file.read_bytes().splitlines() if line.strip())
    if isinstance(trainer, PromptTrainer):
        count += _completions(trainer, run) * len(trainer.teachers())
    return count


def _usd(summary: Summary) -> float:
    stages = (summary.sampled, summary.labeled, summary.trained)
    return math.fsum(stage.cost_usd for stage in stages if stage is not None)
