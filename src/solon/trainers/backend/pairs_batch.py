"""Preferences as tokens, in batches: cut into prompt and response exactly as TRL does it for DPO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from solon.errors import DataError, Problem


@dataclass(frozen=True)
class Pair:
    """One preference as token ids. Either response ends with the template's end, or the end token.

    Attributes:
        prompt: what both responses are conditioned on.
        chosen: the better response.
        rejected: the worse one.
    """

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    def learned(self, *, prompts: bool) -> int:
        """Tokens of the chosen row that are predicted; nothing predicts the very first of a row."""
        return len(self.chosen) + (len(self.prompt) if prompts else 0) - (1 if prompts or not self.prompt else 0)


@dataclass(frozen=True)
class PairsBatch:
    """Pairs side by side: all chosen responses, then all rejected ones, each after its prompt, padded on the right.

    A causal model needs no mask for padding on the right: nothing that is looked at can see it.

    Attributes:
        input_ids: shape (2 pairs, longest).
        rows: the row of each token that is predicted, ascending, shape (tokens,).
        columns: the column of the hidden state that predicts it: one before its own.
        tokens: its id.
        in_response: whether it belongs to the response; else it is one of a chosen row's prompt.
    """

    input_ids: Tensor
    rows: Tensor
    columns: Tensor
    tokens: Tensor
    in_response: Tensor

    @property
    def pairs(self) -> int:
        """How many there are."""
        return len(self.input_ids) // 2


def pairs_of(table: pa.Table, tokenizer: Any, *, where: str) -> list[Pair]:
    """The rows of a preference dataset. Messages go through the chat template; texts get the end token if they lack it.

    A response begins where the tokens of the prompt and those of prompt and response part, which some templates and
    tokenizers put before the prompt's end.

    Args:
        table: with ``prompt``, ``chosen`` and ``rejected``.
        tokenizer: the policy's.
        where: names the rows in an error.

    Raises:
        DataError: in some rows a response has no token that could be learned; says how many.
    """
    pairs = [_pair(row, tokenizer) for batch in table.to_batches() for row in batch.to_pylist()]
    empty = sum(min(len(pair.chosen), len(pair.rejected)) + bool(pair.prompt) < 2 for pair in pairs)
    if empty:
        what = f"{empty} of {len(pairs)} rows have a response without a single token after the prompt's"
        raise DataError(
            [Problem(where, what, "leave those rows out, or give the tokenizer a template that ends replies")]
        )
    return pairs


def _pair(row: dict[str, Any], tokenizer: Any) -> Pair:
    prompt: list[int]
    if isinstance(row["prompt"], str):
        end = tokenizer.eos_token
        prompt = tokenizer(row["prompt"])["input_ids"]
        both = [tokenizer(row["prompt"] + row[side].removesuffix(end) + end)["input_ids"] for side in _SIDES]
    else:
        prompt = _chat(row["prompt"], tokenizer, add_generation_prompt=True)
        both = [_chat(row["prompt"] + row[side], tokenizer) for side in _SIDES]
    length = min(_common(prompt, ids) for ids in both)
    return Pair(prompt[:length], *(ids[length:] for ids in both))


_SIDES = ("chosen", "rejected")


def _chat(messages: list[dict[str, str]], tokenizer: Any, **options: Any) -> list[int]:
    ids: list[int] = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)["input_ids"]
    return ids


def _common(ids: list[int], others: list[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, others, strict=False)))


def batch_of(pairs: Sequence[Pair], *, pad_id: int, device: Any, prompts: bool = False) -> PairsBatch:
    """Pairs as one batch.

    Args:
        pairs: at least one.
        pad_id: fills the rows.
        device: where the tensors go.
        prompts: whether the prompts' tokens, from the second on, are predicted in the chosen rows as well.
    """
    sequences = [pair.prompt + pair.chosen for pair in pairs] + [pair.prompt + pair.rejected for pair in pairs]
    width = max(map(len, sequences))
    places = []  # row, column, token, in response
    for row, ids in enumerate(sequences):
        start = len(pairs[row % len(pairs)].prompt)
        first = 1 if prompts and row < len(pairs) else max(1, start)  # nothing predicts the very first token
        places += [(row, at - 1, ids[at], at >= start) for at in range(first, len(ids))]
    rows, columns, tokens, in_response = (torch.tensor(values, device=device) for values in zip(*places, strict=True))
    padded = torch.tensor([ids + [pad_id] * (width - len(ids)) for ids in sequences], device=device)
    return PairsBatch(padded, rows, columns, tokens, in_response)
