"""Every way in which ``FaultServer`` fails, and what it remembers of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """One way to fail; the value says it in words. Some leave the reply whole: a good client takes it."""

    THROTTLED = "429"
    THROTTLED_WITH_DATE = "429 with a date in Retry-After"
    THROTTLED_WITH_SECONDS = "429 with seconds in Retry-After"
    THROTTLED_WITH_MILLISECONDS = "429 with retry-after-ms"
    THROTTLED_TWICE = "429 with two Retry-After, a shorter and a longer one"
    INTERNAL_ERROR = "500"
    BAD_GATEWAY = "502, a web page"
    OVERLOADED = "503, or 529 of Anthropic, with Retry-After"
    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    QUOTA_USED_UP = "429 insufficient_quota, or 400 of Anthropic for want of credit"
    TOO_LONG = "400, the prompt is too long"
    FILTERED_PROMPT = "400, stopped by a content filter"
    REDIRECT = "307"
    RESET_BEFORE = "the connection is reset before the response"
    RESET_DURING = "the connection is reset in the middle of the body"
    RESET_AFTER = "200, and the connection is reset after the whole body"
    HANG = "no response, ever"
    DRIP = "a body that never ends"
    SLOW = "200, a body that comes in drops, and ends"
    TRUNCATED = "a body that ends too early"
    TWO_LENGTHS = "200, two Content-Length, of which one is wrong"
    TWO_TYPES = "200, two Content-Type, of which one is wrong"
    WEB_PAGE = "200, a web page"
    WRONG_JSON = "200, JSON of another shape"
    ERROR_IN_REPLY = "200, an error in the body"
    EMPTY_CHOICES = "200, no choices, or no content"
    NULL_CONTENT = "200, null content"
    UNKNOWN_STOP = "200, ended for a reason that makes no reply"
    HUGE = "200, more than 10 MB"
    FILTERED = "200, stopped by a content filter"
    REFUSED = "200, refused by the model"
    CUT_OFF = "200, cut off at max_tokens"
    WRONG_MODEL = "200, from another model"
    NO_USAGE = "200, tokens not counted"


HEALING = (
    Fault.THROTTLED,
    Fault.THROTTLED_WITH_SECONDS,
    Fault.INTERNAL_ERROR,
    Fault.BAD_GATEWAY,
    Fault.OVERLOADED,
    Fault.RESET_BEFORE,
    Fault.RESET_DURING,
    Fault.TRUNCATED,
    Fault.WEB_PAGE,
    Fault.WRONG_JSON,
    Fault.EMPTY_CHOICES,
    Fault.NULL_CONTENT,
)
"""The faults that pass when the request is made again, and that cost no time."""


@dataclass(frozen=True)
class Asked:
    """A request as the server sees it.

    Attributes:
        body: its JSON.
        key: 16 hexadecimal digits of the hash of the body.
        times: how often the same body came before.
        position: how many requests came before, of any body.
    """

    body: Mapping[str, Any]
    key: str
    times: int
    position: int

    @property
    def text(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"])
