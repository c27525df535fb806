"""A real HTTP server on loopback that speaks the batch protocols of OpenAI and of Anthropic, and fails when told to.

    async with BatchServer(polls=3, shares={RowFault.EXPIRED: 0.1}) as server:
        model = OpenAI(base_url=server.base_url, model="served", batch=True, ...)

What happens to a request is drawn from its content, so two runs meet the same faults whatever the order of arrival.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from aiohttp import web

from solon.testing.batch_formats import (
    CHAT,
    MESSAGES,
    RowFault,
    ServedBatch,
    anthropic_batch,
    anthropic_line,
    checked_lines,
    drawn,
    openai_batch,
    openai_line,
    text_of,
)
from solon.testing.server import FaultServer, key_of


@dataclass(frozen=True)
class Trouble:
    """How a whole exchange fails.

    Attributes:
        status: what is answered; 0 breaks the connection.
        done: whether what was asked for is done all the same, so that only the answer is lost.
        after_lines: of results, how many come before the connection breaks.
        mid_line: whether they end there in the middle of a line, as if that were all, and no connection breaks.
    """

    status: int = 500
    done: bool = False
    after_lines: int | None = None
    mid_line: bool = False


class BatchServer(FaultServer):
    """The server; an asynchronous context manager. Replies are as ``FaultServer``'s, whose arguments it takes too.

    Args:
        polls: at which look a batch has ended; in a list it is looked at too.
        row: decides what comes of a request, by its last message and how often it came before; ``None`` for a reply.
        shares: without ``row``, the share of requests that meet each fault, drawn from content, times and seed.
        problems: codes of the errors for which the first batches are refused whole (OpenAI); ``None`` for none.
        most_queued: how many requests may be queued at once; more are refused as each provider refuses them.
        trouble: asked at each exchange, by its verb (``upload``, ``create``, ``list``, ``look``, ``results``,
            ``cancel``) and how often that came before; how the exchange fails, or ``None``.
        watch: awaited when an exchange begins (``before``) and when what was asked for is done (``after``), with the
            verb and how often that came before, and at every 200th line of results (``during``), with its number:
            where a test stops the client.
        seed: of the order of results and of ``shares``.

    Attributes:
        calls: how often each verb came.
        batches: by id, in order of creation.
        came: how often each request came, by its last message, over all batches.
        uploaded: the bytes of requests that each batch came with.
    """

    def __init__(
        self,
        *,
        polls: int = 2,
        row: Callable[[str, int], RowFault | None] | None = None,
        shares: Mapping[RowFault, float] | None = None,
        problems: Sequence[str | None] = (),
        most_queued: int | None = None,
        trouble: Callable[[str, int], Trouble | None] | None = None,
        watch: Callable[[str, str, int], Awaitable[None]] | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(seed=seed, **settings)
        self.calls: Counter[str] = Counter()
        self.batches: dict[str, ServedBatch] = {}
        self.came: Counter[str] = Counter()
        self.uploaded: list[int] = []
        self._polls = polls
        self._row = row or drawn(dict(shares or {}), seed)
        self._problems = list(problems)
        self._most_queued = most_queued
        self._trouble = trouble
        self._cuts: dict[int, Trouble] = {}  # of requests whose results are cut, by ``id``
        self._watch = watch
        self._files: dict[str, bytes] = {}
        self._times: dict[tuple[str, str], int] = {}

    def routes(self) -> Sequence[web.RouteDef]:
        """Single requests, and both batch protocols."""
        return [
            *super().routes(),
            web.post("/v1/files", self._verb("upload", self._upload)),
            web.get("/v1/files/{file}/content", self._verb("results", self._content)),
            web.post("/v1/batches", self._verb("create", self._create)),
            web.get("/v1/batches", self._verb("list", self._list)),
            web.get("/v1/batches/{batch}", self._verb("look", self._look)),
            web.post("/v1/batches/{batch}/cancel", self._verb("cancel", self._cancel)),
            web.post("/v1/messages/batches", self._verb("create", self._create_messages)),
            web.get("/v1/messages/batches", self._verb("list", self._list_messages)),
            web.get("/v1/messages/batches/{batch}", self._verb("look", self._look)),
            web.get("/v1/messages/batches/{batch}/results", self._verb("results", self._results)),
            web.post("/v1/messages/batches/{batch}/cancel", self._verb("cancel", self._cancel)),
        ]

    # ------------------------------------------------------------ every exchange

    def _verb(
        self, verb: str, deed: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            before = self.calls[verb]
            self.calls[verb] += 1
            if self._key is not None and key_of(request) != self._key:
                return _error(request, 401, "incorrect API key provided", "invalid_api_key", "authentication_error")
            if self._watch is not None:
                await self._watch("before", verb, before)
            trouble = None if self._trouble is None else self._trouble(verb, before)
            if trouble is not None and trouble.after_lines is not None:
                self._cuts[id(request)] = trouble
                trouble = None
            answer: web.StreamResponse | None = None
            if trouble is None or trouble.done:
                answer = await deed(request)
            if self._watch is not None:
                await self._watch("after", verb, before)
            if trouble is None:
                assert answer is not None
                return answer
            if trouble.status == 0 and request.transport is not None:
                request.transport.abort()
            kind = "rate_limit_error" if trouble.status == 429 else "api_error"
            return _error(request, trouble.status or 500, "trouble, as told", "trouble", kind, retry_after=0.01)

        return handle

    # ------------------------------------------------------------ OpenAI

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file, purpose = form.get("file"), form.get("purpose")
        if purpose != "batch" or not isinstance(file, web.FileField) or not file.filename.endswith(".jsonl"):
            return _error(request, 400, "expected a .jsonl file with purpose batch", "invalid_file", "")
        name = f"file-{len(self._files)}"
        self._files[name] = file.file.read()
        self.uploaded.append(len(self._files[name]))
        return web.json_response({"id": name, "object": "file", "purpose": "batch", "bytes": len(self._files[name])})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked.get("endpoint") != CHAT or asked.get("completion_window") != "24h":
            return _error(request, 400, "unknown endpoint or completion window", "invalid_request", "")
        if asked.get("input_file_id") not in self._files:
            return _error(request, 404, "no such file", "not_found", "")
        rows, problem = checked_lines(self._files[asked["input_file_id"]])
        if self._problems:
            problem = self._problems.pop(0) or problem
        if self._most_queued is not None and self._queued() + len(rows) > self._most_queued:
            problem = problem or "token_limit_exceeded"
        batch = self._made("openai", rows, metadata=asked.get("metadata") or {}, problem=problem)
        return web.json_response(self._shown(batch))

    async def _list(self, request: web.Request) -> web.Response:
        return self._page(request, "openai", request.query.get("after"))

    async def _content(self, request: web.Request) -> web.StreamResponse:
        batch, _, which = request.match_info["file"].partition("--")
        found = self.batches.get(batch)
        if found is None:
            return _error(request, 404, "no such file", "not_found", "")
        lines = [line for kind, line in self._results_of(found) if kind in (which, "")]
        return await self._sent(request, lines)

    # ------------------------------------------------------------ Anthropic

    async def _create_messages(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.uploaded.append(len(raw))
        asked = json.loads(raw)
        rows = {str(one.get("custom_id")): one.get("params") for one in asked.get("requests", ())}
        wrong = [
            name for name in rows if not (0 < len(name) <= 64 and name.replace("-", "").replace("_", "").isalnum())
        ]
        if wrong or len(rows) != len(asked.get("requests", ())) or not rows:
            said = "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$', each once"
            return _error(request, 400, said, "", "invalid_request_error")
        if self._most_queued is not None and self._queued() + len(rows) > self._most_queued:
            return _error(request, 429, "too many requests in the queue", "", "rate_limit_error", retry_after=0.01)
        return web.json_response(self._shown(self._made("anthropic", rows)))

    async def _list_messages(self, request: web.Request) -> web.Response:
        return self._page(request, "anthropic", request.query.get("after_id"))

    async def _results(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches.get(request.match_info["batch"])
        if batch is None or not self._has_ended(batch):
            return _error(request, 404, "no results", "not_found", "not_found_error")
        return await self._sent(request, [line for _, line in self._results_of(batch)])

    # ------------------------------------------------------------ both

    def _made(self, provider: str, rows: Mapping[str, Any], **about: Any) -> ServedBatch:
        prefix = "batch_" if provider == "openai" else "msgbatch_"
        now = datetime.now(UTC).timestamp()
        batch = ServedBatch(f"{prefix}{len(self.batches)}", provider, rows, created=now, **about)
        self.batches[batch.id] = batch
        if batch.problem is None:
            for name, body in rows.items():
                text = text_of(body)
                self._times[batch.id, name] = self.came[text]
                self.came[text] += 1
        return batch

    async def _look(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["batch"])
        if batch is None:
            return _error(request, 404, "no such batch", "not_found", "not_found_error")
        batch.looks += 1
        return web.json_response(self._shown(batch))

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["batch"])
        if batch is None:
            return _error(request, 404, "no such batch", "not_found", "not_found_error")
        batch.cancelled = True
        return web.json_response(self._shown(batch))

    def _page(self, request: web.Request, provider: str, after: str | None) -> web.Response:
        newest_first = [batch for batch in reversed(self.batches.values()) if batch.provider == provider]
        ids = [batch.id for batch in newest_first]
        start = ids.index(after) + 1 if after in ids else 0
        limit = int(request.query.get("limit", 20))
        page = newest_first[start : start + limit]
        more = start + limit < len(newest_first)
        for batch in page:
            batch.looks += 1
        return web.json_response({"object": "list", "data": [self._shown(one) for one in page], "has_more": more})

    def _has_ended(self, batch: ServedBatch) -> bool:
        return batch.looks >= self._polls

    def _queued(self) -> int:
        return sum(len(one.rows) for one in self.batches.values() if not self._has_ended(one) and one.problem is None)

    def _shown(self, batch: ServedBatch) -> dict[str, Any]:
        came = None
        if self._has_ended(batch):
            came = Counter(self._fault_of(batch, name) for name in batch.rows)
        return (openai_batch if batch.provider == "openai" else anthropic_batch)(batch, came)

    def _fault_of(self, batch: ServedBatch, name: str) -> RowFault | None:
        if batch.cancelled:
            return RowFault.CANCELLED
        return self._row(text_of(batch.rows[name]), self._times[batch.id, name])

    def _results_of(self, batch: ServedBatch) -> list[tuple[str, bytes]]:
        """Each result with the file it stands in, in an order of its own."""
        names = list(batch.rows)
        Random(f"{self._seed}:{batch.id}").shuffle(names)
        path = CHAT if batch.provider == "openai" else MESSAGES
        lines = []
        for name in names:
            body, fault = batch.rows[name], self._fault_of(batch, name)
            reply = self.reply_to(path, body)
            if fault is RowFault.GARBLED:
                lines.append(("", b'{"custom_id": "' + name.encode()))
            elif fault is RowFault.NAMELESS:
                lines.append(("error", b'stom_id": "' + name.encode()))
            elif fault is not RowFault.MISSING:
                written = openai_line if batch.provider == "openai" else anthropic_line
                which, line = written(name, reply, fault)
                lines.append((which, json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")))
        return lines

    async def _sent(self, request: web.Request, lines: Sequence[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        trouble = self._cuts.pop(id(request), None)
        for number, line in enumerate(lines):
            if trouble is not None and number == trouble.after_lines:
                if trouble.mid_line:
                    await response.write(line[: len(line) // 2])
                    await response.write_eof()
                elif request.transport is not None:
                    request.transport.abort()
                return response
            await response.write(line + b"\n")
            if number % 200 == 0:
                await asyncio.sleep(0)
                if self._watch is not None:
                    await self._watch("during", "results", number)
        await response.write_eof()
        return response


def _error(
    request: web.Request, status: int, said: str, code: str, kind: str, *, retry_after: float | None = None
) -> web.Response:
    """An error as the provider of that path writes it."""
    body: dict[str, Any] = {"error": {"message": said, "type": code, "code": code}}
    if request.path.startswith(MESSAGES):
        body = {"type": "error", "error": {"type": kind, "message": said}}
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after}"}
    return web.json_response(body, status=status, headers=headers)
