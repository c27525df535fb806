"""What all trainings on TRL share: the policy, the settings in TRL's words, going on after a kill, what is left.

A kind adds which of TRL's trainers it is, and what is its own: see ``sft.py``, the shortest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets
import pyarrow as pa

from solon.data.records import Checkpoint
from solon.errors import RecipeError
from solon.models.backend.loading import Loaded
from solon.plugins.base import located
from solon.trainers.backend import network
from solon.trainers.backend.breaking_off import leaving_the_last_good
from solon.trainers.backend.divided import divide_of_trainer
from solon.trainers.backend.length import fitted
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.reporting import REMEDY, Reporter
from solon.trainers.backend.resuming import Keeper, checkpoint_in, newest
from solon.trainers.backend.runtime import deterministic, memory_boundary, package_versions
from solon.trainers.backend.saving import Configuration, save_trained
from solon.trainers.backend.turns import in_turns
from solon.trainers.backends import Choice
from solon.trainers.base import Gives, Job, Lora, Policy
from solon.trainers.card import model_card
from solon.trainers.dataset import Rows, read_rows
from solon.trainers.gradient import GradientTrainer
from solon.trainers.several import Place


@dataclass(frozen=True)
class Prepared:
    """What a kind makes its trainer of.

    Attributes:
        settings: the trainer's.
        job: what was asked for.
        loaded: the model to train, with its tokenizer.
        rows: what it learns from, none of them too long.
        adapted: whether the model has its new adapters already.
    """

    settings: GradientTrainer
    job: Job
    loaded: Loaded
    rows: Rows
    adapted: bool = False

    def arguments(self) -> dict[str, Any]:
        """The arguments that all of TRL's configurations have."""
        settings, on_gpu = self.settings, self.loaded.device.type == "cuda"
        at_once, batches = settings.of_a_process(Processes.here().count)
        return {
            "output_dir": str(self.job.kept),
            "max_length": None,  # nothing is cut: rows that are too long were refused
            "learning_rate": settings.peak_learning_rate,
            "lr_scheduler_type": "constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
            "warmup_steps": settings.warmup_ratio,  # below 1 it is a share
            "num_train_epochs": settings.epochs,
            "max_steps": settings.max_steps or -1,
            "per_device_train_batch_size": at_once,
            "per_device_eval_batch_size": 2 * at_once,  # no gradients to keep
            "gradient_accumulation_steps": batches,
            "eval_strategy": "epoch" if self.rows.test is not None else "no",
            "prediction_loss_only": True,
            "seed": self.job.seed,
            "logging_steps": 1,
            "logging_nan_inf_filter": False,  # it would show the last good loss in place of NaN
            "save_strategy": "no",  # Keeper says when
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": not on_gpu,
            "bf16": on_gpu,
            "gradient_checkpointing": on_gpu,
            "dataloader_pin_memory": on_gpu,
        }

    def parts(self, task: Literal["CAUSAL_LM", "SEQ_CLS"] = "CAUSAL_LM") -> dict[str, Any]:
        """The model, its tokenizer, the rows and the adapter, as all of TRL's trainers take them."""
        lora = None if self.adapted else self.settings.lora
        return {
            "model": self.loaded.model,
            "train_dataset": _in_memory(self.rows.train),
            "eval_dataset": _in_memory(self.rows.test) if self.rows.test is not None else None,
            "processing_class": self.loaded.tokenizer,
            "peft_config": network.adapters(lora, task=task) if lora is not None else None,
        }

    def reference(self, *, precomputed: bool) -> dict[str, Any]:
        """The frozen policy, for trainers that compare with it at every step and have no adapter to switch off."""
        needed = self.settings.lora is None and not precomputed
        return {"ref_model": load_policy(self.job.policy, full=True).model if needed else None}


def train_with_trl(
    settings: GradientTrainer,
    job: Job,
    make: Callable[[Prepared], Any],
    *,
    reported: Sequence[str],
    arrange: Callable[[Rows], Rows] = lambda rows: rows,
    load_model: Callable[[Policy, bool], Loaded] | None = None,
    gives: Gives = "policy",
) -> Checkpoint:
    """Trains, going on from what an earlier process kept; what ``Trainer.train`` of each kind does.

    Args:
        settings: the trainer's.
        job: what is asked for.
        make: a ``Resumable`` trainer of TRL from what it is given.
        reported: the names of the numbers to report, without those that every training has.
        arrange: checks and orders the rows before anything is loaded.
        load_model: loads what is trained, all of its weights or not, perhaps with an adapter to go on with; the policy
            if left out.
        gives: what the model card calls it.
    """
    check_policy(settings, job.policy)
    choice = settings.choose_backend(job.policy)
    processes = Processes.joined()  # before loading: each has a GPU of its own
    rows = arrange(read_rows(job.dataset, settings.consumes, trainer=settings.kind))
    earlier = newest(job.kept)
    reporter = Reporter(job.report, reported, remedy=REMEDY)
    if earlier is not None:
        reporter.last = dict(job.go_on_from(earlier[0]))
        reporter.keep()
    with deterministic(job.seed), memory_boundary(ways_to_save_memory(settings)):
        full = settings.lora is None
        if load_model is not None:
            loaded, fresh = load_model(job.policy, full), False
            adapted = hasattr(loaded.model, "peft_config")
        else:
            trainable = network.load_policy(
                job.policy, choice, lora=settings.lora, seed=job.seed, max_length=settings.max_length
            )
            loaded, adapted = trainable.loaded, trainable.adapted
            fresh = adapted
        settings.refuse_encoder_decoder(loaded.apart)  # again: of a hub id it may be known only now
        rows, spelt = in_turns(rows, loaded.chat)
        rows, changed = fitted(settings, rows, loaded, job.dataset)
        configuration = Configuration.of(loaded.network)
        trainer = make(Prepared(settings, job, loaded, rows, adapted))
        if not full:
            network.settle_adapters(trainer.model, fresh=fresh)
        if processes.divided:
            divide_of_trainer(trainer)
        trainer.add_callback(reporter)
        trainer.add_callback(Keeper(settings.steps_between_saves(_steps(trainer))))

        def leave(job: Job, numbers: Mapping[str, float]) -> Checkpoint:
            save_trained(trainer.model, loaded.tokenizer, job, full=full, configuration=configuration)
            return described(settings, job, rows, {**numbers, **changed, **spelt}, gives, apart=loaded.apart)

        def restore(kept: Path) -> Mapping[str, float]:
            trainer._load_from_checkpoint(str(checkpoint_in(kept)))
            return reporter.kept

        with leaving_the_last_good(job, restore, leave):
            trainer.train(resume_from_checkpoint=None if earlier is None else str(earlier[1]))
            return leave(job, reporter.last)


def check_policy(settings: GradientTrainer, policy: Policy) -> None:
    """Refuses what cannot be trained as the settings ask.

    Raises:
        RecipeError: 4-bit weights without an adapter or divided among processes, or an adapter on top of another.
    """
    if (settings.fsdp or Place.here().divided) and policy.load_in_4bit:
        raise RecipeError(
            "policy.load_in_4bit: 4-bit weights cannot be divided among processes (FSDP); leave it out, or train.fsdp, "
            "or start them as DDP"
        )
    if settings.lora is None and policy.load_in_4bit:
        raise RecipeError("policy.load_in_4bit: 4-bit weights cannot be trained themselves; add `lora: {}` to train")
    if settings.lora is not None and policy.adapter is not None:
        raise RecipeError(
            "policy.adapter: a new adapter cannot be trained on top of another; "
            "merge it into the model first, or leave train.lora out to train all weights of the two together"
        )


def load_policy(policy: Policy, *, full: bool) -> Loaded:
    """The policy, its adapter merged into it, with its own dropout switched off; not by Unsloth.

    Args:
        policy: which.
        full: whether all of its weights are trained.
    """
    choice = Choice("bitsandbytes" if policy.load_in_4bit else "plain", "the policy says so")
    return network.load_policy(policy, choice, lora=None if full else Lora(), seed=0).loaded


def _steps(trainer: Any) -> int:
    """How many steps there will be."""
    *_, steps = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())
    return int(steps)


def described(
    settings: GradientTrainer,
    job: Job,
    rows: Rows,
    metrics: Mapping[str, float],
    gives: Gives,
    *,
    apart: bool,
) -> Checkpoint:
    """The checkpoint in ``job.out``, to which the model card is added; ``apart`` if it is an encoder-decoder's."""
    checkpoint = Checkpoint(
        path=".",
        base_model=str(job.policy.model),
        form="full" if settings.lora is None else "lora",
        trainer=settings.kind,
        dataset=rows.id,
        metrics=dict(metrics),
    )
    card = model_card(
        checkpoint,
        on_hub=not Path(located(job.policy.model)).is_dir(),
        settings={**settings.effects(), "learning_rate": settings.peak_learning_rate},
        rows=rows.counts(),
        seed=job.seed,
        versions=package_versions(),
        gives=gives,
        apart=apart,
    )
    if Processes.here().first:
        (job.out / "README.md").write_text(card, encoding="utf-8")  # over the one that PEFT writes, which knows less
    return checkpoint


def _in_memory(table: pa.Table) -> datasets.Dataset:
    """As a dataset without a file behind it, so that what TRL derives from it is not cached in the user's home."""
    return datasets.Dataset(table)


def ways_to_save_memory(settings: GradientTrainer) -> list[str]:
    """What to do when memory runs out, as clauses."""
    ways = []
    if settings.batch_size > 1:
        ways.append(
            f"lower train.batch_size (now {settings.batch_size}) and raise train.gradient_accumulation "
            f"(now {settings.gradient_accumulation}) as much"
        )
    if settings.lora is None:
        ways.append("train an adapter: `lora: {r: 16}`")
    return [*ways, "take shorter responses (sample.max_tokens)", "take a smaller policy"]
