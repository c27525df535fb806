"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) of a language model, ours from end to end.

In every step the policy answers prompts, the answers are rewarded, and the policy takes a few steps towards what
earned more than was expected, never far from where it was. ``solon.trainers.backend.ppo.algorithm`` has the formulas,
and which detail is whose; the defaults are those of Huang et al. 2024 (arXiv:2403.17031).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from solon.data.records import Checkpoint
from solon.plugins.base import Location
from solon.trainers.base import Job, Lora, Together
from solon.trainers.rewards import RewardTrainer

_FASTER = 5
"""How much faster the value learns than the policy, which must stay near what it was."""


class PPO(RewardTrainer):
    """Makes likelier what a reward prefers, with a learned value as the measure of what was to be expected."""

    kind: ClassVar[str] = "ppo"
    encoder_decoders: ClassVar[bool] = True
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    usual_rates: ClassVar[tuple[float, float]] = (3e-6, 3e-5)

    epochs: PositiveInt = Field(default=1, description="How often each prompt is answered in the whole training.")
    max_steps: PositiveInt | None = Field(
        default=None, description="Rounds of answering and learning to stop after, in place of `epochs`."
    )
    batch_size: PositiveInt = Field(default=16, description="Prompts with their completions in memory at once.")
    minibatches: PositiveInt = Field(
        default=1,
        description="Optimizer steps in which the completions are gone through once. A round answers `batch_size` "
        "times `gradient_accumulation` times `minibatches` prompts: 64 by default.",
    )
    passes: PositiveInt = Field(default=4, description="How often the completions of a round are gone through.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="linear", description="How the learning rate falls after the warm-up, to 0 at the end or not at all."
    )
    warmup_ratio: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the rounds in which the learning rate rises from 0."
    )
    value_learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Highest learning rate of the value's own adapter; by default five times that of the policy's, for "
        "it is held to nothing. With all weights of the policy trained, five times what is usual for adapters. Refused "
        "where `value_rank` is `null`.",
    )
    value_head_rate: float = Field(
        default=0.03,
        gt=0,
        le=1,
        description="Highest learning rate of the value's head: of its bias, and over the width of the network of its "
        "weights, so that a step moves a value about as far in a small network as in a large one.",
    )
    max_new_tokens: PositiveInt = Field(
        default=128, description="Longest completion in tokens, the token that ends it included."
    )
    temperature: float = Field(
        default=1.0, gt=0, le=10, description="At which completions are sampled, and at which likelihoods are taken."
    )
    gamma: float = Field(default=1.0, gt=0, le=1, description="Discount of the reward by the tokens until it comes.")
    gae_lambda: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="How far an advantage looks ahead before it trusts the value: 0 is one token, 1 to the end.",
    )
    clip: float = Field(
        default=0.2, gt=0, lt=1, description="How far the likelihood of a token may move in a round: a share of it."
    )
    value_clip: float = Field(
        default=0.2, gt=0, allow_inf_nan=False, description="How far the value of a token may move in a round."
    )
    value_weight: float = Field(
        default=0.1,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the value's loss beside the policy's where `value_rank` is `null`; a value of its own "
        "needs none, and another weight is refused.",
    )
    entropy_weight: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Reward of a nat of entropy a token, against collapse."
    )
    value_rank: PositiveInt | None = Field(
        default=8,
        description="Rank of the value's own adapter, on the modules of the policy's and on weights that never move; "
        "`null` lets the value read the policy's states, which move under it: less memory and time, and it knows less.",
    )
    value_from: Location | None = Field(
        default=None,
        description="A reward model trained from the same base, whose head the value begins with; without one it "
        "begins at the mean reward of the first round.",
    )
    kl_coefficient: float = Field(
        default=0.05, ge=0, allow_inf_nan=False, description="Reward that a nat away from the reference costs at first."
    )
    kl_target: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Nats a completion to be away from the reference: the coefficient is adapted to it. By default it "
        "stays as it is.",
    )
    kl_stop: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Nats a token from the policy that wrote the completions at which a round's learning ends early.",
    )
    missing_end_penalty: float = Field(
        default=1.0, ge=0, allow_inf_nan=False, description="Taken off the reward of a completion that did not end."
    )
    normalise_rewards: bool = Field(
        default=False,
        description="Measure rewards in deviations from the mean of all so far. For logits and other open scales.",
    )
    reward_clip: float | None = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Largest size of a reward, after normalisation."
    )
    max_grad_norm: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Gradients longer than this are shortened to it."
    )

    @field_validator("lora")
    @classmethod
    def _without_dropout(cls, lora: Lora | None) -> Lora | None:
        if lora is not None and lora.dropout:
            raise ValueError("ppo compares likelihoods of the same tokens, which must not be noisy: set dropout to 0")
        return lora

    @model_validator(mode="after")
    def _without_effect(self) -> Self:
        """By values, not by what was set: a training process is sent all settings, defaults among them."""
        if self.value_rank is None and self.value_learning_rate is not None:
            raise ValueError(
                "value_learning_rate is that of the value's own adapter, and with `value_rank: null` it has none: "
                "leave one of them out"
            )
        if self.value_rank is not None and self.value_weight != type(self).model_fields["value_weight"].default:
            raise ValueError(
                "value_weight is for a value on the policy's states, and one of its own needs none: set `value_rank: "
                "null`, or leave it out"
            )
        return self

    @property
    def value_lora(self) -> Lora | None:
        """The value's own adapter."""
        return value_adapter(self.value_rank, self.lora)

    @property
    def peak_value_rate(self) -> float:
        """``value_learning_rate``, or what follows from the policy's."""
        if self.value_learning_rate is not None:
            return self.value_learning_rate
        return min(1.0, _FASTER * (self.usual_rates[1] if self.lora is None else self.peak_learning_rate))

    @property
    def rollouts(self) -> int:
        """Prompts answered in a round."""
        return self.batch_size * self.gradient_accumulation * self.minibatches

    def rounds(self, prompts: int) -> int:
        """How many there are with so many prompts."""
        return self.max_steps or math.ceil(self.epochs * prompts / self.rollouts)

    def completions_of(self, prompts: int) -> tuple[int, int]:
        """One a prompt; the last round begins anew with the first prompts where it would not be full."""
        return 1, self.rounds(prompts) * self.rollouts

    def train(self, job: Job) -> Checkpoint:
        """Answers the prompts of ``job.dataset``, learns from the rewards, and writes the policy into ``job.out``.

        Raises:
            DataError: the dataset holds no prompts, or some that leave no room for a completion.
            RecipeError: the policy cannot be trained as the settings ask.
            TrainingError: loss or gradients stopped being numbers, the first ratio was not 1, a round had no reward at
                all, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.ppo.loop import train_ppo
        from solon.trainers.backend.rewards import open_rewards

        with open_rewards(self, job) as score:
            return train_ppo(self, job, score)


USUAL_VALUE_RANK: int = PPO.model_fields["value_rank"].default


def value_adapter(rank: int | None, lora: Lora | None) -> Lora | None:
    """The value's adapter: of that rank, where and as strong as the policy's, which Unsloth's kernels ask for.

    On all linear layers where the policy has none.
    """
    if rank is None:
        return None
    policy = lora or Lora()
    return Lora(r=rank, alpha=max(1, rank * policy.alpha // policy.r), target_modules=policy.target_modules)
