"""A reward model on TRL's trainer: the policy's trunk with a new head of one number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from trl import RewardConfig, RewardTrainer

from solon.data.records import Checkpoint
from solon.models.backend.heads import scorer_around
from solon.models.backend.loading import Loaded
from solon.trainers.backend.network import scorer_by_unsloth
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.trl import Prepared, load_policy, train_with_trl
from solon.trainers.base import Job, Policy

if TYPE_CHECKING:
    from solon.trainers.reward import Reward

REPORTED = ("accuracy", "margin", "mean_reward", "min_reward", "max_reward")


class _Trainer(Resumable, RewardTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    pass


def train_reward(settings: Reward, job: Job) -> Checkpoint:
    """Runs ``Reward.train``; its errors are named there."""
    return train_with_trl(
        settings,
        job,
        lambda prepared: reward_trainer(settings, prepared),
        reported=REPORTED,
        load_model=lambda policy, full: _load(settings, job, policy, full=full),
        gives="reward model",
    )


def _load(settings: Reward, job: Job, policy: Policy, *, full: bool) -> Loaded:
    if settings.lora is not None and settings.choose_backend(policy).name == "unsloth":
        return scorer_by_unsloth(policy, settings.lora, seed=job.seed, max_length=settings.max_length)
    return load_with_head(policy, full)


def reward_trainer(settings: Reward, prepared: Prepared) -> Any:
    """TRL's, with the settings in its words."""
    arguments = RewardConfig(
        **prepared.arguments(),
        center_rewards_coefficient=settings.centering or None,
        disable_dropout=False,  # done already, before the adapters came in
    )
    return _Trainer(args=arguments, **prepared.parts("SEQ_CLS"))


def load_with_head(policy: Policy, full: bool) -> Loaded:
    """The policy with a head that gives 0 whatever it reads, in place of the one that gives the next token.

    Args:
        policy: whose trunk it is, its adapter merged into it.
        full: whether all of its weights are trained.

    Raises:
        RecipeError: transformers has no such model with a head of its own.
    """
    loaded = load_policy(policy, full=full)
    network = loaded.network
    config = network.config
    config.num_labels = 1
    config.pad_token_id = loaded.pad_id  # the score is read at the last token that is not this one
    scorer = scorer_around(network, config)
    head = torch.nn.Linear(scorer.score.in_features, 1, bias=scorer.score.bias is not None, dtype=torch.float32)
    for weight in head.parameters():
        torch.nn.init.zeros_(weight)
    scorer.score = head.to(loaded.device, network.base_model.dtype if full else torch.float32)
    return replace(loaded, model=scorer.eval())
