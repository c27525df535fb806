"""The policy learns the world's facts, and to answer in all the ways that people there answer."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import torch

from make.responses import write
from make.tokenizer import fresh_llama
from make.world import Ask
from solon.testing.making import answered, asked, fit, padded


def train(tokenizer: Any, asks: Sequence[Ask], *, seed: int, steps: int, batch: int = 64) -> Any:
    """Supervised fine-tuning from scratch. Only the response counts; it is written anew whenever a prompt comes up."""
    torch.manual_seed(seed)
    random = Random(f"policy:{seed}")
    model = fresh_llama(tokenizer, layers=2, hidden=96, heads=4, inner=288)

    def loss() -> torch.Tensor:
        drawn = random.sample(asks, batch)
        responses = [write(ask.fact, random) for ask in drawn]
        rows = answered(tokenizer, asked(ask.text for ask in drawn), responses)
        ids, labels = padded(rows, tokenizer.pad_token_id)
        value: torch.Tensor = model(input_ids=ids, labels=labels).loss
        return value

    fit("policy", model, loss, steps=steps, matrix_rate=0.02, rate=6e-3)
    return model
