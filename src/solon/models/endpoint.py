"""``endpoint``: any server that speaks OpenAI chat completions: vLLM, SGLang, Ollama, llama.cpp, TGI, or a provider.

kind: endpoint
base_url: http://localhost:8000/v1
model: meta-llama/Llama-3.1-8B-Instruct
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar
from urllib.parse import urlsplit

import aiohttp
from pydantic import Field, JsonValue, PrivateAttr, field_validator

from solon.errors import ModelError, ModelRejected, ModelUnavailable
from solon.models.base import Price, Reply, Request
from solon.models.chat_completions import body_of, error_of, reply_of
from solon.models.remote import RemoteModel, is_own, without_key

MOST_BYTES = 10_000_000
"""A larger reply is not read: no reply within ``max_tokens`` is that long."""

CONNECT_S = 30.0


class Endpoint(RemoteModel):
    """A chat model behind an OpenAI-compatible server. Makes one attempt a call; ``solon.stream`` does the rest.

    Where the server does not count tokens, as many are charged as there can be (``solon.models.estimate``).

    Attributes:
        base_url: where the API begins; ``/chat/completions`` is added to it.
        extra_body: fields to add to each request or to put in place of ours; null takes one out. No secrets: settings
            are hashed and written out.
    """

    kind: ClassVar[str] = "endpoint"

    base_url: str
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)

    _session: aiohttp.ClientSession | None = PrivateAttr(default=None)
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(default=None)

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
    def server(self) -> str:
        """Host, port and path, for people."""
        parts = urlsplit(self.base_url)
        return f"{parts.netloc}{parts.path}"

    def cost(self) -> Price | None:
        """``price``; without one, nothing for a server of one's own and unknown for any other."""
        if self.price is None and is_own(urlsplit(self.base_url).hostname or ""):
            return Price(input=0, output=0)
        return self.price

    def describe(self) -> dict[str, object]:
        """Model, extra fields and, for a public server, its address.

        A server of one's own is described by its model alone: its port is another after each start, and the replies
        that it gave before are as good. So two models of one's own need two names.
        """
        server = None if is_own(urlsplit(self.base_url).hostname or "") else self.server
        return {"kind": self.kind, "model": self.model, "server": server, "extra_body": dict(self.extra_body)}

    async def complete(self, request: Request) -> Reply:
        """One request, one attempt, one checked reply."""
        body = body_of(self.model, request, self.extra_body)
        who = f"{self.model} at {self.server}"
        key = self.key()
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
            without_key(error, key)
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
