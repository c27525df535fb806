"""Counting tokens before training: a row that does not fit is refused, never cut without a word."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from solon.errors import DataError, Problem
from solon.models.backend.loading import Loaded
from solon.trainers.dataset import Rows

_MAX_LENGTH = ("train.max_length", "raise it")
_RESPONSES = ("chosen", "rejected", "completion")
_AT_ONCE = 1024  # rows: enough for the tokenizer to be fast, few enough to hold


def refuse_too_long(rows: Rows, loaded: Loaded, folder: Path, *, max_length: int | None) -> None:
    """Checks that prompt and each response of every row fit into ``max_length`` tokens and into the model's context.

    Raises:
        DataError: some do not; says how many of which file, how long the longest is, and what to do.
    """
    context = math.inf if loaded.context is None else loaded.context
    limit = min(math.inf if max_length is None else max_length, context)
    if limit == math.inf:
        return
    name, remedy = ("the model's context", "take a policy with a longer one") if limit == context else _MAX_LENGTH
    problems = []
    for split, table in (("train", rows.train), ("test", rows.test)):
        lengths = list(_lengths(table, loaded.tokenizer)) if table is not None else []
        too_long = [length for length in lengths if length > limit]
        if too_long:
            counted = f"{len(too_long)} of {len(lengths)} rows are longer than {name} of {limit} tokens"
            what = f"{counted}; the longest has {max(too_long)}"
            problems.append(Problem(str(folder / f"{split}.parquet"), what, f"{remedy}, or leave those rows out"))
    if problems:
        raise DataError(problems)


def _lengths(table: pa.Table, tokenizer: Any) -> Iterator[int]:
    """Tokens of prompt and longest response, row by row, as TRL makes them."""
    responses = [name for name in _RESPONSES if name in table.column_names]
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        rows = batch.to_pylist()
        counts = [_count([row["prompt"] + row[name] for row in rows], tokenizer) for name in responses]
        yield from map(max, zip(*counts, strict=True))


def _count(texts: list[Any], tokenizer: Any) -> list[int]:
    if isinstance(texts[0], str):
        return [len(ids) + 1 for ids in tokenizer(texts)["input_ids"]]  # and the end token that TRL adds
    encoded = tokenizer.apply_chat_template(texts, tokenize=True, return_dict=True)
    return [len(ids) for ids in encoded["input_ids"]]
