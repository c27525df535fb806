"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306), run by TRL.

It learns from single responses that are desirable or not, without pairs. With the log-ratio ``r = log policy(response |
prompt) - log reference(response | prompt)``, summed over the tokens of the response, and ``z``, an estimate of the KL
divergence of the policy from the reference, at least 0 and taken over the batch's prompts with each other's responses:

- a desirable response: ``desirable_weight * (1 - sigmoid(beta * (r - z)))``
- an undesirable one: ``undesirable_weight * (1 - sigmoid(beta * (z - r)))``
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from solon.data.records import Checkpoint, Rating, Record
from solon.trainers.base import Job, Together
from solon.trainers.gradient import GradientTrainer


class KTO(GradientTrainer):
    """Makes desirable responses likelier and undesirable ones less likely, relative to the untrained policy."""

    kind: ClassVar[str] = "kto"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    consumes: ClassVar[type[Record]] = Rating

    beta: float = Field(
        default=0.1,
        gt=0,
        allow_inf_nan=False,
        description="How dear it is to leave the reference: larger stays nearer.",
    )
    desirable_weight: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Weight of desirable responses; by default 1, or more where there are fewer of them, so that both "
        "classes weigh the same.",
    )
    undesirable_weight: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Weight of undesirable responses; by default as `desirable_weight`.",
    )
    precompute_reference: bool = Field(
        default=True,
        description="Ask the reference once, before training: no second model in memory, faster from the second epoch. "
        "`false` asks it at every step.",
    )
    batch_size: int = Field(
        default=8,
        ge=2,
        description="Rows in memory at once; at least 2, since the KL divergence is estimated by pairing each prompt "
        "with another's response.",
    )

    def weights(self, desirable: int, undesirable: int) -> tuple[float, float]:
        """The weights of the two classes for so many rows of each, both above 0.

        What is not set makes the classes weigh the same: the rarer one is raised (equation 8 of the paper, at the lower
        end of its range).
        """
        good, bad = self.desirable_weight, self.undesirable_weight
        if good is None and bad is None:
            return max(1.0, undesirable / desirable), max(1.0, desirable / undesirable)
        if good is None:
            assert bad is not None
            return bad * undesirable / desirable, bad
        return good, good * desirable / undesirable if bad is None else bad

    def _uneven(self, count: int) -> str:
        if (uneven := super()._uneven(count)) or self._shared(count)[0] > 1:
            return uneven
        sees = f"a step sees {self.batch_size * self.gradient_accumulation} rows, of which each of {count} processes"
        return f"{sees} would have one at once, and kto needs two: raise batch_size or take fewer processes"

    def train(self, job: Job) -> Checkpoint:
        """Trains on ``job.dataset`` and writes model or adapter, tokenizer and model card into ``job.out``.

        Raises:
            DataError: the dataset holds no ratings, none at all, those of one class alone, or rows longer than the
                model can read.
            RecipeError: the policy cannot be trained as the settings ask.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.kto import train_kto

        return train_kto(self, job)
