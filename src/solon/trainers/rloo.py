"""REINFORCE leave-one-out (Ahmadian et al. 2024, arXiv:2402.14740), run by TRL.

The advantage ``A`` of a completion is its reward less the mean reward of the others of its group, where a reward has
``beta`` times the log-ratio of policy and reference taken off. The loss of a completion is ``-w A``, clipped as PPO's,
with ``w`` the ratio of its likelihood to that under the policy that sampled it.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from solon.data.records import Checkpoint
from solon.trainers.base import Job, Together
from solon.trainers.groups import GroupTrainer


class RLOO(GroupTrainer):
    """Makes completions likelier that are rewarded above the mean of the others of their group."""

    kind: ClassVar[str] = "rloo"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")

    beta: float = Field(
        default=0.05,
        ge=0,
        allow_inf_nan=False,
        description="Reward that a nat away from the reference costs; 0 loads none.",
    )
    epsilon: float = Field(
        default=0.2, gt=0, lt=1, description="How far a likelihood ratio may be from 1 before it is clipped."
    )
    normalize_advantages: bool = Field(
        default=False, description="Measure advantages in deviations from their mean over the step."
    )

    def train(self, job: Job) -> Checkpoint:
        """As ``GRPO.train``."""
        self.choose_backend(job.policy)
        from solon.trainers.backend.grpo import train_rloo

        return train_rloo(self, job)
