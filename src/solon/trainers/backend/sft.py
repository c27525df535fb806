"""Supervised fine-tuning on TRL's trainer; that of encoder-decoders on transformers'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trl import SFTConfig, SFTTrainer

from solon.data.records import Checkpoint
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.seq2seq import seq2seq_trainer
from solon.trainers.backend.trl import Prepared, train_with_trl
from solon.trainers.base import Job

if TYPE_CHECKING:
    from solon.trainers.sft import SFT

REPORTED = ("mean_token_accuracy", "entropy")


class _Trainer(Resumable, SFTTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    pass


def train_sft(settings: SFT, job: Job) -> Checkpoint:
    """Runs ``SFT.train``; its errors are named there."""
    return train_with_trl(settings, job, sft_trainer, reported=REPORTED)


def sft_trainer(prepared: Prepared) -> Any:
    """TRL's, with the settings in its words; TRL trains no encoder-decoder."""
    if prepared.loaded.apart:
        return seq2seq_trainer(prepared)
    arguments = SFTConfig(**prepared.arguments(), completion_only_loss=True)
    return _Trainer(args=arguments, **prepared.parts())
