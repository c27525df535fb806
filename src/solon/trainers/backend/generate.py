"""Writing completions by a model's own ``generate``, for models whose forward pass is not that of transformers.

Unsloth puts kernels of its own in place of it, which keep their own cache, and want to be told when they write and when
they learn. All others are written by ``solon.models.backend.generation``, where a row does not depend on its
neighbours; here it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig

from solon.models.backend.generation import Ask, Written
from solon.models.backend.loading import Loaded


def generated(loaded: Loaded, asks: Sequence[Ask]) -> list[Written]:
    """A causal model's completions to all of ``asks``, in their order.

    The first one's seed, temperature, limit and ``top_p`` are everyone's.
    """
    if not asks:
        return []
    width = max(len(ask.tokens) for ask in asks)
    pads = [width - len(ask.tokens) for ask in asks]
    rows = [[*[loaded.pad_id] * pad, *ask.tokens] for pad, ask in zip(pads, asks, strict=True)]
    tokens = torch.tensor(rows, device=loaded.device)
    seen = (torch.arange(width)[None, :] >= torch.tensor(pads)[:, None]).long().to(loaded.device)
    devices = [loaded.device] if loaded.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad(), _writing(loaded.model), _bare(loaded):
        torch.manual_seed(asks[0].seed)
        written = loaded.model.generate(
            input_ids=tokens,
            attention_mask=seen,
            max_new_tokens=asks[0].max_tokens,
            do_sample=True,
            temperature=asks[0].temperature,
            top_k=0,  # where ``top_p`` is 1 the whole distribution: likelihoods are taken of it
            top_p=asks[0].top_p,
            eos_token_id=list(loaded.eos_ids),
            pad_token_id=loaded.pad_id,
        )
    return [_until_the_end(row, loaded.eos_ids) for row in written[:, width:].tolist()]


def _until_the_end(tokens: Sequence[int], eos_ids: Sequence[int]) -> Written:
    place = next((place for place, token in enumerate(tokens) if token in eos_ids), None)
    if place is None:
        return Written(list(tokens))
    return Written(list(tokens[:place]), ended=True, end=tokens[place])


@contextmanager
def _bare(loaded: Loaded) -> Iterator[None]:
    """Puts the model's own generation configuration aside, by which transformers goes in all that a call leaves unsaid:
    penalties, forbidden n-grams and other limits, under which tokens are drawn that likelihoods know nothing of.
    """
    network = loaded.network
    own = network.generation_config
    network.generation_config = GenerationConfig(eos_token_id=list(loaded.eos_ids), pad_token_id=loaded.pad_id)
    try:
        yield
    finally:
        network.generation_config = own


@contextmanager
def _writing(model: Any) -> Iterator[None]:
    """Unsloth's models have a mode for each."""
    if not hasattr(model, "for_inference"):
        yield
        return
    model.for_inference()
    try:
        yield
    finally:
        model.for_training()
