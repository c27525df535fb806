"""PPO as its papers write it, by loops over responses and tokens: slow, and plainly right. Shares no code with solon's.

Every number is made of the model's own logits and hidden states, one sequence by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Rows = Sequence[Sequence[int]]


def run(loaded: Any, prompt: Sequence[int], response: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Log-probabilities (tokens, vocabulary) and last hidden states (tokens, width) where a response is decided."""
    network = loaded.network
    if loaded.apart:  # the decoder reads the start and all but the last token
        read = torch.tensor([[*loaded.decoder_start, *response[:-1]]])
        output = network(input_ids=torch.tensor([list(prompt)]), decoder_input_ids=read, output_hidden_states=True)
        places = range(len(loaded.decoder_start) - 1, read.shape[1])
        hidden = output.decoder_hidden_states[-1]
    else:
        output = network(input_ids=torch.tensor([[*prompt, *response]]), output_hidden_states=True)
        places = range(len(prompt) - 1, len(prompt) + len(response) - 1)
        hidden = output.hidden_states[-1]
    return output.logits[0, list(places)].log_softmax(-1), hidden[0, list(places)]


@dataclass
class Told:
    """Of one response, a number a token."""

    sampled: list[float]
    reference: list[float]
    values: list[float]
    advantages: list[float]
    returns: list[float]


def tell(
    sampled: Sequence[float],
    reference: Sequence[float],
    values: Sequence[float],
    score: float,
    *,
    coefficient: float,
    gamma: float,
    lam: float,
) -> Told:
    """Rewards with the KL in them, and advantages by their definition: A_t = sum over l of (gamma lam)^l delta_t+l."""
    last = len(sampled) - 1
    rewards = [-coefficient * (sampled[t] - reference[t]) + (score if t == last else 0.0) for t in range(len(sampled))]
    after = [*values[1:], 0.0]
    deltas = [rewards[t] + gamma * after[t] - values[t] for t in range(len(sampled))]
    advantages = [
        sum((gamma * lam) ** (later - t) * deltas[later] for later in range(t, len(deltas))) for t in range(len(deltas))
    ]
    returns = [advantage + value for advantage, value in zip(advantages, values, strict=True)]
    return Told(list(sampled), list(reference), list(values), advantages, returns)


def whitened(told: Sequence[Told]) -> list[list[float]]:
    """Advantages less their mean over all tokens, over their deviation."""
    every = [advantage for one in told for advantage in one.advantages]
    mean = sum(every) / len(every)
    deviation = (sum((advantage - mean) ** 2 for advantage in every) / len(every) + 1e-8) ** 0.5
    return [[(advantage - mean) / deviation for advantage in one.advantages] for one in told]


def policy_loss(
    logs: Sequence[Tensor],
    responses: Rows,
    told: Sequence[Told],
    advantages: Sequence[Sequence[float]],
    *,
    clip: float,
    entropy_weight: float,
) -> Tensor:
    """Minus the clipped objective and the entropy, a mean over all tokens (PPO eqs. 7 and 9)."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for row, response in enumerate(responses):
        for t, token in enumerate(response):
            ratio = torch.exp(logs[row][t, token] - told[row].sampled[t])
            advantage = advantages[row][t]
            gain = torch.min(ratio * advantage, torch.clamp(ratio, 1 - clip, 1 + clip) * advantage)
            entropy = -(logs[row][t].exp() * logs[row][t]).sum()
            total = total - gain - entropy_weight * entropy
            count += 1
    return total / count


def value_loss(values: Sequence[Tensor], told: Sequence[Told], *, clip: float) -> Tensor:
    """Half the squared error, the larger of the value's and of the value's held near the old one, a mean."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for row, one in enumerate(told):
        for t, target in enumerate(one.returns):
            now, before = values[row][t], one.values[t]
            near = torch.clamp(now, before - clip, before + clip)
            total = total + torch.max((now - target) ** 2, (near - target) ** 2) / 2
            count += 1
    return total / count
