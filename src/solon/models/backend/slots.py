"""The key-value cache of a batch while it is written, in two forms with the same three deeds: first, next, keep."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from solon.models.backend.forward import BLOCK, checked, in_blocks, right_padded, scores_at
from solon.models.backend.loading import Loaded

_ROOM = 4 * BLOCK


class Aligned:
    """For models with full attention in every layer: token ``i`` of a row lies in slot ``i``, whoever is beside it.

    Prompts are padded on the right; what a row writes overwrites its own padding. A mask keeps each row to the slots up
    to its own position.
    """

    def __init__(self, loaded: Loaded, prompts: Sequence[Sequence[int]]) -> None:
        self._loaded = loaded
        self._prompts = prompts
        self._layers = [_Slots() for _ in range(loaded.network.config.num_hidden_layers)]
        self._cache = Cache(layers=list(self._layers))
        # where each row's next token goes
        self._positions = torch.tensor([len(prompt) for prompt in prompts], device=loaded.device)
        self._longest = max(map(len, prompts))

    def first(self) -> torch.Tensor:
        """Scores of the first token of every reply, shape (prompts, vocabulary)."""
        places = [(row, len(prompt) - 1) for row, prompt in enumerate(self._prompts)]
        return scores_at(self._loaded, right_padded(self._loaded, self._prompts), places, cache=self._cache)

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scores after one more token of every row, shape (rows, vocabulary)."""
        self._longest += 1
        width = in_blocks(self._longest)
        for layer in self._layers:
            layer.reach(self._positions, width)
        network = self._loaded.network
        visible = torch.arange(width, device=tokens.device) <= self._positions[:, None]
        mask = torch.where(visible, 0.0, torch.finfo(network.dtype).min).to(network.dtype)
        output = network(
            input_ids=tokens[:, None],
            position_ids=self._positions[:, None],
            attention_mask=mask[:, None, None, :],
            past_key_values=self._cache,
            use_cache=True,
        )
        self._positions = self._positions + 1
        return checked(output.logits[:, -1])

    def keep(self, rows: torch.Tensor) -> None:
        """Goes on with these rows only, in this order; a row may be named more than once."""
        self._positions = self._positions[rows]
        self._longest = int(self._positions.max())
        for layer in self._layers:
            layer.batch_select_indices(rows)


class _Slots(DynamicLayer):  # type: ignore[misc] # transformers is not typed for us
    """Keys and values, shape (rows, heads, slots, head size): the prompts' at once, then one slot a row and step."""

    keys: torch.Tensor
    values: torch.Tensor
    _positions: torch.Tensor | None = None
    _width = 0

    def reach(self, positions: torch.Tensor, width: int) -> None:
        """From now on every row writes at its position, and sees the first ``width`` slots."""
        self._positions, self._width = positions, width
        self._rows = torch.arange(len(positions), device=positions.device)
        if width > self.keys.shape[2]:
            room = max(width - self.keys.shape[2], _ROOM, self.keys.shape[2] // 2 // BLOCK * BLOCK)
            self.keys = torch.nn.functional.pad(self.keys, (0, 0, 0, room))
            self.values = torch.nn.functional.pad(self.values, (0, 0, 0, room))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self._positions is None:
            keys, values = super().update(key_states, value_states, *args, **kwargs)
            return keys, values
        self.keys[self._rows, :, self._positions] = key_states[:, :, 0]
        self.values[self._rows, :, self._positions] = value_states[:, :, 0]
        return self.keys[:, :, : self._width], self.values[:, :, : self._width]


class Growing:
    """For all other models (sliding windows, learned positions): padding on the left, a cache of the model's kind."""

    def __init__(self, loaded: Loaded, prompts: Sequence[Sequence[int]]) -> None:
        self._loaded = loaded
        width = max(map(len, prompts))
        pads = [width - len(prompt) for prompt in prompts]
        rows = [[*[loaded.pad_id] * pad, *prompt] for pad, prompt in zip(pads, prompts, strict=True)]
        self._tokens = torch.tensor(rows, device=loaded.device)
        self._mask = torch.arange(width, device=loaded.device) >= torch.tensor(pads, device=loaded.device)[:, None]
        self._positions = (self._mask.long().cumsum(dim=-1) - 1).clamp(min=0)
        self._cache = DynamicCache(config=loaded.network.config)
        self._takes_positions = "position_ids" in inspect.signature(loaded.network.forward).parameters

    def first(self) -> torch.Tensor:
        """Scores of the first token of every reply, shape (prompts, vocabulary)."""
        return self._scores(self._tokens)

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scores after one more token of every row, shape (rows, vocabulary)."""
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=True)
        self._positions = self._positions[:, -1:] + 1
        return self._scores(tokens[:, None])

    def keep(self, rows: torch.Tensor) -> None:
        """Goes on with these rows only, in this order; a row may be named more than once."""
        self._mask, self._positions = self._mask[rows], self._positions[rows]
        self._cache.batch_select_indices(rows)

    def _scores(self, tokens: torch.Tensor) -> torch.Tensor:
        places = [(row, tokens.shape[1] - 1) for row in range(len(tokens))]
        positions = {"position_ids": self._positions} if self._takes_positions else {}
        mask = self._mask.long()
        return scores_at(self._loaded, tokens, places, cache=self._cache, attention_mask=mask, **positions)
