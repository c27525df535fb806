"""Forward passes whose results do not depend on what else is in the batch.

A row's result is the same to the last bit whoever its neighbours are, wherever matrix products sum in the same order.
On the CPUs measured (AVX-512, MKL of torch 2.13, float32) they do when every sequence is padded on the right to a
multiple of ``BLOCK`` tokens and every product has a multiple of ``BLOCK`` rows, and then a prefix read from a cache
gives the same bits as one computed on the spot, too. This is what makes an interrupted run, whose batches are cut
elsewhere, end in the same files. Elsewhere results agree within rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from solon.errors import ModelRejected
from solon.models.backend.loading import Loaded

BLOCK = 16


def in_blocks(count: int) -> int:
    """``count`` rounded up to a multiple of ``BLOCK``, and at least one block."""
    return max(1, -(-count // BLOCK)) * BLOCK


def padded_rows(loaded: Loaded, rows: Sequence[int]) -> list[int]:
    """``rows`` and, on a CPU, its first row again and again until there is a whole number of blocks."""
    if loaded.device.type != "cpu":
        return list(rows)
    return [*rows, *[rows[0]] * (in_blocks(len(rows)) - len(rows))]


def right_padded(loaded: Loaded, sequences: Sequence[Sequence[int]]) -> torch.Tensor:
    """Token ids of shape (sequences, whole blocks of the longest).

    They need no mask: what follows a token cannot change what a causal model makes of it.
    """
    width = in_blocks(max(map(len, sequences)))
    rows = [[*ids, *[loaded.pad_id] * (width - len(ids))] for ids in sequences]
    return torch.tensor(rows, device=loaded.device)


def scores_at(
    loaded: Loaded, tokens: torch.Tensor, places: Sequence[tuple[int, int]], *, cache: Any = None, **options: Any
) -> torch.Tensor:
    """Next-token scores of shape (places, vocabulary), in float32, at each (row, column) of ``tokens``, which the
    decoder reads.

    Only those places go through the output layer: batch x time x vocabulary scores never exist.

    Raises:
        ModelRejected: the scores are not numbers.
    """
    padded = padded_rows(loaded, range(len(places)))
    rows = torch.tensor([places[index][0] for index in padded], device=tokens.device)
    columns = torch.tensor([places[index][1] for index in padded], device=tokens.device)
    with _output_layer_reads(loaded.network, rows, columns):
        given = {"decoder_input_ids" if loaded.apart else "input_ids": tokens}
        output = loaded.network(**given, past_key_values=cache, use_cache=cache is not None, **options)
    return checked(output.logits[0, : len(places)])


def checked(scores: torch.Tensor) -> torch.Tensor:
    """The scores, shape (rows, vocabulary), in float32; every row must have a likeliest token.

    Raises:
        ModelRejected: the scores are not numbers; an argmax would make a confident verdict of them.
    """
    if not bool(scores.amax(dim=-1).isfinite().all()):
        raise ModelRejected("the model's scores are not numbers: its weights are damaged, or its dtype overflows")
    return scores.float()


@contextmanager
def _output_layer_reads(network: Any, rows: torch.Tensor, columns: torch.Tensor) -> Iterator[None]:
    # transformers' own `logits_to_keep` takes the same columns of every row; a hook also keeps what some models do to
    # the scores after the output layer (soft caps, scales)
    def gather(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (arguments[0][rows, columns].unsqueeze(0), *arguments[1:])

    hook = network.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        yield
    finally:
        hook.remove()


def only_full_attention(network: Any) -> bool:
    """Whether every layer attends to everything before it, with rotary positions, as in Llama, Qwen and Phi."""
    config = network.config
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        kinds = ["sliding_attention" if getattr(config, "sliding_window", None) else "full_attention"]
    return set(kinds) == {"full_attention"} and hasattr(network.get_decoder(), "rotary_emb")
