"""What the batches of OpenAI and of Anthropic share: the SDK as the way there, and results read line by line.

As in ``sdk``, the SDK carries finished bodies and raw responses. Its own verbs would take all requests as objects,
write half a surrogate pair as invalid UTF-8, and follow a results address to another host.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal

from solon.errors import ModelError, ModelRejected, ModelUnavailable, PromptTooLong
from solon.keys import reply_without
from solon.models.base import Reply, Request
from solon.models.batch import Collected, Refused
from solon.models.network import network_error
from solon.models.wire import complaint, is_quota, json_object, shown, unusable

if TYPE_CHECKING:
    from solon.models.sdk import SdkModel

LONGEST_LINE = 64_000_000
"""A result of more bytes is none."""

CLOCKS_DIFFER_S = 26 * 3600.0
"""How much the provider's clock may be behind ours, when it is asked for what was submitted since a moment. A wrong
clock is often so by the hours of a time zone. To look through the batches of a day more costs little, and a batch that
is not found is paid for twice."""

_NAME = re.compile(rb'"custom_id"\s*:\s*"(?:[0-9a-f]{16}-)?([0-9a-f]{40})')
"""The name of a request, in a line that is no JSON: as it is, or after the label of its batch."""

_UNREAD = {"X-Stainless-Raw-Response": "stream"}  # how both SDKs are asked for a response that is not read yet


IN_MEMORY = 8_000_000
"""How large a body may be before it is written to the disk."""


class SdkBatches:
    """One model's batches at its provider, through the SDK.

    Class attributes:
        most_requests, most_bytes: what one batch may hold, by the provider's documentation.
    """

    most_requests: ClassVar[int]
    most_bytes: ClassVar[int]

    def __init__(self, model: SdkModel) -> None:
        self._model = model

    async def _ask(
        self,
        method: Literal["get", "post"],
        path: str,
        *,
        missing: str = "",
        unseen: bool = False,
        timed: bool = True,
        **sent: Any,
    ) -> dict[str, Any]:
        """The JSON object that the provider answers with.

        Args:
            method, path, sent: the request.
            missing: what to say when there is no such thing (404).
            unseen: whether what failed may have been done all the same, as the creation of a batch; otherwise nothing
                is owed for it.
            timed: whether it has ``timeout_s`` in all.
        """
        try:
            async with self._model.asking(timed=timed) as client:
                response = await self._model.exchange(client, method, path, **sent)
                if response.status_code == 200:
                    return json_object(reply_without(response.content, self._model.key()), self._model.who)
                error = self._error(response.status_code, response.headers, response.content, missing)
                if isinstance(error, ModelUnavailable):
                    error.maybe_billed = not error.throttled  # a server that failed may have failed afterwards
                raise error
        except ModelUnavailable as error:
            error.maybe_billed = error.maybe_billed and unseen
            raise

    async def _lines(self, path: str, *, missing: str = "") -> AsyncGenerator[dict[str, Any] | bytes]:
        """The JSON objects in a body, one a line, as they come; a line that holds something else comes as it is."""
        model = self._model
        async with model.asking(timed=False) as client:
            response = await model.exchange(client, "get", path, options={"headers": _UNREAD})
            if response.status_code != 200:
                raise self._error(response.status_code, response.headers, response.content, missing)
            rest = b""
            try:
                async for part in response.aiter_bytes():
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        if line.strip():
                            whole = reply_without(line, model.key())
                            yield _object(whole) or whole
                    if len(rest) > LONGEST_LINE:
                        raise unusable(model.who, f"sent a result of more than {LONGEST_LINE:,} bytes")
            except model.library.HTTPError as error:
                raise network_error(error, model.who, model.timeout_s) from None
            finally:
                await response.aclose()
            rest = reply_without(rest, model.key())
            if (found := _object(rest)) is not None:
                yield found
            elif rest.strip():
                raise unusable(model.who, f"broke off in the middle of a result: {shown(rest[-80:])}")

    def _unreadable(self, line: bytes | Mapping[str, Any]) -> tuple[str, ModelUnavailable]:
        """A result that is none, with the name of its request, as far as it says that. It may have been paid for."""
        raw = line if isinstance(line, bytes) else json.dumps(line).encode()
        found = _NAME.search(raw)
        name = "" if found is None else found[1].decode()
        return name, unusable(self._model.who, f"sent a result that cannot be read: {shown(raw[:80])}")

    def _error(self, status: int, headers: Mapping[str, str], raw: bytes, missing: str) -> ModelError:
        if status == 404 and missing:
            return ModelRejected(f"{self._model.who}: {missing}")
        meant = self._model.error_of(status, headers, raw, None)
        return ModelRejected(meant.text) if isinstance(meant, Reply) else meant

    def _came(self, status: int, body: Any, request: Request) -> Collected:
        """What the status and the body in one result mean."""
        model = self._model
        try:
            if status == 200:
                if not isinstance(body, dict):
                    raise unusable(model.who, f"answered with {shown(body)} in a batch")
                return model.reply_in(body, request)
            raw = json.dumps(body).encode()
            meant = model.error_of(status, {}, raw, request)
        except ModelError as error:
            return error
        if isinstance(meant, ModelRejected) and not isinstance(meant, PromptTooLong):
            said, code = complaint(raw)
            if status in (400, 422) and not is_quota(status, said, code):
                return Refused(str(meant))
        return meant

    def _unknown(self, batch: str) -> str:
        return (
            f"there is no batch {batch} in this account: was it submitted with another key than the one in "
            f"{self._model.api_key_env}? If it was deleted, `solon ledger give-up {batch}` lets its requests be asked "
            "again"
        )


async def written(parts: Iterable[bytes], into: IO[bytes]) -> int:
    """Writes all parts, and goes back to the beginning; their length in bytes."""
    for number, part in enumerate(parts):
        into.write(part)
        if number % 500 == 0:
            await asyncio.sleep(0)  # nobody else shall stand still meanwhile
    length = into.tell()
    into.seek(0)
    return length


def id_of(found: Mapping[str, Any], who: str) -> str:
    """The id of a file or batch.

    Raises:
        ModelUnavailable: it has none. It may be there all the same.
    """
    name = found.get("id")
    if isinstance(name, str) and name:
        return name
    raise unusable(who, f"answered without an id: {shown(found)}")


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
