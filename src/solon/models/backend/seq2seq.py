"""An encoder-decoder while it writes or is scored: prompts to the encoder, replies to the decoder.

A reply y_1 ... y_T (its end token is y_T) is read by the decoder as ``[*start, y_1, ..., y_(T-1)]``, where ``start`` is
``Loaded.decoder_start``; the scores at place ``len(start) - 1 + i`` are those that y_(i+1) is drawn from, the first
token's among them. Both sides are padded on the right: the encoder's by a mask, and the decoder, which is causal, needs
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from solon.models.backend.forward import checked, in_blocks, padded_rows, right_padded
from solon.models.backend.loading import Loaded


def encoder_inputs(loaded: Loaded, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask (1 where there is a token), shape (prompts, whole blocks) each.

    There is always padding, but for a prompt that takes all positions there are: without any, transformers leaves the
    mask out and takes kernels that round otherwise, and a row's result would depend on its neighbours' lengths (see
    forward.py).
    """
    width = _width(loaded, max(map(len, prompts)), padding=1)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    rows = [[*prompt, *[loaded.pad_id] * (width - len(prompt))] for prompt in prompts]
    mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
    return torch.tensor(rows, device=loaded.device), mask.to(loaded.device)


def encoded(loaded: Loaded, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """The encoder's last hidden states, shape (prompts, width, hidden), and the mask of ``encoder_inputs``.

    A prompt that comes several times is read once.
    """
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    tokens, mask = encoder_inputs(loaded, list(places))
    states = loaded.network.get_encoder()(input_ids=tokens, attention_mask=mask).last_hidden_state
    rows = torch.tensor([places[tuple(prompt)] for prompt in prompts], device=loaded.device)
    return states[rows], mask[rows]


def decoder_inputs(loaded: Loaded, replies: Sequence[Sequence[int]]) -> torch.Tensor:
    """What the decoder reads to score ``replies``, none empty, shape (replies, whole blocks): see above."""
    read = [[*loaded.decoder_start, *reply[:-1]] for reply in replies]
    return right_padded(loaded, read)[:, : _width(loaded, max(map(len, read)))]


def place_of(loaded: Loaded, offset: int) -> int:
    """The column of ``decoder_inputs`` at which a reply's token ``offset``, from 0, is decided."""
    return len(loaded.decoder_start) - 1 + offset


def _width(loaded: Loaded, longest: int, *, padding: int = 0) -> int:
    """Whole blocks, unless learned positions end before."""
    positions = getattr(loaded.network.config, "max_position_embeddings", None)
    width = in_blocks(longest + padding)
    return width if positions is None else min(width, int(positions))


class EncoderDecoder:
    """The key-value cache of a batch while it is written, with the deeds of ``solon.models.backend.slots``.

    All rows have written as many tokens, so their slots are aligned by themselves.
    """

    def __init__(self, loaded: Loaded, prompts: Sequence[Sequence[int]]) -> None:
        self._loaded = loaded
        self._count = len(prompts)
        self._states, self._mask = encoded(loaded, [prompts[row] for row in padded_rows(loaded, range(len(prompts)))])
        self._cache: Any = None

    def first(self) -> torch.Tensor:
        """Scores of the first token of every reply, shape (prompts, vocabulary)."""
        start = torch.tensor([self._loaded.decoder_start] * len(self._mask), device=self._loaded.device)
        return self._scores(start)[: self._count]

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scores after one more token of every row, shape (rows, vocabulary)."""
        return self._scores(tokens[:, None])

    def keep(self, rows: torch.Tensor) -> None:
        """Goes on with these rows only, in this order; a row may be named more than once."""
        self._states, self._mask = self._states[rows], self._mask[rows]
        self._cache.batch_select_indices(rows)

    def _scores(self, tokens: torch.Tensor) -> torch.Tensor:
        output = self._loaded.network(
            encoder_outputs=(self._states,),  # not computed again; its keys and values are in the cache after the first
            attention_mask=self._mask,
            decoder_input_ids=tokens,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = output.past_key_values
        return checked(output.logits[:, -1])
