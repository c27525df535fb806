"""``endpoint``: any server that speaks OpenAI chat completions: vLLM, SGLang, Ollama, llama.cpp, TGI, or a provider.

kind: endpoint
base_url: http://localhost:8000/v1
model: meta-llama/Llama-3.1-8B-Instruct
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from pydantic import Field, JsonValue, field_validator

from solon.errors import ModelError, ModelRejected
from solon.keys import reply_without
from solon.models.base import FREE, Price, Reply, Request
from solon.models.chat_completions import body_of, error_of, reply_of
from solon.models.connection import TooLongError
from solon.models.connections import Connections
from solon.models.deadlines import Deadlines
from solon.models.network import network_error
from solon.models.remote import RemoteModel, address, is_own_address, server_of, without_key
from solon.models.wire import MOST_BYTES, json_bytes, unusable

CONNECT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Line:
    """What an endpoint holds while it is asked."""

    connections: Connections
    who: str
    deadlines: Deadlines


@dataclass(slots=True)
class _Held:
    line: _Line | None = None


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

    @cached_property
    def _held(self) -> _Held:
        """What is open. A private attribute of pydantic's takes ten times as long to read, which each call does."""
        return _Held()

    def __copy__(self) -> Self:
        """Another model, which asks over connections of its own: ``model_copy`` may have changed where to."""
        copied = super().__copy__()
        copied.__dict__.pop("_held", None)
        return copied

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return address(url).removesuffix("/chat/completions")

    @property
    def server(self) -> str:
        """Host, port and path, for people."""
        return server_of(self.base_url)

    def cost(self) -> Price | None:
        """``price``; without one, nothing for a server of one's own and unknown for any other."""
        if self.price is None and is_own_address(self.base_url):
            return FREE
        return self.price

    def describe(self) -> dict[str, object]:
        """Model, extra fields and, for a public server, its address.

        A server of one's own is described by its model alone: its port is another after each start, and the replies
        that it gave before are as good. So two models of one's own need two names.
        """
        server = None if is_own_address(self.base_url) else self.server
        return {"kind": self.kind, "model": self.model, "server": server, "extra_body": dict(self.extra_body)}

    async def complete(self, request: Request) -> Reply:
        """One request, one attempt, one checked reply."""
        key = self.key()
        # the one place where the network's errors become ours, and where no message may hold the key
        try:
            held = self._held
            line = held.line
            if line is None or not line.connections.is_open:
                line = held.line = self._connect(key)
            return await line.deadlines.within(self._exchange(line, request))
        except ModelError as error:
            without_key(error, key)
            raise
        except OSError as error:
            raise network_error(error, self.who, self.timeout_s) from error

    async def _exchange(self, line: _Line, request: Request) -> Reply:
        body = json_bytes(body_of(self.model, request, self.extra_body))
        try:
            response = await line.connections.post(body)
        except TooLongError as error:
            raise unusable(line.who, f"answered with more than {MOST_BYTES:,} bytes") from error
        raw = reply_without(response.body, self.key())
        if response.status == 200:
            return reply_of(raw, self.model, request, line.who, answers_as=self.answers_as)
        meant = error_of(response.status, response.headers, raw, line.who, self.api_key_env, request=request)
        if isinstance(meant, ModelError):
            try:
                raise meant
            finally:
                del meant  # its traceback holds this frame, which would hold it until cycles are looked for
        return meant

    async def aclose(self) -> None:
        """Closes the connections."""
        line, self._held.line = self._held.line, None
        if line is not None:
            await line.connections.aclose()

    def _connect(self, key: str | None) -> _Line:
        from solon import __version__

        address = f"{self.base_url}/chat/completions"
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"solon/{__version__}",
            **({"Authorization": f"Bearer {key}"} if key else {}),
        }
        connect_s = min(CONNECT_S, self.timeout_s)
        try:
            connections = Connections(address, headers, connect_s=connect_s, most_bytes=MOST_BYTES)
        except ValueError as error:
            raise ModelRejected(f"{self.who} cannot be asked: {error}; check `base_url`") from error
        return _Line(connections, self.who, Deadlines(self.timeout_s))
