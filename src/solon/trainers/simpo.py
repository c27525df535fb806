"""Simple preference optimisation (Meng et al. 2024, arXiv:2405.14734): a reward without a reference policy.

With ``m`` the mean log-probability of a response's tokens under the policy, and ``gamma_ratio`` the paper's
gamma / beta: ``-log sigmoid(beta * (m(chosen) - m(rejected) - gamma_ratio))`` (equation 6).

Plus ``sft_weight`` times the mean negative log-likelihood of the tokens of the chosen responses, as in CPO (Xu et al.
2024, arXiv:2401.08417).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from pydantic import Field

from solon.data.records import Checkpoint, Preference, Record
from solon.trainers.base import Job, Together
from solon.trainers.gradient import GradientTrainer


class SimPO(GradientTrainer):
    """Makes the chosen response likelier a token than the rejected one, by a margin and without a reference policy."""

    kind: ClassVar[str] = "simpo"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    consumes: ClassVar[type[Record]] = Preference
    usual_rates: ClassVar[tuple[float, float]] = (1e-6, 1e-5)

    beta: float = Field(
        default=2.0,
        gt=0,
        allow_inf_nan=False,
        description="By how much a nat a token counts; the paper takes 2 to 2.5 for most models, up to 10.",
    )
    gamma_ratio: float = Field(
        default=0.5,
        ge=0,
        allow_inf_nan=False,
        description="Margin that is aimed at, in nats a token: gamma / beta of the paper, which takes 0.3 to 0.8 for "
        "most models.",
    )
    sft_weight: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the likelihood of the chosen responses, which holds the policy where no reference does; "
        "0 leaves it out.",
    )

    def train(self, job: Job) -> Checkpoint:
        """Trains on ``job.dataset`` and writes model or adapter, tokenizer and model card into ``job.out``.

        Raises:
            DataError: the dataset holds no preferences, none at all, or rows longer than the model can read.
            RecipeError: the policy cannot be trained as the settings ask.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.losses import simpo_loss
        from solon.trainers.backend.pairwise import train_pairs

        loss = partial(simpo_loss, beta=self.beta, gamma_ratio=self.gamma_ratio, sft_weight=self.sft_weight)
        return train_pairs(self, job, loss=loss, beta=self.beta)
