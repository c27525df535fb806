"""The OpenAI chat-completions wire format: a request written, a reply checked and not trusted, an error told apart.

A server may answer 200 with no choices, null content, another model's reply, or a web page; may cut a reply off in the
middle; and may say "quota used up" with the status that means "slow down". Each is recognised here and becomes a
``Reply``, or one of the errors of ``solon.errors`` with what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from solon.data.records import StopReason, Usage
from solon.errors import ModelError
from solon.models.base import Reply, Request
from solon.models.estimate import most_input_tokens
from solon.models.wire import complaint, count, json_object, named_model, shown, status_error, unusable, usage_of

TOP_LOGPROBS = 20
"""The most alternatives that servers list for a token."""

_STOPS: Mapping[str | None, StopReason] = {
    None: "end",
    "": "end",
    "stop": "end",
    "eos": "end",
    "end_turn": "end",
    "stop_sequence": "end",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filtered",
    "refusal": "refused",
}


def body_of(model: str, request: Request, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body of the request. ``extra`` is laid over it; ``None`` in it takes a field out."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    if request.top_p != 1:
        body["top_p"] = request.top_p
    if request.seed is not None:
        body["seed"] = request.seed
    if request.choices:
        body["logprobs"] = True
        body["top_logprobs"] = TOP_LOGPROBS
    if request.json_schema is not None:
        body["response_format"] = response_format(request.json_schema)
    if not extra:
        return body
    return {name: value for name, value in {**body, **extra}.items() if value is not None}


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The field that holds a reply to ``schema``; ``strict`` where the schema is of the kind that can be enforced."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": dict(schema), "strict": _is_strict(schema)},
    }


def _is_strict(schema: Any) -> bool:
    """Whether each object in the schema is closed and requires all that it names, as OpenAI demands of strict ones."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        named = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(required, list) or set(required) != named:
            return False
    return all(map(_is_strict, schema.values()))


# ---------------------------------------------------------------- a reply


def reply_of(raw: bytes, asked: str, request: Request, who: str, *, answers_as: str | None = None) -> Reply:
    """The checked reply in the body of a response of status 200.

    Args:
        raw: the whole body.
        asked: the name of the model that was asked.
        request: what was asked.
        who: names model and server in messages.
        answers_as: another name under which the model may answer.

    Raises:
        ModelUnavailable: it is no reply: a web page, cut off, empty, of an unknown kind. May have been billed.
        ModelRejected: another model has answered.
    """
    return reply_in(json_object(raw, who), asked, request, who, answers_as=answers_as)


def reply_in(
    data: Mapping[str, Any], asked: str, request: Request | None, who: str, *, answers_as: str | None = None
) -> Reply:
    """As ``reply_of``, of a body that is parsed already.

    Without a request (a line of a batch, picked up by another process), tokens must have been counted, and ``choices``
    holds every token that is listed.
    """
    if data.get("error"):
        raise unusable(who, f"answered with an error: {shown(data['error'])}")
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        raise unusable(who, "answered without a message")
    named = named_model(data.get("model"), asked, who, answers_as)
    text, stop = _text(first["message"], first.get("finish_reason"), who)
    listed = request is None or bool(request.choices)
    return Reply(
        text=text,
        stop=stop,
        usage=_usage(data.get("usage"), request, who),
        model=named,
        choices=_choices(first.get("logprobs"), None if request is None else request.choices) if listed else None,
    )


def _text(message: Mapping[str, Any], reason: Any, who: str) -> tuple[str, StopReason]:
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal, "refused"
    stop = _STOPS.get(reason) if reason is None or isinstance(reason, str) else None
    if stop is None:
        raise unusable(who, f"ended its reply for an unknown reason, {shown(reason)}")
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        # in parts, as some models that reason answer: their thoughts are parts of another type
        texts = [part.get("text") for part in content if part.get("type") == "text"]
        content = "".join(map(str, texts)) if texts else None
    if isinstance(content, str):
        return content, stop
    if content is None and stop != "end":
        return "", stop
    raise unusable(who, f"answered with {shown(content)} in place of a text")


def _usage(usage: Any, request: Request | None, who: str) -> Usage:
    usage = usage if isinstance(usage, dict) else {}
    read, written = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    if not isinstance(details, dict):
        return usage_of(read, written, request, who)
    cached, cache_write = count(details.get("cached_tokens")), count(details.get("cache_write_tokens"))
    return usage_of(read, written, request, who, cached=cached, cache_write=cache_write)


def _choices(logprobs: Any, asked: Sequence[str] | None) -> dict[str, float] | None:
    """The log-probability of each choice as the first token; ``None`` when the server lists no alternatives.

    Tokens that differ in the white space around them ("A", " A") are one choice, and their probabilities add up.
    """
    if logprobs is None:
        return None
    try:
        token = logprobs["content"][0]
        listed = token["top_logprobs"] or [token]
        pairs = [(str(one["token"]).strip(), float(one["logprob"])) for one in listed]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    found: dict[str, float] = {}
    for choice in dict.fromkeys(text for text, _ in pairs) if asked is None else asked:
        mass = math.fsum(math.exp(min(logprob, 0.0)) for text, logprob in pairs if text == choice)
        if mass > 0:
            found[choice] = min(math.log(mass), 0.0)
    return found


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
        request: what was asked. A provider may charge for a prompt that its filter stops, so it is counted.
        advice: what to do about a request that is not taken as it is.
    """
    said, code = complaint(raw)
    if status == 400 and ("content_filter" in code or "content_policy" in code or "responsibleai" in code):
        read = 0 if request is None else most_input_tokens(request)
        return Reply(text=said, stop="filtered", usage=Usage(input_tokens=read, estimated=True))
    return status_error(status, headers, said, code, who, key_name, advice=advice)
