"""Anthropic's Messages wire format: a request written, a reply checked and not trusted, an error told apart.

As ``chat_completions``, which see. What is different: the system prompt stands apart and can be marked for the
provider's cache; a reply is a list of blocks, of which thoughts are some; tokens are counted in three heaps; there are
no log-probabilities and no seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solon.data.records import StopReason, Usage
from solon.errors import ModelError
from solon.models.base import Reply, Request
from solon.models.estimate import most_input_tokens
from solon.models.wire import complaint, count, named_model, shown, status_error, unusable, usage_of

_STOPS: Mapping[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


def body_of(model: str, request: Request, extra: Mapping[str, Any], *, cache: bool, sampling: bool) -> dict[str, Any]:
    """The JSON body of the request. ``extra`` is laid over it; ``None`` in it takes a field out.

    Args:
        model: the model's name.
        request: what is asked. Its system messages become the system prompt; its seed and choices cannot be said.
        extra: fields to add or replace; mappings (``output_config``) are joined.
        cache: marks the end of the system prompt, so that the provider keeps it and all before it.
        sampling: sends the temperature; ``top_p`` in its place when it is not 1, since many models refuse both.
    """
    system: list[dict[str, Any]] = [
        {"type": "text", "text": message.content} for message in request.messages if message.role == "system"
    ]
    if system and cache:
        system[-1]["cache_control"] = {"type": "ephemeral"}
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": [
            {"role": message.role, "content": message.content}
            for message in request.messages
            if message.role != "system"
        ],
    }
    if system:
        body["system"] = system
    if sampling:
        body |= {"temperature": request.temperature} if request.top_p == 1 else {"top_p": request.top_p}
    if request.json_schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": enforceable(request.json_schema)}}
    for name, value in extra.items():
        joins = isinstance(value, Mapping) and isinstance(body.get(name), dict)
        body[name] = {**body[name], **value} if joins else value
    return {name: value for name, value in body.items() if value is not None}


_UNENFORCED = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties",
}  # fmt: skip
_NAMED_BY_USERS = {"properties", "$defs", "definitions"}


def enforceable(schema: Any) -> Any:
    """The schema as Anthropic takes it: objects closed, without bounds of numbers, lengths and counts.

    A reply may then break those bounds, so whoever asked checks it against the whole schema.
    """
    if isinstance(schema, list):
        return [enforceable(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _UNENFORCED or (name == "minItems" and value not in (0, 1)):
            continue
        if name in _NAMED_BY_USERS and isinstance(value, Mapping):
            kept[name] = {own: enforceable(part) for own, part in value.items()}
        else:
            kept[name] = value if name in ("enum", "const", "default", "examples") else enforceable(value)
    if kept.get("type") == "object":
        kept["additionalProperties"] = False
    return kept


# ---------------------------------------------------------------- a reply


def reply_in(
    data: Mapping[str, Any], asked: str, request: Request | None, who: str, *, answers_as: str | None = None
) -> Reply:
    """The checked reply in the body of a response of status 200.

    Args:
        data: the whole body, parsed.
        asked: the name of the model that was asked.
        request: what was asked; without it, tokens must have been counted.
        who: names model and server in messages.
        answers_as: another name under which the model may answer.

    Raises:
        ModelUnavailable: it is no reply: a web page, cut off, empty, of an unknown kind. May have been billed.
        ModelRejected: another model has answered.
    """
    if data.get("type") == "error" or data.get("error"):
        raise unusable(who, f"answered with an error: {shown(data.get('error'))}")
    blocks = data.get("content")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise unusable(who, "answered without content")
    named = named_model(data.get("model"), asked, who, answers_as)
    reason = data.get("stop_reason")
    stop = _STOPS.get(reason) if isinstance(reason, str) else None
    if stop is None:
        # tool_use and pause_turn among them: nobody offered tools
        raise unusable(who, f"ended its reply for a reason that makes no reply, {shown(reason)}")
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts) or (not texts and stop == "end"):
        raise unusable(who, f"answered with {shown(blocks)} in place of a text")
    return Reply(
        text="".join(map(str, texts)) or (_explained(data) if stop == "refused" else ""),
        stop=stop,
        usage=_usage(data.get("usage"), request, who),
        model=named,
    )


def _explained(data: Mapping[str, Any]) -> str:
    """Why a refusal came without a text, where the provider says so."""
    details = data.get("stop_details")
    told = [details.get("category"), details.get("explanation")] if isinstance(details, dict) else []
    return ": ".join(part for part in told if isinstance(part, str))


def _usage(usage: Any, request: Request | None, who: str) -> Usage:
    usage = usage if isinstance(usage, dict) else {}
    fresh = count(usage.get("input_tokens"))
    cached = count(usage.get("cache_read_input_tokens")) or 0
    cache_write = count(usage.get("cache_creation_input_tokens")) or 0
    read = None if fresh is None else fresh + cached + cache_write
    return usage_of(read, count(usage.get("output_tokens")), request, who, cached=cached, cache_write=cache_write)


# ---------------------------------------------------------------- an error


def error_of(
    status: int,
    headers: Mapping[str, str],
    raw: bytes,
    who: str,
    key_name: str | None,
    *,
    request: Request | None = None,
    advice: str = "`extra_body` adds, changes, removes fields",
) -> ModelError | Reply:
    """What a response of another status than 200 means: an error to raise, or a reply that a filter stopped.

    Args:
        status: of HTTP.
        headers: of the response; say how long to wait.
        raw: the body.
        who: names model and server in messages.
        key_name: the environment variable that holds the key, or ``None`` when there is no key.
        request: what was asked. What the filter stopped was read, so it is counted.
        advice: what to do about a request that is not taken as it is.
    """
    said, code = complaint(raw)
    if status == 400 and "content filtering policy" in said.lower():
        read = 0 if request is None else most_input_tokens(request)
        return Reply(text=said, stop="filtered", usage=Usage(input_tokens=read, estimated=True))
    return status_error(status, headers, said, code, who, key_name, advice=advice)
