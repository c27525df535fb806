"""What one round has to teach: its completions, what was thought of them when they were written, and advantages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from solon.trainers.backend.ppo import algorithm
from solon.trainers.backend.ppo.episodes import Episodes, cut, stacked
from solon.trainers.backend.ppo.policy import Actor
from solon.trainers.backend.processes import Processes
from solon.trainers.ppo import PPO

ALONE = Processes()

Part = tuple[Sequence[int], int]
"""Rows in memory at once, and how many of them count, the first ones: see ``Processes.batches``."""


@dataclass(frozen=True)
class Experience:
    """Completions with all that learning needs of them, tensors of shape (rows, time).

    Attributes:
        episodes: prompts and responses as tokens.
        mask: true on the responses' tokens.
        log_probs: under the policy that wrote them.
        entropies: of the distributions that they were drawn from.
        values: of the states in which they were chosen, before anything was learned.
        reference: log-probabilities under the policy before training.
        advantages: not whitened yet.
        returns: what the values should have been.
    """

    episodes: Episodes
    mask: Tensor
    log_probs: Tensor
    entropies: Tensor
    values: Tensor
    reference: Tensor
    advantages: Tensor
    returns: Tensor

    @classmethod
    def of(
        cls,
        actor: Actor,
        episodes: Episodes,
        scores: Sequence[float],
        settings: PPO,
        coefficient: float,
        processes: Processes = ALONE,
    ) -> Self:
        """Reads the episodes, ``settings.batch_size`` at once, and estimates the advantages.

        The batches are those of the first pass: with the same neighbours every likelihood is the same to the last bit,
        so that the first ratio is 1 in any number type. Each process reads its share, and is told of the others'.
        """
        mask = episodes.mask().to(actor.loaded.device)
        parts = [
            part
            for minibatch in cut(range(len(mask)), settings.batch_size * settings.gradient_accumulation)
            for part in processes.batches(minibatch, settings.batch_size)
        ]
        found = _read(actor, episodes, parts, mask.shape[1])
        log_probs, entropies, value, reference = _everyones(found, parts, processes)
        rewards = algorithm.token_rewards(
            torch.tensor(scores, device=mask.device), log_probs, reference, mask, coefficient=coefficient
        )
        advantages = algorithm.advantages_of(rewards, value, mask, gamma=settings.gamma, lam=settings.gae_lambda)
        return cls(
            episodes=episodes,
            mask=mask,
            log_probs=log_probs,
            entropies=entropies,
            values=value,
            reference=reference,
            advantages=advantages,
            returns=advantages + value,
        )

    def metrics(self) -> dict[str, float]:
        """What is known before anything is learned."""
        mean, mask, logs = algorithm.masked_mean, self.mask, self.log_probs
        rows = mask.shape[0]
        return {
            "objective/kl": float(torch.where(mask, algorithm.k1(logs, self.reference), 0).sum()) / rows,
            "objective/kl_k3": float(torch.where(mask, algorithm.k3(logs, self.reference), 0).sum()) / rows,
            "objective/entropy": float(mean(self.entropies, mask)),
            "returns/mean": float(mean(self.returns, mask)),
            "advantages/mean": float(mean(self.advantages, mask)),
            "value/explained_variance": algorithm.explained_variance(self.values, self.returns, mask),
        }


def _read(actor: Actor, episodes: Episodes, parts: Sequence[Part], time: int) -> list[Tensor]:
    """Log-probabilities, entropies, values and the reference's log-probabilities of the rows of ``parts`` that count,
    one part after the other: shape (rows, ``time``) each.
    """
    given = [episodes.at(part) for part, _ in parts]
    with torch.no_grad():  # one role after the other, so that adapters are not switched for every part
        readings = [actor.read(each, entropy=True) for each in given]
        references = [actor.reference(each) for each in given]
        values = [
            actor.values(each) if reading.values is None else reading.values
            for each, reading in zip(given, readings, strict=True)
        ]
    entropies = [reading.entropies for reading in readings if reading.entropies is not None]
    found = [reading.log_probs for reading in readings], entropies, values, references
    return [stacked([table[:count] for table, (_, count) in zip(tables, parts, strict=True)], time) for tables in found]


def _everyones(own: list[Tensor], parts: Sequence[Part], processes: Processes) -> list[Tensor]:
    """The tables of all processes' rows, each row in its place."""
    rows = [row for part, count in parts for row in part[:count]]
    # from the CPU: what is pickled on a GPU is unpickled on that one in every process
    tables, places = zip(*processes.gather(([each.cpu() for each in own], rows)), strict=True)
    order = torch.tensor([row for some in places for row in some]).argsort()
    return [
        torch.cat([each.to(mine.device) for each in of_all])[order] for mine, *of_all in zip(own, *tables, strict=True)
    ]
