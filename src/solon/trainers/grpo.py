"""Group relative policy optimisation (Shao et al. 2024, arXiv:2402.03300, section 4.1) and its kin, run by TRL.

The advantage of a completion is its reward less the mean reward of its group, in deviations of the group:
``A_i = (r_i - mean(r)) / std(r)``. With ``w`` the ratio of a token's likelihood to that under the policy that sampled
it, the token's loss is ``-min(w A, clip(w, 1 - epsilon, 1 + epsilon_high) A)``, plus ``beta w (e^d - d - 1)`` with
``d = log reference - log policy``: an estimate of the KL divergence from the reference that, with the ratio before it,
has that divergence's gradient too (DeepSeek-AI 2025, arXiv:2512.02556). The losses differ in how tokens are averaged:

- ``grpo``: over each completion, then over completions, so that tokens of long ones count less.
- ``dapo``: over all tokens of the step (Yu et al. 2025, arXiv:2503.14476).
- ``dr_grpo``: sums, divided by the constant ``max_new_tokens``; and rewards are not divided by their deviation (Liu et
  al. 2025, arXiv:2503.20783).
- ``gspo``: as ``grpo``, with one ratio a completion: the geometric mean of those of its tokens (Zheng et al. 2025,
  arXiv:2507.18071).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from solon.data.records import Checkpoint
from solon.trainers.base import Job, Together
from solon.trainers.groups import GroupTrainer


class GRPO(GroupTrainer):
    """Makes completions likelier that are rewarded above the others of their group."""

    kind: ClassVar[str] = "grpo"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")

    loss: Literal["dapo", "grpo", "dr_grpo", "gspo"] = Field(
        default="dapo", description="How tokens are averaged, and ratios taken: see the table."
    )
    beta: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="How dear it is to leave the reference; 0 loads none. 0.001 to 0.1 is usual.",
    )
    epsilon: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="How far a likelihood ratio may be from 1 before it is clipped; by default 0.2, and 3e-4 with "
        "`gspo`, whose ratios are of whole completions.",
    )
    scale_rewards: Literal["group", "batch", "none"] | None = Field(
        default=None,
        description="Whose deviation rewards are divided by; by default the group's, and with `dr_grpo` none.",
    )

    @property
    def clipped_at(self) -> float:
        """``epsilon``, or what goes with the loss."""
        return self.epsilon or (3e-4 if self.loss == "gspo" else 0.2)

    @property
    def scaled_by(self) -> Literal["group", "batch", "none"]:
        """``scale_rewards``, or what goes with the loss."""
        return self.scale_rewards or ("none" if self.loss == "dr_grpo" else "group")

    def train(self, job: Job) -> Checkpoint:
        """Answers the prompts of ``job.dataset``, learns from the rewards, and writes the policy into ``job.out``.

        Raises:
            DataError: the dataset holds no prompts, or some that leave no room for a completion.
            RecipeError: the policy cannot be trained as the settings ask.
            StageIncomplete: more rewards are missing than ``max_failed`` allows.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.grpo import train_grpo

        return train_grpo(self, job)
