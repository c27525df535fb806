"""Supervised fine-tuning: the mean negative log-likelihood of a response's tokens, its end among them.

Run by TRL, or of encoder-decoders by transformers. The prompt's tokens are no part of the loss: what users write is not
to be imitated.
"""

from __future__ import annotations

from typing import ClassVar

from solon.data.records import Checkpoint, Demonstration, Record
from solon.trainers.base import Job, Together
from solon.trainers.gradient import GradientTrainer


class SFT(GradientTrainer):
    """Makes the policy imitate responses: the best of those that were judged, or what revisions ended with."""

    kind: ClassVar[str] = "sft"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    consumes: ClassVar[type[Record]] = Demonstration
    usual_rates: ClassVar[tuple[float, float]] = (2e-5, 2e-4)
    encoder_decoders: ClassVar[bool] = True

    def train(self, job: Job) -> Checkpoint:
        """Trains on ``job.dataset`` and writes model or adapter, tokenizer and model card into ``job.out``.

        Raises:
            DataError: the dataset holds no demonstrations, none at all, or rows longer than the model can read.
            RecipeError: the policy cannot be trained as the settings ask.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.sft import train_sft

        return train_sft(self, job)
