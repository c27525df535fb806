"""A reward model after Bradley and Terry (Ouyang et al. 2022, arXiv:2203.02155, section 3.5), run by TRL.

With ``s`` the number that the model gives to prompt and response:

- per pair: ``-log sigmoid(s(chosen) - s(rejected))``
- plus ``centering`` times the mean of ``(s(chosen) + s(rejected))²``, which keeps rewards around 0 (Eisenstein et al.
  2023, arXiv:2312.09244, equation 2).
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from solon.data.records import Checkpoint, Preference, Record
from solon.trainers.base import Gives, Job, Together
from solon.trainers.gradient import GradientTrainer


class Reward(GradientTrainer):
    """Turns the policy into a model that scores responses, for labeling (``classifier``) or as a reward."""

    kind: ClassVar[str] = "reward"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    consumes: ClassVar[type[Record]] = Preference
    gives: ClassVar[Gives] = "reward model"
    usual_rates: ClassVar[tuple[float, float]] = (1e-5, 1e-4)

    centering: float = Field(
        default=0.01,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the squared sum of a pair's rewards, which keeps them around 0; 0 leaves it out.",
    )

    def train(self, job: Job) -> Checkpoint:
        """Trains on ``job.dataset`` and writes model or adapter, tokenizer and model card into ``job.out``.

        Raises:
            DataError: the dataset holds no preferences, none at all, or rows longer than the model can read.
            RecipeError: the policy cannot be made into a reward model, or not trained as the settings ask.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.reward import train_reward

        return train_reward(self, job)
