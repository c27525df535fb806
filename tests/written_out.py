"""Servers that write out what they answer byte by byte, and connections to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from solon.models.connections import Connections

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
MOST = 1000


class Scripted:
    """A server that answers each request with the next of some texts, whatever was asked.

    Attributes:
        requests: head and body of each.
        connections: how many were made.
        gone: how many of them were closed by the other side.
    """

    def __init__(self, answers: Sequence[bytes], *, closes: bool) -> None:
        self.answers, self.closes = list(answers), closes
        self.requests: list[tuple[str, bytes]] = []
        self.connections = self.gone = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                self.requests.append((head, await reader.readexactly(length)))
                if not self.answers:
                    await reader.read()  # says nothing until the other side goes
                    raise ConnectionError
                writer.write(self.answers.pop(0))
                await writer.drain()
                if self.closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone += 1


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server; in the end it is waited for until it has noticed that the other side has gone."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
    async with asyncio.timeout(10):
        await asyncio.gather(*(task for task in tasks if task is not None))


@asynccontextmanager
async def to(url: str, headers: Mapping[str, str] = {}) -> AsyncIterator[Connections]:
    connections = Connections(url, headers, connect_s=5, most_bytes=MOST)
    try:
        yield connections
    finally:
        await connections.aclose()


@asynccontextmanager
async def served(
    *answers: bytes, closes: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Scripted, Connections]]:
    server = Scripted(answers, closes=closes)
    async with listening(server.serve, tls=tls) as server.port:
        scheme = "http" if tls is None else "https"
        async with to(f"{scheme}://localhost:{server.port}/v1/chat?a=1", {"X-One": "1"}) as connections:
            yield server, connections


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not so():  # noqa: ASYNC110 - turns of the loop, until the other side has seen it
            await asyncio.sleep(0)
