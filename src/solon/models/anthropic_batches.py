"""Anthropic's Message Batches: requests in one body, results in one stream of lines.

https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any, ClassVar

from solon.errors import ModelUnavailable
from solon.models.base import Request
from solon.models.batch import Arrival, BatchState, Collected
from solon.models.sdk_batches import CLOCKS_DIFFER_S, IN_MEMORY, SdkBatches, id_of, written
from solon.models.wire import shown

PATH = "/v1/messages/batches"

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What each type of error comes with when a request is asked by itself; of any other type, 500."""


class AnthropicBatches(SdkBatches):
    """One model's batches at Anthropic.

    A batch carries no name of its own there, so the label is the beginning of each request's ``custom_id``, which has
    room for 64 characters.
    """

    most_requests: ClassVar[int] = 100_000
    most_bytes: ClassVar[int] = 256_000_000

    def size_of(self, request: Request) -> int:
        """Bytes of its part of the body."""
        return len(self._part("0" * 57, request)) + 1

    async def submit(self, requests: Mapping[str, Request], *, label: str) -> str:
        """Makes a batch of the requests, in one body."""

        def parts() -> Iterator[bytes]:
            before = b'{"requests":['
            for name, request in requests.items():
                yield before + self._part(f"{label}-{name}", request)
                before = b","
            yield b"]}"

        with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            length = await written(parts(), body)
            batch = await self._ask(
                "post",
                PATH,
                unseen=True,
                timed=False,
                content=_chunks(body),
                options={"headers": {"Content-Type": "application/json", "Content-Length": f"{length}"}},
            )
        return id_of(batch, self._model.who)

    async def find(self, label: str, *, since: float, requests: int) -> Arrival:
        """Looks through the account's batches, newest first, for one whose results carry the label.

        A batch tells the names of its requests only when it has ended. One that is under way may be the one if it has
        as many requests; then nothing is sure before it has ended.
        """
        after: dict[str, str] = {}
        sure = True
        while True:
            page = await self._ask("get", PATH, options={"params": {"limit": 100, **after}})
            batches = [one for one in page.get("data") or () if isinstance(one, dict)]
            for batch in batches:
                if _created(batch) < since - CLOCKS_DIFFER_S:
                    return Arrival(sure=sure)
                if _counts(batch)[1] != requests:
                    continue
                if batch.get("processing_status") != "ended":
                    sure = False
                elif await self._carries(id_of(batch, self._model.who), label):
                    return Arrival(id_of(batch, self._model.who))
            if not page.get("has_more") or not batches:
                return Arrival(sure=sure)
            after = {"after_id": id_of(batches[-1], self._model.who)}

    async def poll(self, batch: str) -> BatchState:
        """How far it is. Anthropic counts only when a batch has ended."""
        found = await self._ask("get", f"{PATH}/{batch}", missing=self._unknown(batch))
        done, total = _counts(found)
        return BatchState(ended=found.get("processing_status") == "ended", done=done, total=total)

    async def collect(
        self, batch: str, request_of: Callable[[str], Request | None]
    ) -> AsyncGenerator[tuple[str, Collected]]:
        """The lines of its results."""
        async for line in self._results(batch):
            if (
                isinstance(line, bytes)
                or not isinstance(custom_id := line.get("custom_id"), str)
                or not isinstance(result := line.get("result"), dict)
            ):
                yield self._unreadable(line)
                continue
            name = custom_id.rpartition("-")[2]
            if (request := request_of(name)) is not None:
                yield name, self._of_result(result, request)

    def _part(self, custom_id: str, request: Request) -> bytes:
        # ASCII: judged text may hold half a surrogate pair
        return json.dumps({"custom_id": custom_id, "params": self._model.body_of(request)}).encode()

    def _results(self, batch: str) -> AsyncGenerator[dict[str, Any] | bytes]:
        # not from its `results_url`: behind a gateway that would be another host, and the key is not for it
        return self._lines(f"{PATH}/{batch}/results", missing=self._unknown(batch))

    async def _carries(self, batch: str, label: str) -> bool:
        async with aclosing(self._results(batch)) as lines:
            async for line in lines:
                if isinstance(line, dict):
                    return str(line.get("custom_id")).startswith(f"{label}-")
        return False

    def _of_result(self, result: Mapping[str, Any], request: Request) -> Collected:
        match result.get("type"):
            case "succeeded":
                return self._came(200, result.get("message"), request)
            case "errored":
                body = result.get("error")
                error = body.get("error") if isinstance(body, dict) else None
                kind = error.get("type") if isinstance(error, dict) else None
                return self._came(_STATUS.get(str(kind), 500), body, request)
            case kind:  # expired and canceled ones are not billed
                return ModelUnavailable(f"{self._model.who} did not answer in a batch: {shown(kind)}")


async def _chunks(body: IO[bytes]) -> AsyncGenerator[bytes]:
    while chunk := body.read(1 << 16):
        yield chunk


def _created(batch: Mapping[str, Any]) -> float:
    """When it was made, in seconds since 1970; the far future where it does not say so."""
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).timestamp()
    except ValueError:
        return float("inf")


def _counts(batch: Mapping[str, Any]) -> tuple[int, int]:
    """How many of its requests are done, and how many there are."""
    counts = batch.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    numbers = {name: value for name, value in counts.items() if isinstance(value, int)}
    total = sum(numbers.values())
    return total - numbers.get("processing", 0), total
