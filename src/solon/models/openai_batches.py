"""OpenAI's Batch API: a file of requests goes up, a batch is made of it, and a file of results comes down.

https://developers.openai.com/api/docs/guides/batch
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar

from solon.errors import ModelRejected, ModelUnavailable
from solon.models.base import Request
from solon.models.batch import Arrival, BatchState, Collected
from solon.models.sdk_batches import CLOCKS_DIFFER_S, IN_MEMORY, SdkBatches, id_of, written
from solon.models.wire import shown

_ENDED = {"completed", "expired", "cancelled"}
_TOO_MUCH = ("token_limit", "rate_limit", "too_many")
_MAY_HEAL = ("server_error", "internal", "timeout", "unavailable")


class OpenAIBatches(SdkBatches):
    """One model's batches at OpenAI."""

    most_requests: ClassVar[int] = 50_000
    most_bytes: ClassVar[int] = 200_000_000

    def size_of(self, request: Request) -> int:
        """Bytes of its line."""
        return len(self._line("0" * 40, request))

    async def submit(self, requests: Mapping[str, Request], *, label: str) -> str:
        """Uploads the requests, one a line, and makes a batch of them that carries the label."""
        with SpooledTemporaryFile(max_size=IN_MEMORY) as lines:
            await written((self._line(name, request) for name, request in requests.items()), lines)
            file = await self._ask(
                "post",
                "/files",
                timed=False,
                body={"purpose": "batch"},
                files={"file": (f"solon-{label}.jsonl", lines, "application/jsonl")},
                options={"headers": {"Content-Type": "multipart/form-data"}},
            )
        batch = await self._ask(
            "post",
            "/batches",
            unseen=True,
            body={
                "input_file_id": id_of(file, self._model.who),
                "endpoint": f"/v1{self._model.path}",
                "completion_window": "24h",
                "metadata": {"solon": label},
            },
        )
        return id_of(batch, self._model.who)

    async def find(self, label: str, *, since: float, requests: int) -> Arrival:  # noqa: ARG002 - the label is enough
        """Looks through the account's batches, newest first, for one with the label."""
        after: dict[str, str] = {}
        while True:
            page = await self._ask("get", "/batches", options={"params": {"limit": 100, **after}})
            batches = [one for one in page.get("data") or () if isinstance(one, dict)]
            for batch in batches:
                if (batch.get("metadata") or {}).get("solon") == label:
                    return Arrival(id_of(batch, self._model.who))
            oldest = batches[-1].get("created_at") if batches else None
            if not page.get("has_more") or not isinstance(oldest, int | float) or oldest < since - CLOCKS_DIFFER_S:
                return Arrival()
            after = {"after": id_of(batches[-1], self._model.who)}

    async def poll(self, batch: str) -> BatchState:
        """How far it is; of one that did not pass OpenAI's checks, why."""
        found = await self._get(batch)
        counts = found.get("request_counts") or {}
        done = sum(_number(counts.get(name)) for name in ("completed", "failed"))
        status = found.get("status")
        return BatchState(
            ended=status in _ENDED or status == "failed",
            done=done,
            total=_number(counts.get("total")),
            problem=self._problem(batch, found) if status == "failed" else None,
        )

    async def collect(
        self, batch: str, request_of: Callable[[str], Request | None]
    ) -> AsyncGenerator[tuple[str, Collected]]:
        """The lines of its two files: of what was answered, and of what was not."""
        found = await self._get(batch)
        for which in ("output_file_id", "error_file_id"):
            if not (file := found.get(which)):
                continue
            async for line in self._lines(f"/files/{file}/content", missing=f"the results of {batch} are gone"):
                if isinstance(line, bytes) or not isinstance(name := line.get("custom_id"), str):
                    yield self._unreadable(line)
                elif (request := request_of(name)) is not None:
                    yield name, self._of_line(line, request)

    def _line(self, name: str, request: Request) -> bytes:
        line = {
            "custom_id": name,
            "method": "POST",
            "url": f"/v1{self._model.path}",
            "body": self._model.body_of(request),
        }
        return json.dumps(line).encode() + b"\n"  # ASCII: judged text may hold half a surrogate pair

    async def _get(self, batch: str) -> dict[str, Any]:
        return await self._ask("get", f"/batches/{batch}", missing=self._unknown(batch))

    def _of_line(self, line: Mapping[str, Any], request: Request) -> Collected:
        response = line.get("response")
        if isinstance(response, dict) and isinstance(response.get("status_code"), int):
            return self._came(response["status_code"], response.get("body"), request)
        error = line.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        # expired and cancelled requests are not billed; one that timed out may be
        return ModelUnavailable(
            f"{self._model.who} did not answer in a batch: {shown(error)}", maybe_billed=code == "request_timeout"
        )

    def _problem(self, batch: str, found: Mapping[str, Any]) -> ModelUnavailable | ModelRejected:
        errors = found.get("errors")
        listed = errors.get("data") if isinstance(errors, dict) else None
        first = next((one for one in listed or () if isinstance(one, dict)), {})
        code = str(first.get("code")).lower()
        told = f"{self._model.who} refused {batch}: {shown(first.get('message') or first)}"
        if any(one in code for one in _TOO_MUCH):
            return ModelUnavailable(told, throttled=True)
        if any(one in code for one in _MAY_HEAL):
            return ModelUnavailable(told)
        return ModelRejected(f"{told} ({code})")


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
