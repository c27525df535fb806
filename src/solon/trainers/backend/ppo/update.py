"""What is learned from one round: passes over its completions in minibatches (PPO, algorithm 1)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from statistics import fmean

import torch
from torch import Tensor, nn

from solon.errors import TrainingError
from solon.trainers.backend.divided import whole
from solon.trainers.backend.ppo import algorithm
from solon.trainers.backend.ppo.episodes import cut
from solon.trainers.backend.ppo.experience import ALONE, Experience
from solon.trainers.backend.ppo.policy import Actor
from solon.trainers.backend.processes import Processes
from solon.trainers.ppo import PPO

RATIO_TOLERANCE = 1e-3


def learn(
    actor: Actor,
    experience: Experience,
    settings: PPO,
    optimizer: torch.optim.Optimizer,
    *,
    seed: str,
    processes: Processes = ALONE,
) -> dict[str, float]:
    """Takes the optimizer steps of a round; returns the means of what was seen at them.

    Each process goes through its share of every minibatch, and all take the same steps.

    A policy that has gone far enough (``settings.kl_stop``) takes no more of them, while a value of its own goes on.
    At the first loss or gradient that is not a number nothing steps any more: what was seen says so (``not_finite``),
    and whoever reports it ends the training.

    Raises:
        TrainingError: the first ratio is not 1.
    """
    white = algorithm.whiten(experience.advantages, experience.mask)
    experience = replace(experience, advantages=white)
    seen: list[dict[str, float]] = []
    steps, goes_on = 0, True
    for number in range(settings.passes):
        for rows in _minibatches(len(white), number, settings, seed):
            optimizer.zero_grad(set_to_none=True)
            numbers = gradients(actor, experience, rows, settings, processes) if goes_on else {}
            if not seen and not_finite(numbers) is None:
                _check_ratio(numbers["policy/ratio_first"])
            if settings.kl_stop is not None and numbers.get("policy/approx_kl", 0.0) > settings.kl_stop:
                goes_on = False
                optimizer.zero_grad(set_to_none=True)
            if actor.roles.own_value:
                numbers |= value_gradients(actor, experience, rows, settings, processes)
            seen.append(numbers)
            if not goes_on and not actor.roles.own_value:
                return _summary(seen, steps)
            for name, weights in _networks(actor, policy=goes_on).items():
                if not processes.divided:
                    processes.add_up(_gradients(weights))
                # by the norm of all together (37, core detail 11: Huang et al. 2022, ICLR blog track)
                numbers[name] = float(whole(torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)))
            if not_finite(numbers) is not None:
                return _summary(seen, steps)
            optimizer.step()
            steps += goes_on
    return _summary(seen, steps)


def gradients(
    actor: Actor, experience: Experience, rows: Sequence[int], settings: PPO, processes: Processes = ALONE
) -> dict[str, float]:
    """Adds the gradient of one minibatch's loss, a mean over its tokens (PPO eq. 9 with the sign turned).

    It is made of parts of ``settings.batch_size`` rows, and does not depend on where they are cut. The value's loss is
    part of it where policy and value share a forward pass.
    """
    count = experience.mask[list(rows)].sum()
    totals: defaultdict[str, float] = defaultdict(float)
    farthest = 1.0
    for part, own in processes.batches(rows, settings.batch_size):
        now = actor.read(experience.episodes.at(part), entropy=settings.entropy_weight > 0)
        mask, sampled, advantages = _columns(
            part, now.log_probs, experience.mask, experience.log_probs, experience.advantages
        )
        mask[own:] = False
        losses = {"policy/loss": algorithm.policy_losses(now.log_probs, sampled, advantages, clip=settings.clip)}
        together = losses["policy/loss"]
        if now.values is not None:
            losses["value/loss"] = _value_losses(now.values, part, experience, settings)
            together = together + settings.value_weight * losses["value/loss"]
        if now.entropies is not None:
            together = together - settings.entropy_weight * now.entropies
        loss = torch.where(mask, together, 0.0).sum() / count
        actor.backward(loss)
        if not own:
            continue
        with torch.no_grad():
            share = mask.sum() / count  # of the minibatch's tokens
            ratio = torch.where(mask, torch.exp(now.log_probs - sampled), 1.0)
            extreme = float(ratio.flatten()[(ratio - 1).abs().argmax()])
            farthest = max(farthest, extreme, key=_distance)
            clipped = algorithm.clipped_share(now.log_probs, sampled, mask, clip=settings.clip)
            parts = {
                "loss": loss,
                **{name: share * algorithm.masked_mean(values, mask) for name, values in losses.items()},
                "policy/clip_fraction": share * clipped,
                "policy/approx_kl": share * algorithm.masked_mean(algorithm.k3(sampled, now.log_probs), mask),
            }
            for name, value in parts.items():
                totals[name] += float(value)
    everyones, ratios = zip(*processes.gather((totals, farthest)), strict=True)
    return {**_added_up(everyones), "policy/ratio_first": max(ratios, key=_distance)}


def value_gradients(
    actor: Actor, experience: Experience, rows: Sequence[int], settings: PPO, processes: Processes = ALONE
) -> dict[str, float]:
    """As ``gradients``, of the value's loss in an adapter of its own; it needs no weight, for nothing else is there."""
    count = experience.mask[list(rows)].sum()
    total = 0.0
    for part, own in processes.batches(rows, settings.batch_size):

        def loss(values: Tensor, part: Sequence[int] = part, own: int = own) -> Tensor:
            (mask,) = _columns(part, values, experience.mask)
            mask[own:] = False
            return torch.where(mask, _value_losses(values, part, experience, settings), 0.0).sum() / count

        total += float(actor.backward_of_values(experience.episodes.at(part), loss))
    return {"value/loss": math.fsum(processes.gather(total))}


def _value_losses(values: Tensor, part: Sequence[int], experience: Experience, settings: PPO) -> Tensor:
    before, returns = _columns(part, values, experience.values, experience.returns)
    return algorithm.value_losses(values, before, returns, clip=settings.value_clip)


def _columns(part: Sequence[int], like: Tensor, *tables: Tensor) -> list[Tensor]:
    """Rows ``part`` of tables (rows, time), as wide as their own longest response."""
    return [table[list(part), : like.shape[1]] for table in tables]


def _distance(ratio: float) -> float:
    """How far a ratio is from 1; what is not a number is the farthest."""
    return math.inf if math.isnan(ratio) else abs(ratio - 1)


def _added_up(everyones: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """A process without a row has seen nothing, and all of them have rows to go through."""
    names = dict.fromkeys(name for totals in everyones for name in totals)
    return {name: math.fsum(totals.get(name, 0.0) for totals in everyones) for name in names}


def _networks(actor: Actor, *, policy: bool) -> dict[str, list[nn.Parameter]]:
    """What moves, by the name of its gradient's norm: the policy unless it has stopped, and a value of its own, whose
    gradients are cut by themselves. One that reads the policy's states is one network with it.
    """
    trained, value = list(actor.trained.values()), [*actor.valued.values(), *actor.head.parameters()]
    if not actor.roles.own_value:
        return {"grad_norm": [*trained, *value]}
    return ({"grad_norm": trained} if policy else {}) | {"value/grad_norm": value}


def _gradients(weights: Sequence[nn.Parameter]) -> Iterator[Tensor]:
    """Of each weight; 0 where nothing of the minibatch fell to this process."""
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        yield weight.grad


def _check_ratio(ratio: float) -> None:
    if not abs(ratio - 1) <= RATIO_TOLERANCE:  # not a number is caught, too
        raise TrainingError(
            f"before any step of a round a token is {ratio:.6g} times as likely as when it was scored, and must be as "
            f"likely within {RATIO_TOLERANCE:g}: the policy is not the same in both passes (dropout, or broken weights)"
        )


def not_finite(numbers: Mapping[str, float]) -> str | None:
    """The first loss or gradient's norm that is not a number; ``None`` where all are."""
    names = ("loss", "value/loss", "grad_norm", "value/grad_norm")
    return next((name for name in names if not math.isfinite(numbers.get(name, 0.0))), None)


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
    return cut(order, settings.batch_size * settings.gradient_accumulation)
