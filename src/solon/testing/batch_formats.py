"""How OpenAI and Anthropic write a batch and its results, and what may become of a request in one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Any

from solon.data.records import digest

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


class RowFault(StrEnum):
    """What may come of one request of a batch in place of a reply."""

    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "the server's error"
    REFUSED = "an invalid request"
    TOO_LONG = "a prompt too long"
    QUOTA = "no money left"
    SPOILT = "status 200, and no text"
    MISSING = "no line at all"
    GARBLED = "a line that is no JSON"
    NAMELESS = "a line that is no JSON, and does not say whose it is"


@dataclass
class ServedBatch:
    """A batch as the server has it.

    Attributes:
        provider: ``openai`` or ``anthropic``.
        rows: the body of each request, by its ``custom_id``.
        metadata: OpenAI's; empty at Anthropic.
        created: in seconds since 1970.
        looks: how often it was looked at.
        cancelled: whether it was.
        problem: the code of the error for which all of it was refused.
    """

    id: str
    provider: str
    rows: Mapping[str, Mapping[str, Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    created: float = 0.0
    looks: int = 0
    cancelled: bool = False
    problem: str | None = None


def openai_batch(batch: ServedBatch, came: Counter[RowFault | None] | None) -> dict[str, Any]:
    """A batch as OpenAI shows it; ``came`` is what became of its requests, once it has ended."""
    total = len(batch.rows)
    good = 0 if came is None else came[None] + came[RowFault.SPOILT]
    if batch.problem is not None:
        status = "failed" if batch.looks else "validating"
    elif came is not None:
        status = "cancelled" if batch.cancelled else "expired" if came[RowFault.EXPIRED] else "completed"
    else:
        status = "cancelling" if batch.cancelled else "in_progress" if batch.looks else "validating"
    error = {"code": batch.problem, "message": f"refused: {batch.problem}", "line": None, "param": None}
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": CHAT,
        "status": status,
        "metadata": dict(batch.metadata),
        "created_at": int(batch.created),
        "errors": {"object": "list", "data": [error]} if status == "failed" else None,
        "request_counts": {"total": total, "completed": good, "failed": 0 if came is None else total - good},
        "output_file_id": f"{batch.id}--output" if good else None,
        "error_file_id": f"{batch.id}--error" if came is not None and good < total else None,
    }


def anthropic_batch(batch: ServedBatch, came: Counter[RowFault | None] | None) -> dict[str, Any]:
    """A batch as Anthropic shows it; ``came`` is what became of its requests, once it has ended."""
    total = len(batch.rows)
    if came is None:
        counts = {"processing": total, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    else:
        good = came[None] + came[RowFault.SPOILT]
        expired, cancelled = came[RowFault.EXPIRED], came[RowFault.CANCELLED]
        counts = {"processing": 0, "succeeded": good, "expired": expired, "canceled": cancelled}
        counts["errored"] = total - sum(counts.values())
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if came is not None else "canceling" if batch.cancelled else "in_progress",
        "request_counts": counts,
        "created_at": datetime.fromtimestamp(batch.created, UTC).isoformat(),
        "results_url": None if came is None else f"https://elsewhere.example/{batch.id}/results",
    }


def drawn(shares: Mapping[RowFault, float], seed: int) -> Callable[[str, int], RowFault | None]:
    """Decides on each request by its last message, and how often it came before: shares are probabilities."""

    def row(text: str, times: int) -> RowFault | None:
        drawn = Random(f"{seed}:{digest(text)}:{times}").random()
        for fault, share in shares.items():
            drawn -= share
            if drawn < 0:
                return fault
        return None

    return row


def text_of(body: Mapping[str, Any]) -> str:
    """The last message of a request."""
    return str(body["messages"][-1]["content"])


def checked_lines(raw: bytes) -> tuple[dict[str, Mapping[str, Any]], str | None]:
    """The requests in an uploaded file, and the code of what is wrong with it."""
    rows: dict[str, Mapping[str, Any]] = {}
    for line in raw.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            return {}, "invalid_json_line"
        if one.get("method") != "POST" or one.get("url") != CHAT or not isinstance(one.get("body"), dict):
            return {}, "invalid_request"
        if one["custom_id"] in rows:
            return {}, "duplicate_custom_id"
        rows[one["custom_id"]] = one["body"]
    return rows, None if rows else "empty_file"


_OPENAI_ERRORS = {
    RowFault.FAILED: (500, "server_error", "the server had an error"),
    RowFault.REFUSED: (400, "invalid_request_error", "this request is not valid"),
    RowFault.TOO_LONG: (400, "context_length_exceeded", "this model's maximum context length is 8 tokens"),
    RowFault.QUOTA: (429, "insufficient_quota", "you exceeded your current quota"),
}


def openai_line(name: str, reply: dict[str, Any], fault: RowFault | None) -> tuple[str, dict[str, Any]]:
    """A result as OpenAI writes it, and the file that it stands in: ``output`` or ``error``."""
    line: dict[str, Any] = {"id": f"batch_req_{name[:8]}", "custom_id": name, "response": None, "error": None}
    if fault in (RowFault.EXPIRED, RowFault.CANCELLED):
        code = "batch_expired" if fault is RowFault.EXPIRED else "batch_cancelled"
        return "error", {**line, "error": {"code": code, "message": f"this request was not executed: {code}"}}
    if fault in _OPENAI_ERRORS:
        status, code, said = _OPENAI_ERRORS[fault]
        body: Any = {"error": {"message": said, "type": code, "code": code}}
        return "error", {**line, "response": {"status_code": status, "request_id": name[:8], "body": body}}
    if fault is RowFault.SPOILT:
        reply["choices"][0]["message"]["content"] = None
    return "output", {**line, "response": {"status_code": 200, "request_id": name[:8], "body": reply}}


_ANTHROPIC_ERRORS = {
    RowFault.FAILED: ("api_error", "internal server error"),
    RowFault.REFUSED: ("invalid_request_error", "this request is not valid"),
    RowFault.TOO_LONG: ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    RowFault.QUOTA: ("billing_error", "your credit balance is too low"),
}


def anthropic_line(name: str, reply: dict[str, Any], fault: RowFault | None) -> tuple[str, dict[str, Any]]:
    """A result as Anthropic writes it. There is one file, which has no name."""
    if fault in (RowFault.EXPIRED, RowFault.CANCELLED):
        return "", {"custom_id": name, "result": {"type": "expired" if fault is RowFault.EXPIRED else "canceled"}}
    if fault in _ANTHROPIC_ERRORS:
        kind, said = _ANTHROPIC_ERRORS[fault]
        error = {"type": "error", "error": {"type": kind, "message": said}, "request_id": name[:8]}
        return "", {"custom_id": name, "result": {"type": "errored", "error": error}}
    if fault is RowFault.SPOILT:
        reply["content"] = []
    return "", {"custom_id": name, "result": {"type": "succeeded", "message": reply}}
