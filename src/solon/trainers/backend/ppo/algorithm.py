"""PPO as its papers have it, without a model in sight: each function is one formula, named by where it stands.

    PPO    Schulman et al. 2017, arXiv:1707.06347
    GAE    Schulman et al. 2015, arXiv:1506.02438
    RLHF   Ziegler et al. 2019, arXiv:1909.08593
    N+     Huang et al. 2024, arXiv:2403.17031

A state is a prompt and the response so far, an action the next token. Tensors are of shape (rows, time) over the tokens
of the responses, ``mask`` is true on those and false on what fills a row up behind them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that count, shape ()."""
    return torch.where(mask, values, 0.0).sum() / mask.sum()


def masked_variance(values: Tensor, mask: Tensor) -> Tensor:
    """Variance over the tokens that count, shape (); that of the tokens themselves, not an estimate from a sample."""
    return masked_mean((values - masked_mean(values, mask)) ** 2, mask)


def whiten(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the tokens that count, 0 elsewhere (N+ detail 25)."""
    centred = values - masked_mean(values, mask)
    return torch.where(mask, centred * torch.rsqrt(masked_variance(values, mask) + 1e-8), 0.0)


# ---------------------------------------------------------------- what a token earns


def k1(sampled: Tensor, other: Tensor) -> Tensor:
    """A token's estimate of KL(sampled || other) from log-probabilities: unbiased, of either sign."""
    return sampled - other


def k3(sampled: Tensor, other: Tensor) -> Tensor:
    """Another, ``r - 1 - log r`` with ``r = other / sampled``: unbiased, never below 0.

    For watching (Schulman 2020, "Approximating KL divergence"): it varies less than ``k1``.
    """
    return torch.expm1(other - sampled) - (other - sampled)


def token_rewards(scores: Tensor, sampled: Tensor, reference: Tensor, mask: Tensor, *, coefficient: float) -> Tensor:
    """``-coefficient * k1`` at every token and the response's score at its last (RLHF, section 2; N+ section 7).

    Args:
        scores: shape (rows,).
        sampled: log-probabilities under the policy that wrote the response.
        reference: log-probabilities under the policy before training.
        coefficient: reward that a nat of divergence costs.
    """
    rewards = torch.where(mask, -coefficient * k1(sampled, reference), 0.0)
    last = mask.sum(dim=1) - 1
    return rewards.scatter_add(1, last[:, None], scores[:, None].to(rewards.dtype))


def advantages_of(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimation (PPO eqs. 11 and 12; GAE eq. 16), with no value after the last token.

    delta_t = r_t + gamma V(s_t+1) - V(s_t)  and  A_t = delta_t + gamma lambda A_t+1. The target of the values, the
    return, is A_t + V(s_t).
    """
    rewards, values = torch.where(mask, rewards, 0.0), torch.where(mask, values, 0.0)
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        value_after = values[:, t + 1] if t + 1 < rewards.shape[1] else torch.zeros_like(following)
        delta = rewards[:, t] + gamma * value_after - values[:, t]
        following = delta + gamma * lam * following
        advantages[:, t] = following
    return advantages


# ---------------------------------------------------------------- what is minimised


def policy_losses(now: Tensor, sampled: Tensor, advantages: Tensor, *, clip: float) -> Tensor:
    """The clipped surrogate objective of every token, with its sign turned (PPO eq. 7)."""
    ratio = torch.exp(now - sampled)  # PPO eq. 6
    return torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip))


def value_losses(now: Tensor, before: Tensor, returns: Tensor, *, clip: float) -> Tensor:
    """Half the squared error of every token's value, the larger of that and of the value held near its old one.

    PPO eq. 9 has the square; the clip is of its authors' code, and N+ section 7 keeps it.
    """
    near = torch.clamp(now, before - clip, before + clip)
    return 0.5 * torch.maximum((now - returns) ** 2, (near - returns) ** 2)


def clipped_share(now: Tensor, sampled: Tensor, mask: Tensor, *, clip: float) -> Tensor:
    """Share of the tokens whose ratio has left [1 - clip, 1 + clip], shape ()."""
    return masked_mean(((torch.exp(now - sampled) - 1).abs() > clip).to(now.dtype), mask)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """``1 - Var(returns - values) / Var(returns)``: 1 is perfect, 0 a constant, below 0 worse than one.

    0 where the returns do not vary, so that there is nothing to explain.
    """
    variance = float(masked_variance(returns, mask))
    return 1 - float(masked_variance(returns - values, mask)) / variance if variance > 0 else 0.0


# ---------------------------------------------------------------- what is remembered from step to step


@dataclass
class KLController:
    """The price of a nat: proportional control in logarithms (RLHF, section 2.2). Without a target it stays.

    e = clip(KL / target - 1, -0.2, 0.2)  and  coefficient <- coefficient * (1 + K e).

    Attributes:
        coefficient: the price now.
        target: nats a response; ``None`` for a fixed price.
        gain: K, in a step.
    """

    coefficient: float
    target: float | None = None
    gain: float = 0.1

    def update(self, kl: float) -> None:
        """After a step whose responses were ``kl`` nats from the reference, on average."""
        if self.target is not None:
            self.coefficient *= 1 + self.gain * min(max(kl / self.target - 1, -0.2), 0.2)


@dataclass
class RunningMoments:
    """Mean and deviation of all scores so far (Chan, Golub and LeVeque 1983)."""

    count: int = 0
    mean: float = 0.0
    squares: float = field(default=0.0)  # sum of squared distances from the mean

    def add(self, scores: Sequence[float]) -> None:
        """Takes more of them in."""
        if not scores:
            return
        count, mean = len(scores), math.fsum(scores) / len(scores)
        squares = math.fsum((score - mean) ** 2 for score in scores)
        both, apart = self.count + count, mean - self.mean
        self.squares += squares + apart**2 * self.count * count / both
        self.mean += apart * count / both
        self.count = both

    def normalise(self, score: float) -> float:
        """How many deviations a score is from the mean; 0 while all were the same."""
        deviation = math.sqrt(self.squares / self.count) if self.count else 0.0
        return (score - self.mean) / deviation if deviation > 1e-8 else 0.0
