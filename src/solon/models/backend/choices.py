"""The first token of a reply, by one forward pass: how a judge's verdict is read as log-probabilities.

What a conversation has before its first user words (the system message with the constitution's principle) is the same
for thousands of questions. Its keys and values are computed once, alone, and kept for the whole life of the model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from solon.models.backend.chat import shared
from solon.models.backend.forward import BLOCK, in_blocks, only_full_attention, right_padded, scores_at
from solon.models.backend.loading import Loaded
from solon.models.backend.seq2seq import EncoderDecoder

_KEPT_TOKENS = 8192  # of prefixes for each loaded model: 1 GiB for an 8B Llama in bf16
# tokens of prefix and padded rest together: on a GPU they bound the memory of activations, on a CPU they keep those of
# a tiny model within its caches (measured: 2,048 is 8 % faster than 4,096 and 20 % faster than all at once)
_TOKENS_A_FORWARD = {"cpu": 2_048, "cuda": 32_768}


def first_scores(
    loaded: Loaded, prompts: Sequence[Sequence[int]], beginnings: Sequence[Sequence[int]] | None
) -> tuple[torch.Tensor, list[int]]:
    """Scores of the token that follows each prompt, shape (prompts, vocabulary), and how many of its tokens were kept
    ones.

    Args:
        loaded: the model.
        prompts: token ids, none empty.
        beginnings: for each prompt the tokens it probably shares with others (``Chat.beginning``); ``None`` keeps
            nothing.

    Raises:
        ModelRejected: the model's scores are not numbers.
    """
    keeps = beginnings is not None and only_full_attention(loaded.network)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        kept: Sequence[int] = ()
        if keeps and beginnings is not None:
            common = min(shared(prompt, beginnings[index]), len(prompt) - 1)
            kept = prompt[: common // BLOCK * BLOCK]  # whole blocks: the same bits as without a prefix (see forward.py)
        groups[tuple(kept)].append(index)
    scores: dict[int, torch.Tensor] = {}
    with torch.inference_mode():
        for prefix, members in groups.items():
            lengths = [len(prompts[index]) - len(prefix) for index in members]
            for batch in _batches(members, lengths, len(prefix), _TOKENS_A_FORWARD[loaded.device.type]):
                if loaded.apart:
                    scores.update(
                        zip(batch, EncoderDecoder(loaded, [prompts[at] for at in batch]).first(), strict=True)
                    )
                    continue
                tokens = right_padded(loaded, [prompts[index][len(prefix) :] for index in batch])
                places = [(row, len(prompts[index]) - len(prefix) - 1) for row, index in enumerate(batch)]
                reading: dict[str, Any] = {}
                if prefix:
                    reading["cache"] = _repeated(loaded, prefix, len(batch))
                    reading["attention_mask"] = _causal_after(loaded, len(prefix), tokens.shape[1])
                scores.update(zip(batch, scores_at(loaded, tokens, places, **reading), strict=True))
        kept_counts = {index: len(prefix) for prefix, members in groups.items() for index in members}
        order = range(len(prompts))
        return torch.stack([scores[index] for index in order]), [kept_counts[index] for index in order]


def _batches(members: Sequence[int], lengths: Sequence[int], prefix: int, at_once: int) -> Iterator[list[int]]:
    """Members of similar length together, so that little is computed for padding."""
    batch: list[int] = []
    width = 0
    for length, member in sorted(zip(lengths, members, strict=True)):
        wider = in_blocks(length) > width and len(batch) >= BLOCK
        full = (len(batch) + 1) * (in_blocks(length) + prefix) > at_once
        if batch and (wider or full):
            yield batch
            batch = []
        batch.append(member)
        width = in_blocks(length)
    if batch:
        yield batch


def _repeated(loaded: Loaded, prefix: tuple[int, ...], rows: int) -> Any:
    """A cache that holds ``prefix`` for ``rows`` rows."""
    cache = DynamicCache(config=loaded.network.config)
    for layer, (keys, values) in enumerate(_kept(loaded, prefix)):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
    return cache


def _causal_after(loaded: Loaded, prefix: int, rest: int) -> torch.Tensor:
    """An additive mask of shape (1, 1, rest, prefix + rest), one for all rows (transformers makes one for each)."""
    lowest = torch.finfo(loaded.network.dtype).min
    mask = torch.full((rest, prefix + rest), lowest, dtype=loaded.network.dtype, device=loaded.device)
    return mask.triu(prefix + 1)[None, None]


def _kept(loaded: Loaded, prefix: tuple[int, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values of ``prefix`` in every layer, each of shape (1, heads, tokens, head size)."""
    prefixes = loaded.prefixes
    if prefix not in prefixes:
        while prefixes and sum(map(len, prefixes)) + len(prefix) > _KEPT_TOKENS:
            prefixes.popitem(last=False)
        cache = DynamicCache(config=loaded.network.config)
        # the inner network: nothing reads the scores that follow a prefix
        loaded.network.get_decoder()(
            input_ids=torch.tensor([prefix], device=loaded.device), past_key_values=cache, use_cache=True
        )
        prefixes[prefix] = [(layer.keys, layer.values) for layer in cache.layers]
    prefixes.move_to_end(prefix)
    layers: list[tuple[torch.Tensor, torch.Tensor]] = prefixes[prefix]
    return layers
