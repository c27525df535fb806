"""DPO on TRL's trainer: the policy, its frozen reference, the settings in TRL's words, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow as pa
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer

from solon.data.records import Checkpoint
from solon.errors import RecipeError
from solon.models.backend.loading import Loaded, load
from solon.plugins.base import located
from solon.trainers.backend.length import refuse_too_long
from solon.trainers.backend.reporting import Reporter
from solon.trainers.backend.runtime import deterministic, memory_boundary, package_versions, switch_dropout_off
from solon.trainers.backend.saving import Configuration, save_adapter, save_full, stored_dtype
from solon.trainers.base import Job, Lora, Policy
from solon.trainers.card import model_card
from solon.trainers.dataset import Rows, read_rows

if TYPE_CHECKING:
    from solon.trainers.dpo import DPO


def train_dpo(settings: DPO, job: Job) -> Checkpoint:
    """Runs ``DPO.train``; its errors are named there."""
    _check_policy(settings, job.policy)
    rows = read_rows(job.dataset, settings.consumes, trainer=settings.kind)
    with deterministic(job.seed), memory_boundary(_ways_to_save_memory(settings)):
        loaded = _load(job.policy, full=settings.lora is None)
        refuse_too_long(rows, loaded, job.dataset, max_length=settings.max_length)
        configuration = Configuration.of(loaded.network)
        trainer, reporter = _trainer(settings, job, loaded, rows)
        trainer.train()
        base = located(job.policy.model)
        if settings.lora is None:
            dtype = stored_dtype(base)
            save_full(trainer.model, loaded.tokenizer, job.out, dtype=dtype, configuration=configuration)
        else:
            save_adapter(trainer.model, loaded.tokenizer, job.out, base_model=str(job.policy.model))
    checkpoint = Checkpoint(
        path=".",
        base_model=str(job.policy.model),
        form="full" if settings.lora is None else "lora",
        trainer=settings.kind,
        dataset=rows.id,
        metrics=reporter.last,
    )
    card = model_card(
        checkpoint,
        on_hub=not Path(base).is_dir(),
        settings={**settings.settings(), "learning_rate": settings.peak_learning_rate},
        rows=rows.counts(),
        seed=job.seed,
        versions=package_versions(),
    )
    (job.out / "README.md").write_text(card, encoding="utf-8")  # over the one that PEFT writes, which knows less
    return checkpoint


def _check_policy(settings: DPO, policy: Policy) -> None:
    if settings.lora is None and policy.load_in_4bit:
        raise RecipeError("policy.load_in_4bit: 4-bit weights cannot be trained themselves; add `lora: {}` to train")
    if settings.lora is not None and policy.adapter is not None:
        raise RecipeError(
            "policy.adapter: a new adapter cannot be trained on top of another; "
            "merge it into the model first, or leave train.lora out to train all weights of the two together"
        )


def _load(policy: Policy, *, full: bool) -> Loaded:
    adapter = located(policy.adapter) if policy.adapter is not None else None
    loaded = load(
        located(policy.model),
        adapter=adapter,
        # weights that are trained need more digits than an update of 1e-6 leaves in bfloat16
        dtype="float32" if full and policy.dtype == "auto" else policy.dtype,
        load_in_4bit=policy.load_in_4bit,
        threads=policy.threads,
        merge=adapter is not None,
    )
    if full:
        loaded.model.requires_grad_(True)  # PEFT leaves the weights that it merges an adapter into frozen
    switch_dropout_off(loaded.model)
    return loaded


def _trainer(settings: DPO, job: Job, loaded: Loaded, rows: Rows) -> tuple[Any, Reporter]:
    reporter = Reporter(job.report, remedy="lower train.learning_rate, or look for broken weights in policy.model")
    needs_reference_model = settings.lora is None and not settings.precompute_reference
    trainer = DPOTrainer(
        model=loaded.model,
        ref_model=_load(job.policy, full=True).model if needs_reference_model else None,
        args=_arguments(settings, job, loaded, evaluate=rows.test is not None),
        train_dataset=_in_memory(rows.train),
        eval_dataset=_in_memory(rows.test) if rows.test is not None else None,
        processing_class=loaded.tokenizer,
        callbacks=[reporter],
        peft_config=_lora_config(settings.lora) if settings.lora is not None else None,
    )
    return trainer, reporter


def _arguments(settings: DPO, job: Job, loaded: Loaded, *, evaluate: bool) -> DPOConfig:
    on_gpu = loaded.device.type == "cuda"
    return DPOConfig(
        output_dir=str(job.out),
        beta=settings.beta,
        loss_type=[settings.loss, "sft"] if settings.sft_weight else [settings.loss],
        loss_weights=[1.0, settings.sft_weight] if settings.sft_weight else [1.0],
        max_length=None,  # nothing is cut: rows that are too long were refused
        disable_dropout=False,  # done already, before the adapters came in
        precompute_ref_log_probs=settings.precompute_reference,
        precompute_ref_batch_size=2 * settings.batch_size,  # no gradients to keep
        learning_rate=settings.peak_learning_rate,
        lr_scheduler_type="constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
        warmup_steps=settings.warmup_ratio,  # below 1 it is a share
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=2 * settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        eval_strategy="epoch" if evaluate else "no",
        prediction_loss_only=True,
        seed=job.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would show the last good loss in place of NaN
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=not on_gpu,
        bf16=on_gpu,
        gradient_checkpointing=on_gpu,
        dataloader_pin_memory=on_gpu,
    )


def _lora_config(lora: Lora) -> LoraConfig:
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _in_memory(table: pa.Table) -> datasets.Dataset:
    """As a dataset without a file behind it, so that what TRL derives from it is not cached in the user's home."""
    return datasets.Dataset(table)


def _ways_to_save_memory(settings: DPO) -> list[str]:
    ways = []
    if settings.batch_size > 1:
        ways.append(
            f"lower train.batch_size (now {settings.batch_size}) and raise train.gradient_accumulation "
            f"(now {settings.gradient_accumulation}) as much"
        )
    if settings.lora is None:
        ways.append("train an adapter: `lora: {r: 16}`")
    return [*ways, "take shorter responses (sample.max_tokens)", "take a smaller policy"]
