"""What is learned from, as tokens: prompts with the responses to them, and what the networks make of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Episodes:
    """Prompts and what was answered, as tokens; each response has at least one."""

    prompts: Sequence[Sequence[int]]
    responses: Sequence[Sequence[int]]

    def at(self, rows: Sequence[int]) -> Episodes:
        """Those of ``rows``."""
        return Episodes([self.prompts[row] for row in rows], [self.responses[row] for row in rows])

    def mask(self, width: int | None = None) -> Tensor:
        """True on each response's tokens, shape (rows, ``width`` or the longest response)."""
        lengths = torch.tensor([len(response) for response in self.responses])
        return torch.arange(width or int(lengths.max()))[None, :] < lengths[:, None]

    def chosen(self) -> Tensor:
        """The responses' tokens one after the other, shape (tokens,)."""
        return torch.tensor([token for response in self.responses for token in response])


@dataclass(frozen=True)
class Reading:
    """What the policy makes of responses: shape (rows, time) each, 0 behind the end.

    Attributes:
        log_probs: of the tokens, at the temperature.
        values: of the states in which they were chosen; ``None`` where the value has an adapter of its own, and so a
            forward pass of its own.
        entropies: of the distributions that they were chosen from, in nats; ``None`` where not asked for.
    """

    log_probs: Tensor
    values: Tensor | None
    entropies: Tensor | None


def spread(values: Tensor, mask: Tensor) -> Tensor:
    """One value a response token, shape (tokens,), as (rows, time)."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(mask, values)


def stacked(parts: Sequence[Tensor], time: int) -> Tensor:
    """Parts of different length, filled up with 0 to (rows, ``time``)."""
    return torch.cat([torch.nn.functional.pad(part, (0, time - part.shape[1])) for part in parts])


def cut(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """``size`` of them at a time, in their order; the last may be fewer."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
