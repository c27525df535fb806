"""A real HTTP server on loopback that speaks as OpenAI and as Anthropic do, and fails in every way that servers fail.

    async with FaultServer(share=0.3) as server:
        model = Endpoint(base_url=server.base_url, model="served")

Which requests fail is drawn from their content, so two runs meet the same faults whatever the order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from solon.data.records import digest
from solon.testing import bodies
from solon.testing.faults import HEALING, Asked, Fault
from solon.testing.wire_formats import OF_STATUS, ChatCompletions, Messages, WireFormat

Script = Callable[[Asked], Fault | None]
FirstToken = Mapping[str, float] | None


class FaultServer:
    """The server; an asynchronous context manager that listens on a port of 127.0.0.1 while it is open.

    OpenAI chat completions are at ``base_url``, Anthropic Messages at ``root``.

    Args:
        script: decides for each request how it fails, or ``None`` for a reply. A sequence holds the faults of the first
            requests in their order of arrival; those after it get a reply.
        share: without a script, the share of requests that fail, each drawn from its body, ``times`` and ``seed``.
        faults: what ``share`` draws from.
        seed: of the drawing.
        answer: the reply's text; without it ``"reply <key>"``.
        logprobs: the log-probability of each token as the first one, for requests that ask, the likeliest first; or a
            function that says so of each request. ``None`` leaves them out.
        retry_after: seconds in the ``Retry-After`` of those faults that have one.
        latency_s: how long each response takes; ``script`` is asked before.
        model: what the server says has answered; without it, whatever was asked.
        key: the only key that it takes; ``None`` takes any and none. Requests with another get a 401.
        port: where it listens; 0 for any that is free.
        remembers: whether ``requests`` and ``headers`` are kept, which takes some kilobytes each.

    Attributes:
        asked: how often each body (by its key) came.
        failed: how often each fault was met.
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
        logprobs: FirstToken | Callable[[Asked], FirstToken] = None,
        retry_after: float = 0.01,
        latency_s: float = 0.0,
        model: str | None = None,
        key: str | None = None,
        port: int = 0,
        remembers: bool = True,
    ) -> None:
        self.asked: Counter[str] = Counter()
        self.failed: Counter[Fault] = Counter()
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
        self._key = key
        self._port = port
        self._remembers = remembers
        self._came = 0
        self._now = 0
        self._formats: dict[str, WireFormat] = {"/v1/chat/completions": ChatCompletions(), "/v1/messages": Messages()}
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=512_000_000)
        app.router.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def root(self) -> str:
        """Where it listens: what Anthropic's API calls its base."""
        if self._runner is None:
            raise RuntimeError("the server is not open: use `async with FaultServer() as server`")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @property
    def base_url(self) -> str:
        """Where OpenAI's API begins."""
        return f"{self.root}/v1"

    def routes(self) -> Sequence[web.RouteDef]:
        """What it answers to. A server that speaks more overrides it."""
        return [web.post(path, self._handle) for path in self._formats]

    def reply_to(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The good reply to a body, in the wire format of ``path``: what a batch of the same server holds."""
        return self._reply(self._formats[path], Asked(body, digest(body)[:16], 0, 0))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        key = digest(body)[:16]
        asked = Asked(body, key, self.asked[key], self._came)
        self.asked[key] += 1
        self._came += 1
        if self._remembers:
            self.requests.append(asked)
            self.headers.append(dict(request.headers))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            fault = Fault.UNAUTHORIZED if self._key not in (None, key_of(request)) else self._fault(asked)
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            if fault is None:
                return web.json_response(self._reply(self._formats[request.path], asked))
            self.failed[fault] += 1
            return await self._fail(fault, request, asked)
        finally:
            self._now -= 1

    def _fault(self, asked: Asked) -> Fault | None:
        if self._script is not None:
            return self._script(asked)
        drawn = Random(f"{self._seed}:{asked.key}:{asked.times}")
        return drawn.choice(self._faults) if drawn.random() < self._share else None

    def _reply(self, format_: WireFormat, asked: Asked) -> dict[str, Any]:
        logprobs = self._logprobs(asked) if callable(self._logprobs) else self._logprobs
        return format_.reply(asked, self._answer(asked), self._model or asked.body["model"], logprobs)

    async def _fail(self, fault: Fault, request: web.Request, asked: Asked) -> web.StreamResponse:
        wire = self._formats[request.path]
        match fault:
            case _ if fault in OF_STATUS:
                status, body = wire.error(fault, asked, key_of(request))
                return web.json_response(body, status=status, headers=self._headers_of(fault))
            case Fault.BAD_GATEWAY:
                return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
            case Fault.REDIRECT:
                return web.Response(status=307, headers={"Location": f"http://elsewhere.example{request.path}"})
            case Fault.RESET_BEFORE:
                return bodies.reset(request)
            case Fault.RESET_DURING:
                return await bodies.half(request, self._reply(wire, asked), then=bodies.reset)
            case Fault.RESET_AFTER:
                return await bodies.whole(request, self._reply(wire, asked), then=bodies.reset)
            case Fault.TRUNCATED:
                return await bodies.half(request, self._reply(wire, asked), then=bodies.hang_up)
            case Fault.SLOW:
                return await bodies.slow(request, self._reply(wire, asked))
            case Fault.TWO_LENGTHS:
                return bodies.with_header(request, self._reply(wire, asked), "Content-Length: 7")
            case Fault.TWO_TYPES:
                return bodies.with_header(request, self._reply(wire, asked), "Content-Type: text/html")
            case Fault.HANG:
                await self._closing.wait()
                return web.Response(status=503)
            case Fault.DRIP:
                return await bodies.endless(request, until=self._closing)
            case Fault.WEB_PAGE:
                return web.Response(text="<html><body>Welcome to the proxy</body></html>", content_type="text/html")
            case Fault.WRONG_JSON:
                return web.json_response(["not", "an", "object"])
            case _:
                good = self._reply(wire, asked)
                wire.spoil(good, fault)
                return web.json_response(good)

    def _headers_of(self, fault: Fault) -> Sequence[tuple[str, str]]:
        match fault:
            case Fault.THROTTLED_TWICE:
                return [("Retry-After", f"{self._retry_after / 4}"), ("Retry-After", f"{self._retry_after}")]
            case Fault.THROTTLED_WITH_SECONDS | Fault.OVERLOADED:
                return [("Retry-After", f"{self._retry_after}")]
            case Fault.THROTTLED_WITH_MILLISECONDS:
                return [("retry-after-ms", f"{1000 * self._retry_after:g}"), ("Retry-After", "60")]
            case Fault.THROTTLED_WITH_DATE:
                day = "Sat, 21 Nov 2026"
                return [("Date", f"{day} 10:00:00 GMT"), ("Retry-After", f"{day} 10:00:02 GMT")]
            case _:
                return []


def key_of(request: web.Request) -> str:
    """The key that a request came with, as OpenAI or as Anthropic wants it; empty without one."""
    return request.headers.get("x-api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")


def _in_turn(faults: Sequence[Fault | None]) -> Script:
    return lambda asked: faults[asked.position] if asked.position < len(faults) else None
