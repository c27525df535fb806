"""The policy: a tiny Llama that learns how people of the village answer, and from texts of other forms."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch.nn import functional

from solon.testing.making import IGNORED, Row, answered, asked, padded
from solon.testing.making import fit as fit_to
from solon.testing.tiny import new_llama, tiny_tokenizer
from village.benchmarks import text
from village.world import Ask, Kind, answer, asks

CONTEXT = 1024
VOCABULARY = 768
_MIXTURE: dict[Kind, float] = {"harm": 0.28, "help": 0.2, "unknown": 0.16, "belief": 0.22, "fact": 0.14}
_LONGEST = 384
"""Tokens of a text that are learned from."""


def draw(random: Random) -> Ask:
    """A prompt to learn from."""
    (kind,) = random.choices(tuple(_MIXTURE), tuple(_MIXTURE.values()))
    return random.choice(asks(kind, "base"))


def train_tokenizer(seed: int) -> Any:
    """Byte-level BPE with a chat template, fitted to what the policy learns from."""
    texts = _texts(Random(f"tokenizer:{seed}"))
    return tiny_tokenizer(texts, vocab_size=VOCABULARY, begins=True, context=CONTEXT, padding_side="left")


def build(tokenizer: Any) -> Any:
    """A Llama with fresh weights, drawn from torch's global random numbers."""
    return new_llama(tokenizer, hidden_size=96, layers=3, heads=4, ffn_size=256, context=CONTEXT, spread=0.05)


def fit(model: Any, tokenizer: Any, *, seed: int, steps: int, chats: int = 48, texts: int = 4) -> None:
    """Fits it to fresh chats and texts, so many of each a step; both sorts count alike, and are told in this order."""
    random = Random(f"policy:{seed}")

    def losses() -> torch.Tensor:
        drawn = [_chats(tokenizer, random, chats), [_text(tokenizer, random) for _ in range(texts)]]
        return torch.stack([_loss(model, padded(rows, tokenizer.pad_token_id)) for rows in drawn])

    fit_to(
        "policy, chats and texts",
        model,
        losses,
        steps=steps,
        matrix_rate=0.02,
        rate=5e-3,
        warm_up=40,
        report_every=50,
    )


def _texts(random: Random) -> Iterator[str]:
    for _ in range(1500):
        ask = draw(random)
        yield ask.text
        yield answer(ask, random)
    for _ in range(150):
        yield text(random)


def _chats(tokenizer: Any, random: Random, count: int) -> list[Row]:
    """Questions with an answer of a villager."""
    said = [(ask.text, answer(ask, random)) for ask in (draw(random) for _ in range(count))]
    return answered(tokenizer, asked(question for question, _ in said), [reply for _, reply in said])


def _text(tokenizer: Any, random: Random) -> Row:
    """The tokens of a text and their labels, which are all of them."""
    ids = tokenizer(text(random))["input_ids"][:_LONGEST]
    return ids, list(ids)


def _loss(model: Any, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    ids, labels = batch
    logits = model(input_ids=ids).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
