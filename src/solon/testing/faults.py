"""A real HTTP server on loopback that speaks OpenAI chat completions, and fails in every way that servers fail.

    async with FaultServer(share=0.3) as server:
        model = Endpoint(base_url=server.base_url, model="served")

Which requests fail is drawn from their content, so two runs meet the same faults whatever the order of arrival.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from solon.data.records import digest


class Fault(StrEnum):
    """One way to fail."""

    THROTTLED = "429"
    THROTTLED_WITH_DATE = "429 with a date in Retry-After"
    THROTTLED_WITH_SECONDS = "429 with seconds in Retry-After"
    INTERNAL_ERROR = "500"
    BAD_GATEWAY = "502, a web page"
    OVERLOADED = "503 with Retry-After"
    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    QUOTA_USED_UP = "429, insufficient_quota"
    TOO_LONG = "400, context_length_exceeded"
    REDIRECT = "307"
    RESET_BEFORE = "the connection is reset before the response"
    RESET_DURING = "the connection is reset in the middle of the body"
    HANG = "no response, ever"
    DRIP = "a body that never ends"
    TRUNCATED = "a body that ends too early"
    WEB_PAGE = "200, a web page"
    WRONG_JSON = "200, JSON of another shape"
    EMPTY_CHOICES = "200, no choices"
    NULL_CONTENT = "200, null content"
    HUGE = "200, more than 10 MB"
    FILTERED = "200, refused by a content filter"
    CUT_OFF = "200, finish_reason length"
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


Script = Callable[[Asked], Fault | None]


class FaultServer:
    """The server; an asynchronous context manager that listens on a free port of 127.0.0.1 while it is open.

    Args:
        script: decides for each request how it fails, or ``None`` for a reply. A sequence holds the faults of the first
            requests in their order of arrival; those after it get a reply.
        share: without a script, the share of requests that fail, each drawn from its body, ``times`` and ``seed``.
        faults: what ``share`` draws from.
        seed: of the drawing.
        answer: the reply's text; without it ``"reply <key>"``.
        logprobs: the log-probability of each token as the first one, for requests that ask; ``None`` leaves them out.
        retry_after: seconds in the ``Retry-After`` of those faults that have one.
        latency_s: how long each response takes; ``script`` is asked before.
        model: what the server says has answered; without it, whatever was asked.

    Attributes:
        asked: how often each body (by its key) came.
        most_at_once: the most requests that were under way at the same time.
        requests: every request, in order of arrival.
        headers: the headers of each, in the same order.
    """

    def __init__(
        self,
        script: Script | Sequence[Fault | None] | None = None,
        *,
        share: float = 0.0,
        faults: Sequence[Fault] = HEALING,
        seed: int = 0,
        answer: Callable[[Asked], str] | None = None,
        logprobs: Mapping[str, float] | None = None,
        retry_after: float = 0.01,
        latency_s: float = 0.0,
        model: str | None = None,
    ) -> None:
        self.asked: Counter[str] = Counter()
        self.requests: list[Asked] = []
        self.headers: list[Mapping[str, str]] = []
        self.most_at_once = 0
        self._script = script if callable(script) else _in_turn(script) if script is not None else None
        self._share, self._faults, self._seed = share, tuple(faults), seed
        self._answer = answer or (lambda asked: f"reply {asked.key}")
        self._logprobs = logprobs
        self._retry_after = retry_after
        self._latency_s = latency_s
        self._model = model
        self._now = 0
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/v1/chat/completions", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """Where its API begins."""
        if self._runner is None:
            raise RuntimeError("the server is not open: use `async with FaultServer() as server`")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        key = digest(body)[:16]
        asked = Asked(body, key, self.asked[key], len(self.requests))
        self.asked[key] += 1
        self.requests.append(asked)
        self.headers.append(dict(request.headers))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            fault = self._fault(asked)
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            if fault is None:
                return web.json_response(self._reply(asked))
            return await self._fail(fault, request, asked)
        finally:
            self._now -= 1

    def _fault(self, asked: Asked) -> Fault | None:
        if self._script is not None:
            return self._script(asked)
        drawn = Random(f"{self._seed}:{asked.key}:{asked.times}")
        return drawn.choice(self._faults) if drawn.random() < self._share else None

    def _reply(self, asked: Asked) -> dict[str, Any]:
        """A reply of the kind that a well server gives."""
        text = self._answer(asked)
        read = sum(len(str(message["content"])) for message in asked.body["messages"])
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": None,
        }
        if self._logprobs is not None and asked.body.get("logprobs"):
            listed = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in self._logprobs.items()]
            listed = listed[: int(asked.body.get("top_logprobs", 0))]
            choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed}]}
        return {
            "id": f"chatcmpl-{asked.key}",
            "object": "chat.completion",
            "created": 0,
            "model": self._model or asked.body["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": read, "completion_tokens": len(text), "total_tokens": read + len(text)},
        }

    async def _fail(self, fault: Fault, request: web.Request, asked: Asked) -> web.StreamResponse:
        good = self._reply(asked)
        choice = good["choices"][0]
        match fault:
            case Fault.THROTTLED:
                return _error(429, "rate limit reached", "rate_limit_exceeded")
            case Fault.THROTTLED_WITH_SECONDS:
                return _error(429, "rate limit reached", "rate_limit_exceeded", {"Retry-After": f"{self._retry_after}"})
            case Fault.THROTTLED_WITH_DATE:
                dates = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 10:00:02 GMT"}
                return _error(429, "rate limit reached", "rate_limit_exceeded", dates)
            case Fault.INTERNAL_ERROR:
                return _error(500, "the server had an error", "server_error")
            case Fault.BAD_GATEWAY:
                return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
            case Fault.OVERLOADED:
                return _error(503, "overloaded", "overloaded", {"Retry-After": f"{self._retry_after}"})
            case Fault.BAD_REQUEST:
                return _error(400, "temperature is not supported", "unsupported_value")
            case Fault.UNAUTHORIZED:
                sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
                return _error(401, f"incorrect API key provided: {sent}", "invalid_api_key")
            case Fault.FORBIDDEN:
                return _error(403, "not allowed in this region", "forbidden")
            case Fault.NOT_FOUND:
                return _error(404, f"the model {asked.body['model']!r} does not exist", "model_not_found")
            case Fault.QUOTA_USED_UP:
                return _error(429, "you exceeded your current quota", "insufficient_quota")
            case Fault.TOO_LONG:
                return _error(400, "this model's maximum context length is 8 tokens", "context_length_exceeded")
            case Fault.REDIRECT:
                return web.Response(status=307, headers={"Location": "http://elsewhere.example/v1/chat/completions"})
            case Fault.RESET_BEFORE:
                _reset(request)
                return web.Response()
            case Fault.RESET_DURING:
                return await self._half(request, good, then=_reset)
            case Fault.TRUNCATED:
                return await self._half(request, good, then=_hang_up)
            case Fault.HANG:
                await self._closing.wait()
                return web.Response(status=503)
            case Fault.DRIP:
                return await self._drip(request)
            case Fault.WEB_PAGE:
                return web.Response(text="<html><body>Welcome to the proxy</body></html>", content_type="text/html")
            case Fault.WRONG_JSON:
                return web.json_response(["not", "an", "object"])
            case Fault.EMPTY_CHOICES:
                good["choices"] = []
            case Fault.NULL_CONTENT:
                choice["message"]["content"] = None
            case Fault.HUGE:
                choice["message"]["content"] = "x" * 11_000_000
            case Fault.FILTERED:
                choice["message"]["content"], choice["finish_reason"] = None, "content_filter"
            case Fault.CUT_OFF:
                choice["finish_reason"] = "length"
            case Fault.WRONG_MODEL:
                good["model"] = "another-model"
            case Fault.NO_USAGE:
                del good["usage"]
        return web.json_response(good)

    async def _half(
        self, request: web.Request, good: Mapping[str, Any], then: Callable[[web.Request], None]
    ) -> web.StreamResponse:
        """The first half of a reply under the length of the whole, and then the end."""
        whole = json.dumps(good).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": f"{len(whole)}"})
        await response.prepare(request)
        await response.write(whole[: len(whole) // 2])
        then(request)
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while not self._closing.is_set():
            try:
                await response.write(b" ")
                await asyncio.wait_for(self._closing.wait(), 0.05)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return response


def _in_turn(faults: Sequence[Fault | None]) -> Script:
    return lambda asked: faults[asked.position] if asked.position < len(faults) else None


def _error(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(
        {"error": {"message": message, "type": code, "code": code}}, status=status, headers=headers
    )


def _reset(request: web.Request) -> None:
    """Ends the connection with a RST packet, as a crashed server or a middle box does."""
    if request.transport is not None:
        found = request.transport.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()


def _hang_up(request: web.Request) -> None:
    """Ends the connection in good order, in the middle of a body."""
    if request.transport is not None:
        request.transport.close()
