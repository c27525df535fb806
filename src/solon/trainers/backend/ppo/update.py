"""What is learned from one round: advantages, then passes over its completions in minibatches (PPO, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean
from typing import Any, Self

import torch
from torch import Tensor

from solon.errors import TrainingError
from solon.trainers.backend.ppo import algorithm
from solon.trainers.backend.ppo.policy import Actor, Episodes, Reading
from solon.trainers.ppo import PPO

RATIO_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Experience:
    """Completions with all that learning needs of them, tensors of shape (rows, time).

    Attributes:
        episodes: prompts and responses as tokens.
        mask: true on the responses' tokens.
        sampled: what the network made of them when they were written.
        reference: log-probabilities under the policy before training.
        advantages: not whitened yet.
        returns: what the values should have been.
    """

    episodes: Episodes
    mask: Tensor
    sampled: Reading
    reference: Tensor
    advantages: Tensor
    returns: Tensor

    @classmethod
    def of(cls, actor: Actor, episodes: Episodes, scores: Sequence[float], settings: PPO, coefficient: float) -> Self:
        """Reads the episodes, ``settings.batch_size`` at once, and estimates the advantages.

        The batches are those of the first pass: with the same neighbours every likelihood is the same to the last bit,
        so that the first ratio is 1 in any number type.
        """
        mask = episodes.mask().to(actor.loaded.device)
        readings, references = [], []
        with torch.no_grad():
            for minibatch in _split(range(len(mask)), settings.batch_size * settings.gradient_accumulation):
                for rows in _split(minibatch, settings.batch_size):
                    readings.append(actor.read(episodes.at(rows), entropy=True))
                    references.append(actor.reference(episodes.at(rows)))
        time = mask.shape[1]
        sampled = Reading(
            _stack([reading.log_probs for reading in readings], time),
            _stack([reading.values for reading in readings], time),
            _stack([reading.entropies for reading in readings if reading.entropies is not None], time),
        )
        reference = _stack(references, time)
        rewards = algorithm.token_rewards(
            torch.tensor(scores, device=mask.device), sampled.log_probs, reference, mask, coefficient=coefficient
        )
        advantages = algorithm.advantages_of(
            rewards, sampled.values, mask, gamma=settings.gamma, lam=settings.gae_lambda
        )
        return cls(episodes, mask, sampled, reference, advantages, advantages + sampled.values)

    def metrics(self) -> dict[str, float]:
        """What is known before anything is learned."""
        mean, mask, logs = algorithm.masked_mean, self.mask, self.sampled.log_probs
        assert self.sampled.entropies is not None
        rows = mask.shape[0]
        return {
            "objective/kl": float(torch.where(mask, algorithm.k1(logs, self.reference), 0).sum()) / rows,
            "objective/kl_k3": float(torch.where(mask, algorithm.k3(logs, self.reference), 0).sum()) / rows,
            "objective/entropy": float(mean(self.sampled.entropies, mask)),
            "returns/mean": float(mean(self.returns, mask)),
            "advantages/mean": float(mean(self.advantages, mask)),
            "value/explained_variance": algorithm.explained_variance(self.sampled.values, self.returns, mask),
        }


def learn(
    actor: Actor, experience: Experience, settings: PPO, optimizer: torch.optim.Optimizer, *, seed: str
) -> dict[str, float]:
    """Takes the optimizer steps of a round; returns the means of what was seen at them.

    Raises:
        TrainingError: the first ratio is not 1, or loss or gradients are not numbers.
    """
    white = algorithm.whiten(experience.advantages, experience.mask)
    experience = replace(experience, advantages=white)
    parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
    seen: list[dict[str, float]] = []
    steps = 0
    for number in range(settings.passes):
        for rows in _minibatches(len(white), number, settings, seed):
            optimizer.zero_grad(set_to_none=True)
            seen.append(gradients(actor, experience, rows, settings))
            if len(seen) == 1:
                _check_ratio(seen[0]["policy/ratio_first"])
            if settings.kl_stop is not None and seen[-1]["policy/approx_kl"] > settings.kl_stop:
                optimizer.zero_grad(set_to_none=True)
                return _summary(seen, steps)
            norm = float(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm))
            seen[-1]["grad_norm"] = norm
            for name in ("loss", "grad_norm"):
                if not math.isfinite(seen[-1][name]):
                    raise TrainingError(
                        f"{name} is {seen[-1][name]}, so training stopped and nothing of it was kept: "
                        f"lower train.learning_rate, or look for broken weights in policy.model"
                    )
            optimizer.step()
            steps += 1
    return _summary(seen, steps)


def gradients(actor: Actor, experience: Experience, rows: Sequence[int], settings: PPO) -> dict[str, float]:
    """Adds the gradient of one minibatch's loss, a mean over its tokens (PPO eq. 9 with the sign turned).

    It is made of parts of ``settings.batch_size`` rows, and does not depend on where they are cut.
    """
    count = experience.mask[list(rows)].sum()
    totals: dict[str, Any] = {}
    farthest = 1.0
    for part in _split(rows, settings.batch_size):
        now = actor.read(experience.episodes.at(part), entropy=settings.entropy_weight > 0)
        time = now.log_probs.shape[1]
        mask, sampled, before, advantages, returns = (
            table[list(part), :time]
            for table in (
                experience.mask,
                experience.sampled.log_probs,
                experience.sampled.values,
                experience.advantages,
                experience.returns,
            )
        )
        losses = {
            "policy/loss": algorithm.policy_losses(now.log_probs, sampled, advantages, clip=settings.clip),
            "value/loss": algorithm.value_losses(now.values, before, returns, clip=settings.value_clip),
        }
        whole = losses["policy/loss"] + settings.value_weight * losses["value/loss"]
        if now.entropies is not None:
            whole = whole - settings.entropy_weight * now.entropies
        loss = torch.where(mask, whole, 0.0).sum() / count
        actor.backward(loss)
        with torch.no_grad():
            share = mask.sum() / count  # of the minibatch's tokens
            ratio = torch.where(mask, torch.exp(now.log_probs - sampled), 1.0)
            extreme = float(ratio.flatten()[(ratio - 1).abs().argmax()])
            if not abs(extreme - 1) <= abs(farthest - 1):  # what is not a number is the farthest
                farthest = extreme
            parts = {
                "loss": loss,
                **{name: share * algorithm.masked_mean(values, mask) for name, values in losses.items()},
                "policy/clip_fraction": share
                * algorithm.clipped_share(now.log_probs, sampled, mask, clip=settings.clip),
                "policy/approx_kl": share * algorithm.masked_mean(algorithm.k3(sampled, now.log_probs), mask),
            }
            for name, value in parts.items():
                totals[name] = totals.get(name, 0.0) + float(value)
    return {**totals, "policy/ratio_first": farthest}


def _check_ratio(ratio: float) -> None:
    if not abs(ratio - 1) <= RATIO_TOLERANCE:  # not a number is caught, too
        raise TrainingError(
            f"before any step of a round a token is {ratio:.6g} times as likely as when it was scored, and must be as "
            f"likely within {RATIO_TOLERANCE:g}: the policy is not the same in both passes (dropout, or broken weights)"
        )


def _summary(seen: Sequence[dict[str, float]], steps: int) -> dict[str, float]:
    """Means over the minibatches, but for the first ratio."""
    names = dict.fromkeys(name for numbers in seen for name in numbers)
    means = {name: fmean(numbers[name] for numbers in seen if name in numbers) for name in names}
    return {**means, "policy/ratio_first": seen[0]["policy/ratio_first"], "policy/steps": float(steps)}


def _minibatches(count: int, number: int, settings: PPO, seed: str) -> Iterator[Sequence[int]]:
    """The first pass goes through the completions as they were read, later ones in an order of their own."""
    order = list(range(count))
    if number:
        Random(f"{seed}:{number}").shuffle(order)
    return _split(order, settings.batch_size * settings.gradient_accumulation)


def _split(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _stack(parts: Sequence[Tensor], time: int) -> Tensor:
    """Parts of different length, filled up with 0 to (rows, ``time``)."""
    return torch.cat([torch.nn.functional.pad(part, (0, time - part.shape[1])) for part in parts])
