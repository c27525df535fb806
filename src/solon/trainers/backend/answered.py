"""Demonstrations as tokens for an encoder-decoder: what its encoder reads, and what its decoder is to write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from solon.errors import DataError, ModelRejected, Problem
from solon.models.backend.loading import Loaded
from solon.trainers.dataset import prompt_of

_AT_ONCE = 1024  # rows: enough for the tokenizer to be fast, few enough to hold


def answered(table: pa.Table, loaded: Loaded, *, where: str) -> Iterator[tuple[list[int], list[int]]]:
    """Tokens of each row's prompt and completion, with what the tokenizer puts around them, the end token included.

    Args:
        table: with ``prompt`` and ``completion``, all texts or all lists of messages.
        loaded: an encoder-decoder.
        where: what the table is called in errors.

    Raises:
        DataError: a row is not a conversation that the model can read with one message of the assistant after it.
    """
    number = 0
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        pairs = []
        for row in batch.to_pylist():
            number += 1
            asked = prompt_of(row, f"{where}, row {number}")
            pairs.append((asked.messages, _text(row["completion"], where, number)))
        try:
            yield from loaded.chat.encode_answered(pairs)
        except ModelRejected as error:
            raise DataError([Problem(where, str(error))]) from error


def _text(written: Any, where: str, number: int) -> str:
    if isinstance(written, str):
        return written
    if len(written) != 1 or written[0]["role"] != "assistant":
        roles = ", ".join(str(message["role"]) for message in written) or "nobody"
        remedy = "a completion is a text, or one message of the assistant"
        raise DataError([Problem(f"{where}, row {number}", f"the completion is of {roles}", remedy)])
    return str(written[0]["content"])
