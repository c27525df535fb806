"""The tokenizer that all three models share, and what else they have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from solon.testing.tiny import new_llama, tiny_tokenizer

VOCABULARY = 768
CONTEXT = 512


def train(texts: Iterable[str]) -> Any:
    """Byte-level BPE with a chat template, fitted to these texts.

    One token opens a turn and one ends it: with responses of twenty tokens, headers of words would be half of the work.
    """
    return tiny_tokenizer(texts, vocab_size=VOCABULARY, begins=True, context=CONTEXT, padding_side="left")


def fresh_llama(tokenizer: Any, *, layers: int, hidden: int, heads: int, inner: int) -> Any:
    """A Llama that has learned nothing yet, its weights drawn from torch's global random numbers."""
    return new_llama(
        tokenizer, hidden_size=hidden, layers=layers, heads=heads, ffn_size=inner, context=CONTEXT, spread=0.05
    )
