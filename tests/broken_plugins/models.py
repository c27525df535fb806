"""Chat models that break one clause each, and what they are made of, which keeps all."""

# ruff: noqa: D102 - each method is what its class says

from __future__ import annotations

import asyncio
import itertools
from typing import Any, ClassVar

import aiohttp
from pydantic import PrivateAttr

from solon.plugins import (
    FREE,
    ChatModel,
    ModelRejected,
    ModelUnavailable,
    Price,
    RemoteModel,
    Reply,
    Request,
    Usage,
)
from solon.plugins.testing import Served

counter = itertools.count()


class Local(ChatModel):
    """A chat model that keeps every clause."""

    kind: ClassVar[str] = "broken"
    api_version: ClassVar[str | None] = "1.0"

    async def complete(self, request: Request) -> Reply:
        written = min(2, request.max_tokens)
        usage = Usage(input_tokens=3, output_tokens=written)
        return Reply(text=f"{len(request.messages[0].content)}", stop="end", usage=usage, model="broken")


class Talkative(Local):
    """Writes on."""

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        return reply.model_copy(update={"usage": Usage(input_tokens=3, output_tokens=99)})


class Foreign(Local):
    """Raises what the client raises."""

    async def complete(self, request: Request) -> Reply:
        request.messages[0].content.encode()
        return await super().complete(request)


class Unlike(Local):
    """Is another each time that it is described."""

    def describe(self) -> dict[str, object]:
        return {"kind": "broken", "at": "/tmp/solon" if "/tmp" else ""}


class Positive(Local):
    """Is surer than sure."""

    async def complete(self, request: Request) -> Reply:
        return (await super().complete(request)).model_copy(update={"choices": dict.fromkeys(request.choices, 0.5)})


class Uncounted(Local):
    """Says of no token that it was read."""

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        return reply.model_copy(update={"usage": Usage(input_tokens=0, output_tokens=reply.usage.output_tokens)})


class Whimsical(Local):
    """Draws at random without the seed."""

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        return reply.model_copy(update={"text": str(next(counter))}) if request.temperature else reply


class Confused(Local):
    """Answers who asked last."""

    _last: Any = PrivateAttr(default=None)

    @property
    def max_in_flight(self) -> int:
        return 8

    async def complete(self, request: Request) -> Reply:
        self._last = request
        await asyncio.sleep(0)
        return (await super().complete(request)).model_copy(update={"text": self._last.messages[0].content})


class Numbered(Local):
    """Is another each time that it is made."""

    _number: int = PrivateAttr(default_factory=lambda: next(counter))

    def describe(self) -> dict[str, object]:
        return {"kind": "broken", "number": self._number}


class ClosesOnce(Local):
    """Has nothing left to close the second time."""

    _is_open: bool = PrivateAttr(default=True)

    async def complete(self, request: Request) -> Reply:
        self._is_open = True
        return await super().complete(request)

    async def aclose(self) -> None:
        if not self._is_open:
            raise RuntimeError("closed already")
        self._is_open = False


def served(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What its server answers."""
    if path != "/answer":
        raise LookupError(path)
    return {"text": f"{len(body['asked'])}", "read": 3, "written": min(1, body["most"])}


class Remote(RemoteModel):
    """A model behind a server that keeps every clause.

    Attributes:
        url: where that is.
    """

    kind: ClassVar[str] = "broken"
    api_version: ClassVar[str | None] = "1.0"
    checked_with: ClassVar = Served(answer=served, settings=lambda url: {"url": url, "model": "tiny"})

    url: str
    price: Price | None = FREE

    def describe(self) -> dict[str, object]:
        return {"kind": self.kind, "model": self.model}

    async def complete(self, request: Request) -> Reply:
        body = {"asked": request.messages[-1].content, "most": request.max_tokens}
        try:
            async with aiohttp.ClientSession() as session, session.post(f"{self.url}/answer", json=body) as response:
                if response.status in (401, 403, 404):
                    raise ModelRejected(f"{response.status}")
                response.raise_for_status()
                said = await response.json(content_type=None)
            usage = Usage(input_tokens=said["read"], output_tokens=said["written"])
            return Reply(text=said["text"], stop="end", usage=usage, model=self.model)
        except (aiohttp.ClientError, ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable(f"{error}", malformed=True) from error


class Hopeful(Remote):
    """Takes a wrong key for something that heals."""

    async def complete(self, request: Request) -> Reply:
        try:
            return await super().complete(request)
        except ModelRejected as error:
            raise ModelUnavailable(f"{error}") from error


class Stubborn(Remote):
    """Tries again by itself."""

    async def complete(self, request: Request) -> Reply:
        try:
            return await super().complete(request)
        except ModelUnavailable:
            return await super().complete(request)
