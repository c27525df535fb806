"""DPO on TRL's trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trl import DPOConfig, DPOTrainer

from solon.data.records import Checkpoint
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.trl import Prepared, train_with_trl
from solon.trainers.base import Job

if TYPE_CHECKING:
    from solon.trainers.dpo import DPO

REPORTED = (
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "rewards/accuracies",
    "logps/chosen",
    "logps/rejected",
)


class _Trainer(Resumable, DPOTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    pass


def train_dpo(settings: DPO, job: Job) -> Checkpoint:
    """Runs ``DPO.train``; its errors are named there."""
    return train_with_trl(settings, job, lambda prepared: dpo_trainer(settings, prepared), reported=REPORTED)


def dpo_trainer(settings: DPO, prepared: Prepared) -> Any:
    """TRL's, with the settings in its words."""
    arguments = DPOConfig(
        **prepared.arguments(),
        beta=settings.beta,
        loss_type=[settings.loss, "sft"] if settings.sft_weight else [settings.loss],
        loss_weights=[1.0, settings.sft_weight] if settings.sft_weight else [1.0],
        label_smoothing=settings.label_smoothing,
        disable_dropout=False,  # done already, before the adapters came in
        precompute_ref_log_probs=settings.precompute_reference,
        precompute_ref_batch_size=2 * settings.batch_size,
    )
    reference = prepared.reference(precomputed=settings.precompute_reference)
    return _Trainer(args=arguments, **prepared.parts(), **reference)
