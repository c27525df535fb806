"""What all models behind a network share: key, price, limits and patience, and what makes two of them one account."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from solon.data.records import canonical
from solon.errors import ModelRejected
from solon.keys import LEAST, holds_a_key, masked
from solon.models.base import ChatModel, Limits, Price
from solon.models.prices import Listed

VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""What the name of an environment variable looks like."""


class RemoteModel(ChatModel):
    """A chat model behind a network. Makes one attempt a call; ``solon.stream`` does the rest.

    Attributes:
        model: the model's name as the server knows it.
        answers_as: another name under which that model may answer: what stands behind a deployment or an alias. A reply
            from any other model is an error.
        api_key_env: the *name* of the environment variable that holds the key; null where none is needed.
        price: US dollars for a million tokens, in place of what solon's table of prices says.
        max_usd: cap on what one run may spend on this model, in US dollars.
        concurrency: how many requests may be under way at once; solon finds by itself how many the server bears.
        requests_per_minute: what the account is allowed; none known when left out.
        tokens_per_minute: what the account is allowed, tokens read and written together.
        timeout_s: how long one request may take.
    """

    # a key may stand where a name belongs, and pydantic would show it
    model_config = ConfigDict(hide_input_in_errors=True)

    model: str = Field(min_length=1)
    answers_as: str | None = None
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    price: Price | None = None
    usd_cap: NonNegativeFloat | None = Field(default=None, alias="max_usd")
    concurrency: PositiveInt = 64
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    timeout_s: PositiveFloat = 120.0

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and re.fullmatch(VARIABLE, name) is None:
            # what stands there may be a key, so the message does not show it
            raise ValueError("the name of an environment variable belongs here, never the key itself")
        if name is not None:
            holds_a_key(name)
        return name

    @property
    def name(self) -> str:
        """``model``."""
        return self.model

    @property
    def remote(self) -> bool:
        """Always: the server may charge for a request, even one on this machine that passes it on."""
        return True

    @property
    def max_in_flight(self) -> int:
        """``concurrency``."""
        return self.concurrency

    @property
    def max_usd(self) -> float | None:
        """As set."""
        return self.usd_cap

    @property
    def limits(self) -> Limits:
        """As set."""
        return Limits(requests_per_minute=self.requests_per_minute, tokens_per_minute=self.tokens_per_minute)

    @property
    def server(self) -> str:
        """Who answers, for people: host and path, or the provider's name."""
        return self.kind

    @property
    def who(self) -> str:
        """Model and server, as messages name them."""
        return f"{self.model} at {self.server}"

    @property
    def listed(self) -> Listed | None:
        """Its row in solon's table of prices; none by default."""
        return None

    def cost(self) -> Price | None:
        """``price``; without one, what the table of prices says of short requests; ``None`` where neither is known."""
        return self.listed if self.price is None else self.price

    def price_at(self, input_tokens: int) -> Price | None:
        """As ``cost``, for a request that reads so many tokens."""
        price = self.cost()
        return price.at(input_tokens) if isinstance(price, Listed) else price

    @property
    def provider(self) -> str:
        """The server and the name of the key: one account has one set of limits, whatever the model."""
        return canonical([self.kind, self.server, self.api_key_env])

    def problems(self) -> list[str]:
        """A key that is not there, a price that is not known."""
        found = []
        if self.api_key_env is not None and not os.environ.get(self.api_key_env, "").strip():
            found.append(no_key(self.model, self.api_key_env))
        if self.cost() is None:
            found.append(
                f"the price of {self.model!r} at {self.server} is not known: add `price: {{input: ..., output: ...}}`"
            )
        return found

    def key(self) -> str | None:
        """The key itself, from the environment; ``None`` where none is needed. Never logged, hashed or written.

        Raises:
            ModelRejected: the variable is not set, or holds what no key holds.
        """
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise ModelRejected(no_key(self.model, self.api_key_env))
        if not key.isascii() or not key.isprintable():
            raise ModelRejected(f"the environment variable {self.api_key_env} holds characters that no key has")
        return key


def address(url: str) -> str:
    """An address at which an API begins, without a slash at its end.

    Raises:
        ValueError: it is none, or holds what does not belong there.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "no user, password, query or fragment belongs here; name the key's environment variable in api_key_env"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an address such as https://api.example.com/v1")
    return url.rstrip("/")


def server_of(url: str) -> str:
    """Host, port and path of an address, for people."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


@lru_cache(maxsize=64)
def is_own_address(url: str) -> bool:
    """Whether an address leads to this machine or into a private network."""
    return is_own(urlsplit(url).hostname or "")


def no_key(model: str, variable: str) -> str:
    """What to say where a key is missing."""
    return f"{model} needs a key, and the environment variable {variable} is not set"


CUT = "…"
"""Stands in a message for the rest of what is too long for it."""

_TELLING = 6
"""So much of the beginning of a key is no secret yet: providers begin all of theirs alike."""


def without_key(error: Exception, key: str | None) -> None:
    """Takes the key out of an error's message, should a server have repeated it there; also where it was cut short."""
    if key is not None and len(key) >= LEAST:  # a shorter one stands in many words
        error.args = tuple(_masked(part, key) for part in error.args)


def _masked(part: Any, key: str) -> Any:
    if not isinstance(part, str):
        return part
    part = masked(part, [key], "[key]")
    if CUT in part:
        for length in range(len(key) - 1, _TELLING, -1):
            part = part.replace(f"{key[:length]}{CUT}", f"[key]{CUT}")
    return part


@lru_cache(maxsize=64)
def is_own(host: str) -> bool:
    """Whether a host is this machine or in a private network: by number, or by a name that no public server has."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan"))
    return address.is_private or address.is_loopback or address.is_link_local
