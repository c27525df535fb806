"""POST after POST to one address, over connections that stay open: what an endpoint needs of HTTP, and no more.

A general client takes three times as long for each request (docs/results/labeling.md). HTTP is read by httptools, which
holds the parser of Node.js; aiohappyeyeballs finds the address that answers; the rest is asyncio's.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from socket import AI_NUMERICHOST, SOCK_STREAM, getaddrinfo
from typing import Any

from aiohappyeyeballs import start_connection
from yarl import URL

from solon.models.connection import CannotConnectError, Connection, Response, UnsafeError

KEEP_S = 15.0
"""How long a connection may wait for its next request: servers close those that wait longer."""

RESOLVED_S = 10.0
"""How long the numbers behind a name are taken for right."""

NEXT_ADDRESS_S = 0.25
"""After so long the next address of a name is tried beside the one before (RFC 8305, section 5)."""


class Connections:
    """The connections to one address. They belong to the event loop in which they are made.

    Args:
        url: the address, ``http`` or ``https``.
        headers: sent with each request.
        connect_s: seconds within which a connection has to stand.
        most_bytes: of the body of a response.

    Raises:
        ValueError: the address is none.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, connect_s: float, most_bytes: int) -> None:
        parts = URL(url)
        if parts.raw_host is None or parts.port is None:
            raise ValueError(f"{url!r} names no host")
        parts.raw_host.encode("idna")  # a UnicodeError, which is a ValueError, now and not with each request
        self._host, self._port = parts.raw_host, parts.port
        self._connect_s, self._most_bytes = connect_s, most_bytes
        self._tls = _tls() if parts.scheme == "https" else None
        sent = {"Host": str(parts.host_port_subcomponent), "Accept-Encoding": "gzip, deflate", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._head = f"POST {parts.raw_path_qs} HTTP/1.1\r\n{lines}Content-Length: ".encode("latin-1")
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._addresses: Sequence[Any] = ()
        self._resolved_at = 0.0
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether they can be used here."""
        return not self._is_closed and self._loop is asyncio.get_running_loop()

    async def post(self, body: bytes) -> Response:
        """One request, one response, whatever its status. Whoever cancels it closes its connection.

        Raises:
            CannotConnectError: it did not go out.
            BrokenOffError: it may have gone out, and no response came.
        """
        connection = self._kept() or await self._connect()
        self._busy.add(connection)
        try:
            response = await connection.exchange(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        except BaseException:
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        if connection.is_open:
            self._idle.append(connection)
        return response

    async def aclose(self) -> None:
        """Closes all of them, also those in use."""
        self._is_closed = True
        if not self._loop.is_closed():  # it has taken them with it, else
            for connection in (*self._idle, *self._busy):
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # sockets are closed in the next turn of the loop

    def _kept(self) -> Connection | None:
        """The one that was used last: the likeliest to be open still."""
        oldest = time.monotonic() - KEEP_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.used_at > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_s):
                socket = await start_connection(await self._resolved(), happy_eyeballs_delay=NEXT_ADDRESS_S)
                host = self._host if self._tls is not None else None
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._most_bytes), sock=socket, ssl=self._tls, server_hostname=host
                )
        except ssl.SSLError as error:
            raise UnsafeError(f"{type(error).__name__}: {error}") from error
        except TimeoutError as error:
            raise CannotConnectError(f"no connection within {self._connect_s:g} s") from error
        except OSError as error:
            raise CannotConnectError(error.strerror or str(error) or type(error).__name__) from error
        if self._is_closed or not connection.is_open:  # TLS stood, and in the same breath the server closed it
            connection.close()
            raise CannotConnectError("it was closed meanwhile")
        return connection

    async def _resolved(self) -> Sequence[Any]:
        """The addresses of the host, each time from another on: there may be a server behind each.

        While they are looked up again, others take those that were known.
        """
        now = time.monotonic()
        if not self._addresses or now - self._resolved_at > RESOLVED_S:
            self._resolved_at = now
            try:  # a number needs nobody to be asked, and no thread
                self._addresses = getaddrinfo(self._host, self._port, type=SOCK_STREAM, flags=AI_NUMERICHOST)
            except OSError:
                self._addresses = await self._loop.getaddrinfo(self._host, self._port, type=SOCK_STREAM)
        addresses = self._addresses
        self._addresses = (*addresses[1:], *addresses[:1])
        return addresses


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
