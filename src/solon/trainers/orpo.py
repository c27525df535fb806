"""Odds ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): imitation and preference in one loss.

With ``p`` the geometric mean of the probabilities of a response's tokens under the policy and ``odds = p / (1 - p)``:
``nll(chosen) - beta * log sigmoid(log(odds(chosen) / odds(rejected)))`` (equations 4, 6 and 7; beta is their lambda).
``nll`` is the mean negative log-likelihood of the chosen responses' tokens.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from pydantic import Field

from solon.data.records import Checkpoint, Preference, Record
from solon.trainers.base import Job, Together
from solon.trainers.gradient import GradientTrainer


class ORPO(GradientTrainer):
    """Learns the chosen responses and, by the same loss, to prefer them; no reference policy, no SFT before it."""

    kind: ClassVar[str] = "orpo"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    consumes: ClassVar[type[Record]] = Preference
    usual_rates: ClassVar[tuple[float, float]] = (8e-6, 8e-5)

    beta: float = Field(
        default=0.1,
        gt=0,
        allow_inf_nan=False,
        description="Weight of the preference beside the likelihood of the chosen responses: the paper's lambda, "
        "which is 0.1 to 1 there.",
    )
    prompt_loss: bool = Field(
        default=False,
        description="Learn the prompts of the chosen responses as well, as TRL's ORPO does; the paper does not.",
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
        from solon.trainers.backend.losses import orpo_loss
        from solon.trainers.backend.pairwise import train_pairs

        return train_pairs(self, job, loss=partial(orpo_loss, beta=self.beta), beta=self.beta, prompts=self.prompt_loss)
