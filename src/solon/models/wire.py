"""What the wire formats of all providers share: a body read strictly, a status told apart, a text fit for a message."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from solon.data.records import Usage
from solon.errors import ModelError, ModelRejected, ModelUnavailable, PromptTooLong
from solon.models.base import Request
from solon.models.estimate import most_input_tokens
from solon.models.remote import CUT

MOST_BYTES = 10_000_000
"""A larger reply is not read: no reply within ``max_tokens`` is that long."""

_SHOWN = 300
_VERSION = re.compile(r"[-@:](\d[\d.-]*|latest|main)")
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|limit|size)|maximum.{0,20}(context|length)|(prompt|input).{0,20}too long"
    r"|input token count.{0,30}exceeds|inputs. tokens \+ .max_new_tokens"
)
_NO_MONEY = re.compile(r"credit balance|insufficient (account )?(balance|credits?|funds)")
_QUOTA_CODES = ("insufficient_quota", "billing", "credit_balance")

# ---------------------------------------------------------------- a reply


def json_object(raw: bytes, who: str) -> dict[str, Any]:
    """The JSON object that is the whole body of a response of status 200.

    Raises:
        ModelUnavailable: it is none: a web page, cut off, a list.
    """
    try:
        data = from_json(raw)
    except ValueError:
        data = _lenient(raw, who)
    if not isinstance(data, dict):
        raise unusable(who, f"answered with JSON that is not an object: {shown(raw)}")
    return data


def json_bytes(body: Mapping[str, Any]) -> bytes:
    """The body of a request. A text that is no Unicode goes out as escapes."""
    try:
        return to_json(body)
    except PydanticSerializationError:
        return json.dumps(body).encode()


def _lenient(raw: bytes, who: str) -> Any:
    """As JSON of Python's kind, which also takes half of a surrogate pair."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise unusable(who, f"answered with something that is not JSON: {shown(raw)}") from None


def unusable(who: str, what: str) -> ModelUnavailable:
    """An answer of status 200 that is no reply. Asking again may heal it; it may be on the bill."""
    return ModelUnavailable(f"{who} {what}", maybe_billed=True, malformed=True)


def named_model(named: Any, asked: str, who: str, answers_as: str | None = None) -> str:
    """What answered, if it is what was asked: that name, or a version of it (``-2024-08-06``, ``:latest``).

    Args:
        named: what the server says has answered; where it says nothing, it is believed.
        asked: the name that was asked.
        who: names model and server in messages.
        answers_as: another name under which the model may answer.

    Raises:
        ModelRejected: another model has answered.
    """
    if named == asked or not isinstance(named, str) or not named:
        return asked
    for name in (asked, answers_as):
        if name and named[: len(name)].lower() == name.lower():
            rest = named[len(name) :]
            if not rest or _VERSION.fullmatch(rest):
                return named
    raise ModelRejected(
        f"{who}: {asked!r} was asked and {shown(named)!r} has answered; write the name of the one you mean, or set "
        "`answers_as` if both are the same model"
    )


def count(value: Any) -> int | None:
    """A number of tokens, if it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def usage_of(
    read: int | None,
    written: int | None,
    request: Request | None,
    who: str,
    *,
    cached: int | None = None,
    cache_write: int | None = None,
) -> Usage:
    """The tokens that the server counted. Where it counted none, as many as there can be: no cost is understated.

    Args:
        read: all tokens that were read, as counted; ``None`` where they were not.
        written: all tokens that were written, hidden reasoning included.
        request: what was asked; without it nothing can be estimated.
        who: names model and server in messages.
        cached: of those read, the ones from a cache.
        cache_write: of those read, the ones written into a cache.

    Raises:
        ModelUnavailable: nothing was counted, and there is no request to estimate from.
    """
    estimated = False
    if not read or written is None:  # a prompt of no tokens was not counted: litellm writes 0 where it knows nothing
        if request is None:
            raise unusable(who, "did not say how many tokens it read and wrote")
        estimated = True
        read = read or most_input_tokens(request)
        written = written or request.max_tokens  # not what the text has: a model that reasons out of sight writes more
    cached = min(cached or 0, read)
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=min(cache_write or 0, read - cached),
        estimated=estimated,
    )


# ---------------------------------------------------------------- an error


def status_error(
    status: int,
    headers: Mapping[str, str],
    said: str,
    code: str,
    who: str,
    key_name: str | None,
    *,
    advice: str = "`extra_body` adds, changes, removes fields",
) -> ModelError:
    """What a response of another status than 200 means.

    Args:
        status: of HTTP.
        headers: of the response; says how long to wait.
        said: what the body says, for people.
        code: codes and types in the body, in lower case.
        who: names model and server in messages.
        key_name: the environment variable that holds the key, or ``None`` when there is no key.
        advice: what to do about a request that is not taken as it is.
    """
    told = f"{who} answered {status}: {said}" if said else f"{who} answered {status}"
    key = f"the key in the environment variable {key_name}" if key_name else "the missing key (set `api_key_env`)"
    if is_quota(status, said, code):
        return ModelRejected(f"{told}. The quota of {key} is used up: add credit, or use another key")
    if status in (429, 529):  # 529: Anthropic is overloaded, and asks everybody for fewer requests
        return ModelUnavailable(told, retry_after=retry_after(headers), throttled=True)
    if status in (408, 409, 425) or status >= 500:
        return ModelUnavailable(told, retry_after=retry_after(headers))
    if status in (401, 403):
        return ModelRejected(f"{told}. It refuses {key}: check that it is right, and that it may use this model")
    if status in (404, 410):
        return ModelRejected(f"{told}. Check the model's name, and that `base_url` ends where the API begins")
    if status == 413 or is_too_long(said, code):
        return PromptTooLong(f"{told}. The prompt is too long for this model")
    if 300 <= status < 400:
        return ModelRejected(f"{told}. It sends elsewhere to {shown(headers.get('Location', '?'))}: see `base_url`")
    return ModelRejected(f"{told}. It does not take the request as it is: {advice}")


def is_quota(status: int, said: str, code: str) -> bool:
    """Whether an error means that there is no money left, whatever its status."""
    return status == 402 or any(one in code for one in _QUOTA_CODES) or bool(_NO_MONEY.search(said.lower()))


def is_too_long(said: str, code: str) -> bool:
    """Whether an error means that the prompt does not fit into the model's context."""
    said = said.lower()
    if "string too long" in said or "expected a string" in said:
        return False  # another field of the request, which has a maximum length of its own
    return "context_length" in code or "exceed_context" in code or bool(_TOO_LONG.search(said))


LONGEST_BY_OUR_CLOCK_S = 60.0
"""What a date to wait until counts at most where it has to be read by the clock of this machine."""


def complaint(raw: bytes) -> tuple[str, str]:
    """What the body of an error says for people, and its codes and types for us, in lower case."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return "", ""
    error = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(error, dict):
        return shown(error), ""
    said = next((error[name] for name in ("message", "detail", "msg") if error.get(name)), "")
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    return shown(said) if said else "", " ".join(str(code) for code in codes).lower()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, or ``None``.

    ``retry-after-ms`` in milliseconds goes before ``Retry-After`` in seconds or as an HTTP date. Where one came several
    times, through gateways that add their own, the longest counts.
    """
    finer = [found / 1000 for value in _every(headers, "retry-after-ms") if (found := _finite(value)) is not None]
    now = _date(headers.get("Date", ""))  # the server's own clock, which need not be ours
    waits = finer or [wait for value in _every(headers, "Retry-After") if (wait := _seconds(value, now)) is not None]
    return max(0.0, *waits) if waits else None


def _every(headers: Mapping[str, str], name: str) -> list[str]:
    """All values of a header: aiohttp gives them with ``getall``, httpx with ``get_list``, a mapping has one."""
    if (every := getattr(headers, "getall", None)) is not None:
        return [*every(name, ())]
    if (every := getattr(headers, "get_list", None)) is not None:
        return [*every(name)]
    return [headers.get(name, "")]


def _seconds(value: str, now: datetime | None) -> float | None:
    """From a number of seconds or a date, which the server does not say its own time to: ours may be wrong by days."""
    seconds, until = _finite(value), _date(value.strip(), naive_is_utc=True)
    if seconds is not None or until is None:
        return seconds
    if now is None:
        return min((until - datetime.now(UTC)).total_seconds(), LONGEST_BY_OUR_CLOCK_S)
    return (until - now).total_seconds()


def _finite(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(value: str, *, naive_is_utc: bool = False) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        return date.replace(tzinfo=UTC) if naive_is_utc else None
    return date


def shown(value: Any) -> str:
    """A short, printable form of what a server sent, for a message."""
    text = value[: 8 * _SHOWN].decode("utf-8", "replace") if isinstance(value, bytes) else value
    text = text if isinstance(text, str) else json.dumps(text, default=str)
    text = " ".join("".join(char if char.isprintable() or char.isspace() else "?" for char in text).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + CUT
