"""One connection to a server, which carries one request after the other. HTTP/1.1 is read by httptools."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

_MOST_HEAD = 65_536
"""Bytes that a response may have beside its body."""

_PACKED = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}
"""For each way to pack a body, what zlib calls it (47 finds out by itself)."""


class CannotConnectError(OSError):
    """There is no connection, and no request went out."""


class UnsafeError(CannotConnectError):
    """There is a server, but no secret way to it."""


class BrokenOffError(OSError):
    """A request went out, and what came back is no response."""


class TooLongError(BrokenOffError):
    """The response is longer than it may be."""


class Response(NamedTuple):
    """What came back.

    Attributes:
        status: of HTTP.
        body: whole, and unpacked.
        pairs: the headers as they came.
    """

    status: int
    body: bytes
    pairs: list[tuple[bytes, bytes]]

    @property
    def headers(self) -> CIMultiDict[str]:
        """By name, in any case."""
        return CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.pairs)


class Connection(asyncio.Protocol):
    """Made by asyncio. What httptools calls it with is named as it wants it (``on_...``).

    Args:
        most_bytes: of a body.

    Attributes:
        used_at: when its last response came, by ``time.monotonic``.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )  # as browsers read: there are servers that write so
        self._transport: asyncio.Transport | None = None
        self._asked: asyncio.Future[Response] | None = None
        self._pairs: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._came = 0
        self.used_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it can carry another request."""
        return self._transport is not None and self._asked is None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Response:
        """Sends a request; one at a time.

        Raises:
            BrokenOffError: no response came.
        """
        assert self._transport is not None
        self._came = 0
        asked: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._asked = asked
        self._transport.write(request)
        return await asked

    def close(self) -> None:
        """Closes it at once; a second time does nothing."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # ------------------------------------------------------------ called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of a response; without a request, nothing that can be trusted to be one."""
        self._came += len(data)
        if self._asked is None:
            self.close()
        elif self._came > self._most_bytes + _MOST_HEAD:
            self._fail(TooLongError(f"more than {self._most_bytes:,} bytes came"))
        else:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade:
                self._fail(BrokenOffError("it wants to speak something else than HTTP"))
            except HttpParserError as error:
                self._fail(BrokenOffError(f"what came is not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has closed it, or the network has; or we have."""
        self._transport = None
        if self._asked is None:
            return
        if exc is None and self._ends_with_the_connection():
            self._answer()
        else:
            why = f": {exc}" if exc is not None and str(exc) else ""
            self._fail(BrokenOffError(f"the connection was closed before the whole response was there{why}"))

    # ------------------------------------------------------------ called by the parser

    def on_message_begin(self) -> None:
        """A response begins."""
        self._pairs, self._parts = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is there."""
        self._pairs.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Part of the body is there."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The response is there; those below 200 only announce it (RFC 9110, section 15.2)."""
        if self._parser.get_status_code() < 200:
            self._pairs = []
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._answer()

    # ------------------------------------------------------------ what became of the request

    def _ends_with_the_connection(self) -> bool:
        """Whether the head of a response is there that does not say how long its body is (RFC 9112, section 6.3)."""
        names = {name.lower() for name, _ in self._pairs}
        return bool(names) and names.isdisjoint((b"content-length", b"transfer-encoding"))

    def _answer(self) -> None:
        asked, self._asked = self._asked, None
        self.used_at = time.monotonic()
        if asked is None:  # more came than was asked for
            self.close()
        elif not asked.done():
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            try:
                asked.set_result(Response(self._parser.get_status_code(), self._unpacked(body), self._pairs))
            except BrokenOffError as error:
                asked.set_exception(error)

    def _unpacked(self, body: bytes) -> bytes:
        packed = next((value for name, value in self._pairs if name.lower() == b"content-encoding"), b"")
        ways = [way for part in packed.split(b",") if (way := part.strip().lower()) not in (b"", b"identity")]
        for way in reversed(ways):
            if way not in _PACKED:
                raise BrokenOffError(f"its body is packed in a way that was not asked for, {way.decode('latin-1')}")
            body = self._unzipped(body, _PACKED[way])
        return body

    def _unzipped(self, body: bytes, window: int) -> bytes:
        unpacking = zlib.decompressobj(window)
        try:
            unpacked = unpacking.decompress(body, self._most_bytes)
        except zlib.error as error:
            raise BrokenOffError(f"its body cannot be unpacked: {error}") from error
        if unpacking.unconsumed_tail:
            raise TooLongError(f"more than {self._most_bytes:,} bytes were packed")
        if not unpacking.eof:
            raise BrokenOffError("its body is packed, and cut off")
        return unpacked

    def _fail(self, error: BrokenOffError) -> None:
        self.close()
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_exception(error)
