"""One connection to a server, which carries one request after the other. HTTP/1.1 is read by httptools."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from io import BytesIO
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

_MOST_HEAD = 65_536
"""Bytes that a response may have beside its body."""

_ASKED_FOR = (b"gzip", b"x-gzip", b"deflate")
_NOT_ASKED_FOR = (b"br", b"zstd", b"compress", b"x-compress")
"""Ways to pack a body (IANA). Other words in their place, ``utf-8`` and the like, say nothing, as for all clients."""

_GZIP, _ZLIB, _BARE = 31, 15, -15
"""What zlib calls them; some servers leave out the frame that belongs around deflate (RFC 9110, section 8.4.1.2)."""


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
        self._has_head = False
        self._has_ended = False
        self.used_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it can carry another request."""
        free = self._asked is None and not self._has_ended
        return free and self._transport is not None and not self._transport.is_closing()

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
        try:
            return await asked
        finally:
            del asked  # the traceback of its error holds this frame, which would hold it until cycles are looked for

    def close(self) -> None:
        """Closes it at once; a second time does nothing."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # ------------------------------------------------------------ called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast("asyncio.Transport", transport)  # those of uvloop only look like one

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

    def eof_received(self) -> None:
        """The server says no more. TLS is closed only some turns of the loop later."""
        self._has_ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has closed it, or the network has; or we have, and then what came is no whole response."""
        is_ended = exc is None and self._transport is not None
        self._transport = None
        if is_ended and self._ends_with_the_connection():
            self._answer()
        else:
            why = f": {exc}" if exc is not None and str(exc) else ""
            self._fail(BrokenOffError(f"the connection was closed before the whole response was there{why}"))
        del self._parser  # it holds us, and we it

    # ------------------------------------------------------------ called by the parser

    def on_message_begin(self) -> None:
        """A response begins. One that nobody asked for would be taken for that of the next request."""
        self._pairs, self._parts, self._has_head = [], [], False
        if self._asked is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is there; what comes after the body is none (RFC 9110, section 6.5)."""
        if not self._has_head:
            self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        """Part of the body is there."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The response is there; those below 200 only announce it (RFC 9110, section 15.2)."""
        self._has_head = False
        if self._parser.get_status_code() < 200:
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._answer()

    # ------------------------------------------------------------ what became of the request

    def _ends_with_the_connection(self) -> bool:
        """Whether the head of a response is there that does not say how long its body is (RFC 9112, section 6.3)."""
        names = {name.lower() for name, _ in self._pairs}
        return self._has_head and names.isdisjoint((b"content-length", b"transfer-encoding"))

    def _answer(self) -> None:
        asked, self._asked = self._asked, None
        self.used_at = time.monotonic()
        if asked is None or asked.done():
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        try:
            asked.set_result(Response(self._parser.get_status_code(), self._unpacked(body), self._pairs))
        except BrokenOffError as error:
            asked.set_exception(error)
        finally:
            del asked  # as in ``exchange``

    def _unpacked(self, body: bytes) -> bytes:
        for name, value in self._pairs:
            if name.lower() == b"content-encoding":
                return self._unpacked_from(value, body) if body else body
        return body

    def _unpacked_from(self, packed: bytes, body: bytes) -> bytes:
        for way in reversed([part.strip().lower() for part in packed.split(b",")]):
            if way in _NOT_ASKED_FOR:
                raise BrokenOffError(f"its body is packed in a way that was not asked for, {way.decode()}")
            if way in _ASKED_FOR and body:
                body = self._unzipped(body, is_gzip=way != b"deflate")
        return body

    def _unzipped(self, body: bytes, *, is_gzip: bool) -> bytes:
        most = self._most_bytes + 1
        try:
            unpacking = zlib.decompressobj(_GZIP if is_gzip else _ZLIB if body[0] & 15 == zlib.DEFLATED else _BARE)
            unpacked = unpacking.decompress(body, most)
            if is_gzip and unpacking.unused_data.startswith(b"\x1f\x8b"):  # another behind it (RFC 1952, section 2.2)
                unpacked = gzip.GzipFile(fileobj=BytesIO(body)).read(most)  # takes many times as long
            elif not unpacking.eof and len(unpacked) < most:
                raise EOFError
        except EOFError:
            raise BrokenOffError("its body is packed, and cut off") from None
        except (zlib.error, gzip.BadGzipFile) as error:
            raise BrokenOffError(f"its body cannot be unpacked: {error}") from error
        if len(unpacked) == most:
            raise TooLongError(f"more than {self._most_bytes:,} bytes were packed")
        return unpacked

    def _fail(self, error: BrokenOffError) -> None:
        self.close()
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_exception(error)
