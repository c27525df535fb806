"""Rows of messages as TRL may read them: what a message says stays inside of its turn.

TRL has a tokenizer read messages and template in one text, so a response that spells out ``<|eot_id|>`` would end its
turn and could begin another, and the policy would learn both. Such spellings are broken by a space, as everywhere that
messages become tokens (``solon.models.backend.chat``). Rows of plain texts stay as they are: nothing is put around
them, and their control tokens are what their author wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from solon.models.backend.chat import Chat
from solon.trainers.dataset import Rows

_AT_ONCE = 1024  # rows that are Python's at a time


def in_turns(rows: Rows, chat: Chat) -> tuple[Rows, dict[str, float]]:
    """The rows; and in how many a message was changed (``rows/control_tokens``), where any."""
    train, changed = _in_turns(rows.train, chat)
    test, more = (None, 0) if rows.test is None else _in_turns(rows.test, chat)
    count = changed + more
    return replace(rows, train=train, test=test), {"rows/control_tokens": float(count)} if count else {}


def _in_turns(table: pa.Table, chat: Chat) -> tuple[pa.Table, int]:
    tokens = [token for token in chat.turns if len(token) > 1]
    changed: set[int] = set()
    for place, field in enumerate(table.schema):
        if not _holds_messages(field.type) or not _spells(table[field.name], tokens):
            continue
        column, found = _column(table[field.name], chat, tokens)
        changed |= found
        table = table.set_column(place, field, column)
    return table, len(changed)


def _holds_messages(kind: pa.DataType) -> bool:
    return bool((types.is_list(kind) or types.is_large_list(kind)) and types.is_struct(kind.value_type))


def _spells(messages: pa.ChunkedArray, tokens: Iterable[str]) -> bool:
    """Whether any message spells out one of them. Arrow looks: of most datasets no row has to become Python's."""
    contents = pc.struct_field(pc.list_flatten(messages), "content")
    return any(pc.any(pc.match_substring(contents, token)).as_py() for token in tokens)


def _column(rows: pa.ChunkedArray, chat: Chat, tokens: Sequence[str]) -> tuple[pa.ChunkedArray, set[int]]:
    """Each row's messages, and which rows are not as they were."""
    parts: list[pa.Array] = []
    changed: set[int] = set()
    for start in range(0, len(rows), _AT_ONCE):
        part = rows.slice(start, _AT_ONCE)
        if not _spells(part, tokens):
            parts += part.chunks
            continue
        was = part.to_pylist()
        read = [messages and [{**one, "content": chat.in_turn(one["content"])} for one in messages] for messages in was]
        changed.update(start + number for number, row in enumerate(read) if row != was[number])
        parts.append(pa.array(read, rows.type))
    return pa.chunked_array(parts, rows.type), changed
