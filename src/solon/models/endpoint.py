"""``endpoint``: any server that speaks OpenAI chat completions: vLLM, SGLang, Ollama, llama.cpp, TGI, or a provider.

kind: endpoint
base_url: http://localhost:8000/v1
model: meta-llama/Llama-3.1-8B-Instruct
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import ClassVar
from urllib.parse import urlsplit

import aiohttp
from pydantic import Field, JsonValue, PositiveFloat, PositiveInt, PrivateAttr, field_validator

from solon.errors import ModelError, ModelRejected, ModelUnavailable
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.chat_completions import body_of, error_of, reply_of

MOST_BYTES = 10_000_000
"""A larger reply is not read: no reply within ``max_tokens`` is that long."""

CONNECT_S = 30.0
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""What the name of an environment variable looks like."""


class Endpoint(ChatModel):
    """A chat model behind an OpenAI-compatible server. Makes one attempt a call; ``solon.stream`` does the rest.

    Where the server does not count tokens, as many are charged as there can be (``solon.models.estimate``).

    Attributes:
        base_url: where the API begins; ``/chat/completions`` is added to it.
        model: the model's name as the server knows it.
        api_key_env: the *name* of the environment variable that holds the key; leave it out where none is needed.
        price: US dollars for a million tokens; servers on this machine or in a private network are free without it.
        concurrency: how many requests may be under way at once.
        timeout_s: how long one request may take.
        extra_body: fields to add to each request or to put in place of ours; null takes one out. No secrets: settings
            are hashed and written out.
    """

    kind: ClassVar[str] = "endpoint"

    base_url: str
    model: str = Field(min_length=1)
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    price: Price | None = None
    concurrency: PositiveInt = 64
    timeout_s: PositiveFloat = 120.0
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)

    _session: aiohttp.ClientSession | None = PrivateAttr(default=None)
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(default=None)

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and re.fullmatch(VARIABLE, name) is None:
            # what stands there may be a key, so the message does not show it
            raise ValueError("the name of an environment variable belongs here, never the key itself")
        return name

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an address such as https://api.example.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "no user, password, query or fragment belongs here; name the key's variable in api_key_env"
            )
        return url.rstrip("/").removesuffix("/chat/completions")

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
    def server(self) -> str:
        """Host, port and path, for people."""
        parts = urlsplit(self.base_url)
        return f"{parts.netloc}{parts.path}"

    def cost(self) -> Price | None:
        """``price``; without one, nothing for a server of one's own and unknown for any other."""
        if self.price is None and _is_own(urlsplit(self.base_url).hostname or ""):
            return Price(input=0, output=0)
        return self.price

    def describe(self) -> dict[str, object]:
        """Model, extra fields and, for a public server, its address.

        A server of one's own is described by its model alone: its port is another after each start, and the replies
        that it gave before are as good. So two models of one's own need two names.
        """
        server = None if _is_own(urlsplit(self.base_url).hostname or "") else self.server
        return {"kind": self.kind, "model": self.model, "server": server, "extra_body": dict(self.extra_body)}

    def problems(self) -> list[str]:
        """A key that is not there, a price that is not known."""
        found = []
        if self.api_key_env is not None and not os.environ.get(self.api_key_env, "").strip():
            found.append(_no_key(self.model, self.api_key_env))
        if self.cost() is None:
            found.append(
                f"the price of {self.model!r} at {self.server} is not known: add `price: {{input: ..., output: ...}}`"
            )
        return found

    async def complete(self, request: Request) -> Reply:
        """One request, one attempt, one checked reply."""
        body = body_of(self.model, request, self.extra_body)
        who = f"{self.model} at {self.server}"
        key = self._key()
        async with (
            self._boundary(who, key),
            self._connect(key).post(f"{self.base_url}/chat/completions", json=body, allow_redirects=False) as response,
        ):
            raw = await _read(response, who)
            if response.status == 200:
                return reply_of(raw, self.model, request, who)
            meant = error_of(response.status, response.headers, raw, who, self.api_key_env)
            if isinstance(meant, ModelError):
                raise meant
            return meant

    async def aclose(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _key(self) -> str | None:
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise ModelRejected(_no_key(self.model, self.api_key_env))
        if not key.isascii() or not key.isprintable():
            raise ModelRejected(f"the environment variable {self.api_key_env} holds characters that no key has")
        return key

    def _connect(self, key: str | None) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {key}"} if key else None,
                # the stream bounds what is under way; a second bound would only hide where calls wait
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self.timeout_s, sock_connect=CONNECT_S),
            )
        return self._session

    @asynccontextmanager
    async def _boundary(self, who: str, key: str | None) -> AsyncIterator[None]:
        """The one place where aiohttp's errors become ours, and where no message may hold the key."""
        try:
            yield
        except ModelError as error:
            if key is not None and key in str(error):
                error.args = (str(error).replace(key, "[key]"),)
            raise
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, aiohttp.InvalidURL) as error:
            raise ModelRejected(f"{who} cannot be reached safely ({error}): check `base_url`") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ModelUnavailable(f"{who} cannot be reached ({error}): is it running?") from error
        except TimeoutError as error:
            raise ModelUnavailable(f"{who} did not answer within {self.timeout_s:g} s", maybe_billed=True) from error
        except (aiohttp.ClientError, OSError) as error:
            told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ModelUnavailable(f"{who} broke off ({told})", maybe_billed=True) from error


async def _read(response: aiohttp.ClientResponse, who: str) -> bytes:
    parts, length = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        length += len(part)
        if length > MOST_BYTES:
            raise ModelUnavailable(f"{who} answered with more than {MOST_BYTES:,} bytes", maybe_billed=True)
    return b"".join(parts)


def _no_key(model: str, variable: str) -> str:
    return f"{model} needs a key, and the environment variable {variable} is not set"


@lru_cache(maxsize=64)
def _is_own(host: str) -> bool:
    """Whether a host is this machine or in a private network: by number, or by a name that no public server has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan"))
    return address.is_private or address.is_loopback or address.is_link_local
