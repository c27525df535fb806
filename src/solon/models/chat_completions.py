"""The OpenAI chat-completions wire format: a request written, a reply checked and not trusted, an error told apart.

A server may answer 200 with no choices, null content, another model's reply, or a web page; may cut a reply off in the
middle; and may say "quota used up" with the status that means "slow down". Each is recognised here and becomes a
``Reply``, or one of the errors of ``solon.errors`` with what to do about it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from solon.data.records import StopReason, Usage
from solon.errors import ModelError, ModelRejected, ModelUnavailable, PromptTooLong
from solon.models.base import Reply, Request
from solon.models.estimate import most_prompt_tokens, most_tokens

TOP_LOGPROBS = 20
"""The most alternatives that servers list for a token."""

_SHOWN = 300
_STOPS: Mapping[str | None, StopReason] = {
    None: "end",
    "": "end",
    "stop": "end",
    "eos": "end",
    "end_turn": "end",
    "stop_sequence": "end",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "refused",
    "refusal": "refused",
}
_TOO_LONG = re.compile(r"context.{0,20}(length|window)|maximum.{0,20}(context|length)|(prompt|input).{0,20}too long")
_VERSION = re.compile(r"[-@:](\d[\d.-]*|latest|main)")


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
    return {name: value for name, value in {**body, **extra}.items() if value is not None}


# ---------------------------------------------------------------- a reply


def reply_of(raw: bytes, asked: str, request: Request, who: str) -> Reply:
    """The checked reply in the body of a response of status 200.

    Args:
        raw: the whole body.
        asked: the name of the model that was asked.
        request: what was asked.
        who: names model and server in messages.

    Raises:
        ModelUnavailable: it is no reply: a web page, cut off, empty, of an unknown kind. May have been billed.
        ModelRejected: another model has answered.
    """
    data = _object(raw, who)
    if data.get("error"):
        raise _unusable(who, f"answered with an error: {_shown(data['error'])}")
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        raise _unusable(who, "answered without a message")
    named = _model(data.get("model"), asked, who)
    message = first["message"]
    text, stop = _text(message, first.get("finish_reason"), who)
    return Reply(
        text=text,
        stop=stop,
        usage=_usage(data.get("usage"), request, text),
        model=named,
        choices=_choices(first.get("logprobs"), request.choices) if request.choices else None,
    )


def _object(raw: bytes, who: str) -> dict[str, Any]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise _unusable(who, f"answered with something that is not JSON: {_shown(raw)}") from None
    if not isinstance(data, dict):
        raise _unusable(who, f"answered with JSON that is not an object: {_shown(raw)}")
    return data


def _model(named: Any, asked: str, who: str) -> str:
    """What answered, if it is what was asked: that name, or a version of it (``-2024-08-06``, ``:latest``)."""
    if not isinstance(named, str) or not named:
        return asked
    rest = named[len(asked) :]
    if named[: len(asked)].lower() == asked.lower() and (not rest or _VERSION.fullmatch(rest)):
        return named
    raise ModelRejected(f"{who}: {asked!r} was asked and {named!r} has answered; write the name of the one you mean")


def _text(message: Mapping[str, Any], reason: Any, who: str) -> tuple[str, StopReason]:
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal, "refused"
    stop = _STOPS.get(reason) if reason is None or isinstance(reason, str) else None
    if stop is None:
        raise _unusable(who, f"ended its reply for an unknown reason, {_shown(reason)}")
    if isinstance(content, str):
        return content, stop
    if content is None and stop != "end":
        return "", stop
    raise _unusable(who, f"answered with {_shown(content)} in place of a text")


def _usage(usage: Any, request: Request, text: str) -> Usage:
    """The tokens that the server counted. Where it counted none, as many as there can be: no cost is understated."""
    if not isinstance(usage, dict):
        usage = {}
    read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    read = most_prompt_tokens(request.messages) if read is None else read
    written = min(request.max_tokens, most_tokens(text)) if written is None else written
    return Usage(input_tokens=read, output_tokens=written, cached_tokens=min(cached or 0, read))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _choices(logprobs: Any, asked: Sequence[str]) -> dict[str, float] | None:
    """The log-probability of each choice as the first token; ``None`` when the server lists no alternatives.

    Tokens that differ in the white space around them ("A", " A") are one choice, and their probabilities add up.
    """
    try:
        token = logprobs["content"][0]
        listed = token["top_logprobs"] or [token]
        pairs = [(str(one["token"]).strip(), float(one["logprob"])) for one in listed]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    found: dict[str, float] = {}
    for choice in asked:
        mass = math.fsum(math.exp(min(logprob, 0.0)) for text, logprob in pairs if text == choice)
        if mass > 0:
            found[choice] = min(math.log(mass), 0.0)
    return found


def _unusable(who: str, what: str) -> ModelUnavailable:
    return ModelUnavailable(f"{who} {what}", maybe_billed=True)


# ---------------------------------------------------------------- an error


def error_of(status: int, headers: Mapping[str, str], raw: bytes, who: str, key_name: str | None) -> ModelError | Reply:
    """What a response of another status than 200 means: an error to raise, or a reply that a filter refused.

    Args:
        status: of HTTP.
        headers: of the response; ``Retry-After`` is read as seconds or as a date.
        raw: the body.
        who: names model and server in messages.
        key_name: the environment variable that holds the key, or ``None`` when there is no key.
    """
    said, code = _complaint(raw)
    told = f"{who} answered {status}: {said}" if said else f"{who} answered {status}"
    key = f"the key in the environment variable {key_name}" if key_name else "the missing key (set `api_key_env`)"
    if status == 402 or "insufficient_quota" in code or "billing" in code:
        return ModelRejected(f"{told}. The quota of {key} is used up: add credit, or use another key")
    if status == 429:
        return ModelUnavailable(told, retry_after=retry_after(headers), throttled=True)
    if status in (408, 409, 425) or status >= 500:
        return ModelUnavailable(told, retry_after=retry_after(headers))
    if status in (401, 403):
        return ModelRejected(f"{told}. It refuses {key}: check that it is right, and that it may use this model")
    if status in (404, 410):
        return ModelRejected(f"{told}. Check the model's name, and that `base_url` ends where the API begins (/v1)")
    if "content_filter" in code or "content_policy" in code:
        return Reply(text=said, stop="refused")
    if status == 413 or "context_length" in code or _TOO_LONG.search(said.lower()):
        return PromptTooLong(f"{told}. The prompt is too long for this model")
    if 300 <= status < 400:
        return ModelRejected(f"{told}. It sends elsewhere to {_shown(headers.get('Location', '?'))}: see `base_url`")
    return ModelRejected(f"{told}. It does not take the request as it is: `extra_body` adds, changes, removes fields")


def _complaint(raw: bytes) -> tuple[str, str]:
    """What the body of an error says for people, and its code and type for us."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return "", ""
    error = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(error, dict):
        return _shown(error), ""
    said = next((error[name] for name in ("message", "detail", "msg") if error.get(name)), "")
    return _shown(said) if said else "", f"{error.get('code')} {error.get('type')}".lower()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: ``Retry-After`` in seconds or as an HTTP date; ``None`` without one."""
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        # against the server's own clock, which need not be ours
        now = _date(headers.get("Date", "")) or datetime.now(UTC)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _shown(value: Any) -> str:
    """A short, printable form of what a server sent, for a message."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    text = text if isinstance(text, str) else json.dumps(text, default=str)
    text = " ".join("".join(char if char.isprintable() or char.isspace() else "?" for char in text).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
