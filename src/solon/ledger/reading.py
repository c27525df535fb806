"""What the ledger tells: single replies, the whole of it, what is in doubt, and sums."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from solon.data.records import Usage
from solon.ledger.checksums import REPLIES, check
from solon.ledger.owners import Owners
from solon.ledger.rows import NANO, Batch, Call, Doubt, Entry, Total, id_of
from solon.models.base import Reply, Request

_ROWS_AT_ONCE = 500

_REPLY = f"{REPLIES} WHERE key = ?"

_ENTRIES = """
SELECT replies.*, name, description
FROM replies JOIN models ON models.id = replies.model
WHERE (:run IS NULL OR run = :run) AND (:stage IS NULL OR stage = :stage)
ORDER BY replies.rowid
"""

_OPEN_CALLS = """
SELECT s.key, s.run, s.stage, m.name, s.request, s.reserved_nano_usd, s.sent_at, s.owner, s.doubtful,
       EXISTS (SELECT 1 FROM replies WHERE replies.key = s.key)
FROM sent s JOIN models m ON m.id = s.model LEFT JOIN batches b ON b.id = s.batch
WHERE (:run IS NULL OR s.run = :run) AND (s.doubtful OR b.phase IS NOT 'submitted')
ORDER BY s.id
"""

_OPEN_CALL = """
SELECT s.key, m.name, m.description, s.request, s.run, s.stage
FROM sent s JOIN models m ON m.id = s.model WHERE s.id = ?
"""

_BATCHES = """
SELECT b.label, b.remote, b.provider, m.name, b.run, b.stage, b.requests,
       (SELECT COUNT(*) FROM sent WHERE sent.batch = b.id AND NOT doubtful),
       b.phase, b.owner, b.submitted_at, b.ended_at
FROM batches b JOIN models m ON m.id = b.model
WHERE :run IS NULL OR b.run = :run
ORDER BY b.id
"""

_HAS_REPLIES = "SELECT 1 FROM replies WHERE model = ? LIMIT 1"

_KNOWN = "SELECT 1 FROM models WHERE id = ?"

_SUMS = """
SELECT m.name, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cached_tokens), SUM(nano_usd)
FROM replies r JOIN models m ON m.id = r.model
WHERE :run IS NULL OR r.run = :run
GROUP BY m.name
"""


def reply_of(text: str) -> Reply:
    """The reply that was written out as JSON."""
    try:
        return Reply.model_validate_json(text)
    except ValidationError:
        # half of a surrogate pair, which is no JSON to pydantic
        return Reply.model_validate(json.loads(text))


def request_of(text: str) -> Request:
    """The request that was written out as JSON."""
    return Request.model_validate(json.loads(text))


def find(connection: sqlite3.Connection, key: str) -> Reply | None:
    """The reply to one call."""
    for _, text in texts_of(connection.execute(_REPLY, (key,))):
        return reply_of(text)
    return None


def texts_of(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[str, str]]:
    """The key and the text of each reply that ``REPLIES`` finds. ``Changed`` where one is not what was written."""
    for row in rows:
        check(row)
        yield row[0], row[5]


def entries(connection: sqlite3.Connection, run: str | None, stage: str | None) -> Iterator[Entry]:
    """All replies in the order in which they were recorded, a few hundred in memory at a time."""
    cursor = connection.execute(_ENTRIES, {"run": run, "stage": stage})
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            *written, model, description = row
            check(written)
            key, _, of_run, of_stage, request, reply, _, _, _, cost, sent_at, replied_at = written[:12]
            yield Entry(
                key=key,
                run=of_run,
                stage=of_stage,
                model=model,
                description=json.loads(description),
                request=request_of(request),
                reply=reply_of(reply),
                cost_usd=cost / NANO,
                sent_at=sent_at,
                replied_at=replied_at,
            )


def in_doubt(connection: sqlite3.Connection, owners: Owners, run: str | None) -> list[Doubt]:
    """The calls that were sent and whose end nobody knows, oldest first."""
    rows = connection.execute(_OPEN_CALLS, {"run": run}).fetchall()
    return [
        Doubt(
            key=key,
            run=of_run,
            stage=stage,
            model=model,
            request=request_of(request),
            reserved_usd=reserved / NANO,
            sent_at=sent_at,
            answered=bool(answered),
        )
        for key, of_run, stage, model, request, reserved, sent_at, owner, doubtful, answered in rows
        if doubtful or not owners.alive(owner)
    ]


def open_call(connection: sqlite3.Connection, ticket: int) -> Call | None:
    """The call that was sent with this ticket, as long as it is open."""
    row = connection.execute(_OPEN_CALL, (ticket,)).fetchone()
    if row is None:
        return None
    key, model, description, request, run, stage = row
    return Call(key, model, description, request, run, stage)


def batches(connection: sqlite3.Connection, owners: Owners, run: str | None) -> list[Batch]:
    """Every batch, oldest first."""
    rows = connection.execute(_BATCHES, {"run": run}).fetchall()
    return [
        Batch(
            label=label,
            id=remote,
            provider=provider,
            model=model,
            run=of_run,
            stage=stage,
            requests=requests,
            open=still_open,
            # one that a process left after the last reply, and before it could say so
            phase="collected" if phase == "submitted" and not still_open and not owners.alive(owner) else phase,
            at_work=phase in ("submitting", "submitted") and owners.alive(owner),
            submitted_at=submitted_at,
            ended_at=ended_at,
        )
        for (
            label,
            remote,
            provider,
            model,
            of_run,
            stage,
            requests,
            still_open,
            phase,
            owner,
            submitted_at,
            ended_at,
        ) in rows
    ]


def knows(connection: sqlite3.Connection, description: str) -> bool:
    """Whether the model of that description was ever asked."""
    return connection.execute(_KNOWN, (id_of(description),)).fetchone() is not None


def has_replies(connection: sqlite3.Connection, description: str) -> bool:
    """Whether the model of that description ever replied."""
    return connection.execute(_HAS_REPLIES, (id_of(description),)).fetchone() is not None


def totals(connection: sqlite3.Connection, doubts: list[Doubt], run: str | None) -> list[Total]:
    """Replies, tokens and dollars by model, in the alphabetical order of their names."""
    paid = {
        name: (replies, Usage(input_tokens=read, output_tokens=written, cached_tokens=cached), cost / NANO)
        for name, replies, read, written, cached, cost in connection.execute(_SUMS, {"run": run})
    }
    doubtful: dict[str, list[float]] = {}
    for doubt in doubts:
        doubtful.setdefault(doubt.model, []).append(doubt.reserved_usd)
    return [
        Total(name, *paid.get(name, (0, Usage(), 0.0)), len(doubtful.get(name, ())), sum(doubtful.get(name, ())))
        for name in sorted(paid.keys() | doubtful.keys())
    ]
