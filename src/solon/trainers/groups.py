"""What GRPO and RLOO are both set by: groups of completions of one prompt, each measured against the others."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, PositiveInt, model_validator

from solon.trainers.rewards import RewardTrainer


class GroupTrainer(RewardTrainer):
    """Base of trainers that sample a group of completions of each prompt and compare their rewards."""

    usual_rates: ClassVar[tuple[float, float]] = (1e-6, 1e-5)

    epochs: PositiveInt = Field(default=1, description="How often each prompt is answered by a group of completions.")
    batch_size: PositiveInt = Field(default=8, description="Completions in memory at once when the policy learns.")
    gradient_accumulation: PositiveInt = Field(
        default=4,
        description="Batches that make one optimizer step: `batch_size` times as many completions are sampled for it.",
    )
    num_generations: PositiveInt = Field(
        default=8, ge=2, description="Completions of a prompt, whose rewards are compared."
    )
    max_new_tokens: PositiveInt = Field(default=256, description="Longest completion, in tokens.")
    temperature: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Of sampling; likelihoods are taken at the same."
    )
    epsilon_high: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="How far above 1 it may be; as `epsilon` when left out."
    )
    num_iterations: PositiveInt = Field(
        default=1,
        description="Optimizer steps that learn from the same completions. Going on after a kill gives the same "
        "weights with 1 only.",
    )
    mask_truncated_completions: bool = Field(
        default=False, description="Leave completions out of the loss that were cut off at `max_new_tokens`."
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.completions_a_step % self.num_generations:
            raise ValueError(
                f"a step samples batch_size x gradient_accumulation = {self.completions_a_step} completions, which are "
                f"no whole groups of num_generations {self.num_generations}: make it a multiple"
            )
        return self

    @property
    def completions_a_step(self) -> int:
        """Completions that are sampled for an optimizer step."""
        return self.batch_size * self.gradient_accumulation

    @property
    def steps_a_scoring(self) -> int:
        """``num_iterations``."""
        return self.num_iterations

    def completions_of(self, prompts: int) -> tuple[int, int]:
        """A group for each prompt, once an epoch, or as many as ``max_steps`` take."""
        if self.max_steps is None:
            return self.num_generations, prompts * self.epochs
        groups_a_step = self.completions_a_step // self.num_generations
        return self.num_generations, -(-self.max_steps // self.num_iterations) * groups_a_step
