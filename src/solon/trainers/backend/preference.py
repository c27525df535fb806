"""DPO on TRL's trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trl import DPOConfig, DPOTrainer

from solon.data.records import Checkpoint
from solon.trainers.backend.few_scores import FewScoresOffline
from solon.trainers.backend.precomputing import Precomputing
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


class _Trainer(Resumable, Precomputing, FewScoresOffline, DPOTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    pass


def train_dpo(settings: DPO, job: Job) -> Checkpoint:
    """Runs ``DPO.train``; its errors are named there."""
    return train_with_trl(settings, job, lambda prepared: dpo_trainer(settings, prepared), reported=REPORTED)


def dpo_trainer(settings: DPO, prepared: Prepared, reference: Any = None) -> Any:
    """TRL's, with the settings in its words.

    Args:
        settings: the trainer's.
        prepared: what it is made of.
        reference: a model to compare with; by default the policy as it is now, its new adapters aside.
    """
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
    own = prepared.reference(precomputed=settings.precompute_reference)
    return _Trainer(args=arguments, **prepared.parts(), **(own if reference is None else {"ref_model": reference}))
