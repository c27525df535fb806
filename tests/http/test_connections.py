"""HTTP as servers really write it, over connections that stay open; each response is written out byte by byte."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import socket
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohappyeyeballs import start_connection

from solon.models import connections as module
from solon.models.connection import BrokenOffError, CannotConnectError, TooLongError, UnsafeError
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


async def test_a_request_is_sent_whole_and_its_connection_used_again() -> None:
    """One after the other: one connection."""
    async with served(HELLO, HELLO) as (server, connections):
        for body in (b"{}", b"x" * 300_000):
            assert (await connections.post(body)).body == b"hello"
        assert [body for _, body in server.requests] == [b"{}", b"x" * 300_000]
        assert server.requests[0][0].splitlines()[:5] == [
            "POST /v1/chat?a=1 HTTP/1.1",
            f"Host: localhost:{server.port}",
            "Accept-Encoding: gzip, deflate",
            "X-One: 1",
            "Content-Length: 2",
        ]
        assert server.connections == 1


async def test_those_that_are_asked_at_once_have_a_connection_each() -> None:
    """And the next are asked on one of them."""
    async with served(*[HELLO] * 4) as (server, connections):
        await asyncio.gather(*(connections.post(b"{}") for _ in range(3)))
        await connections.post(b"{}")
        assert server.connections == 3


WRITTEN = {
    "in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
    "announced": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + HELLO,
    "gzip": OK
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(gzip.compress(b"hello")), gzip.compress(b"hello")),
    "deflate": OK
    + b"content-encoding: identity, DEFLATE\r\nContent-Length: %d\r\n\r\n%b"
    % (len(zlib.compress(b"hello")), zlib.compress(b"hello")),
    "lines that end carelessly": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "no words beside the status": b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
async def test_a_body_is_the_same_however_it_is_written(written: bytes) -> None:
    """And the connection can be used again."""
    async with served(written, HELLO) as (server, connections):
        response = await connections.post(b"{}")
        assert (response.status, response.body) == (200, b"hello")
        await connections.post(b"{}")
        assert server.connections == 1


async def test_a_response_that_comes_byte_by_byte() -> None:
    """Heads and bodies are cut anywhere."""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        for byte in WRITTEN["announced"]:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with listening(slowly) as port, to(f"http://127.0.0.1:{port}") as connections:
        assert (await connections.post(b"{}")).body == b"hello"


ENDS = {
    "says that it closes": OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP 1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "ends with the connection": OK + b"Content-Type: application/json\r\n\r\nhello",
}


@pytest.mark.parametrize("written", ENDS.values(), ids=ENDS)
async def test_a_connection_that_ends_is_not_used_again(written: bytes) -> None:
    """Whoever asks next has a new one."""
    async with served(written, HELLO, closes=True) as (server, connections):
        assert (await connections.post(b"{}")).body == b"hello"
        assert (await connections.post(b"{}")).body == b"hello"
        assert server.connections == 2


async def test_a_server_that_closes_what_waits_costs_no_request() -> None:
    """It is noticed before the next is sent."""
    async with served(HELLO, HELLO, closes=True) as (server, connections):
        await connections.post(b"{}")
        await until(lambda: not any(one.is_open for one in connections._idle))
        assert (await connections.post(b"{}")).body == b"hello"
        assert server.connections == 2


async def test_what_has_waited_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may have forgotten it without a word."""
    monkeypatch.setattr(module, "KEEP_S", 0.0)
    async with served(HELLO, HELLO) as (server, connections):
        await connections.post(b"{}")
        await connections.post(b"{}")
        await until(lambda: server.gone == 1)
        assert server.connections == 2


async def test_more_than_was_asked_for_is_nobodys_reply() -> None:
    """A second response in the same breath would be taken for that of the next request."""
    async with served(HELLO + HELLO, OK + b"Content-Length: 3\r\n\r\nnew") as (server, connections):
        assert (await connections.post(b"{}")).body == b"hello"
        assert (await connections.post(b"{}")).body == b"new"
        assert server.connections == 2


BROKEN = {
    "nothing": (b"", "closed before the whole response"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", "closed before the whole response"),
    "half a body": (OK + b"Content-Length: 50\r\n\r\nhello", "closed before the whole response"),
    "half of its chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "closed before the whole response",
    ),
    "only announced": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "closed before the whole response"),
    "no HTTP": (b"220 mail.example.com ESMTP\r\n", "not HTTP"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "not HTTP"),
    "another protocol": (
        b"HTTP/1.1 101 Yes\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "something else than HTTP",
    ),
    "packed by nobody's way": (OK + b"Content-Encoding: br\r\nContent-Length: 5\r\n\r\nhello", "not asked for, br"),
    "packed badly": (OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "cannot be unpacked"),
    "packed and cut": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 15\r\n\r\n" + gzip.compress(b"hello")[:15],
        "packed, and cut off",
    ),
}


@pytest.mark.parametrize(("written", "why"), BROKEN.values(), ids=BROKEN)
async def test_what_is_no_response_is_told_apart(written: bytes, why: str) -> None:
    """And its connection is closed."""
    async with served(written, closes=True) as (_, connections):
        with pytest.raises(BrokenOffError, match=why):
            await connections.post(b"{}")
        assert not [one for one in connections._idle if one.is_open]


LONG = {
    "a body": OK + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000,
    "a head without an end": OK + b"X: y\r\n" * 20_000,
    "a bomb": OK
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(gzip.compress(b"x" * 100_000)), gzip.compress(b"x" * 100_000)),
}


@pytest.mark.parametrize("written", LONG.values(), ids=LONG)
async def test_no_more_is_read_than_there_may_be(written: bytes) -> None:
    """Also where little comes that unpacks to much."""
    async with served(written) as (_, connections):
        with pytest.raises(TooLongError):
            await connections.post(b"{}")


async def test_whoever_goes_closes_the_connection() -> None:
    """What comes on it would be taken for the reply to another request."""
    async with served() as (server, connections):
        asked = asyncio.create_task(connections.post(b"{}"))
        await until(lambda: bool(server.requests))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await until(lambda: server.gone == 1)


async def test_closing_ends_what_is_under_way() -> None:
    """And nothing can be asked here any more."""
    async with served() as (server, connections):
        asked = asyncio.create_task(connections.post(b"{}"))
        await until(lambda: bool(server.requests))
        await connections.aclose()
        with pytest.raises(BrokenOffError):
            await asked
        assert not connections.is_open


async def test_every_value_of_a_header_is_there_by_any_case() -> None:
    """Gateways add their own."""
    written = b"HTTP/1.1 429 No\r\nRetry-After: 1\r\nretry-after: 2\r\nX: \xe9\r\nContent-Length: 0\r\n\r\n"
    async with served(written) as (_, connections):
        response = await connections.post(b"{}")
        assert (response.status, response.body) == (429, b"")
        assert response.headers.getall("RETRY-AFTER") == ["1", "2"]
        assert response.headers["x"] == "é"


async def test_an_answer_before_the_whole_request_was_read_is_taken() -> None:
    """A request that is too large is refused by its head alone."""

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with listening(refuses) as port, to(f"http://127.0.0.1:{port}") as connections:
        assert (await connections.post(b"x" * 5_000_000)).status == 413


# ---------------------------------------------------------------- no connection


async def test_a_server_that_is_not_there() -> None:
    """The request did not go out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with to(f"http://127.0.0.1:{port}") as connections:
        with pytest.raises(CannotConnectError, match="onnect call failed"):
            await connections.post(b"{}")


async def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is looked up again the next time."""
    connections = Connections("http://nobody.invalid", {}, connect_s=5, most_bytes=MOST)
    asked: list[object] = []

    async def unknown(*_args: object, **_named: object) -> list[Any]:
        asked.append(0)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    for _ in range(2):
        with pytest.raises(CannotConnectError, match="Name or service not known"):
            await connections.post(b"{}")
    assert len(asked) == 2


async def test_a_server_that_takes_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request did not go out: this is no reply that took too long."""

    async def never(*_args: object, **_named: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "start_connection", never)
    connections = Connections("http://127.0.0.1:9", {}, connect_s=0.01, most_bytes=MOST)
    with pytest.raises(CannotConnectError, match=r"no connection within 0\.01 s"):
        await connections.post(b"{}")


async def test_what_stands_only_after_the_end_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else would close it."""
    async with served(HELLO) as (server, connections):
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def late(*args: Any, **named: Any) -> socket.socket:
            begun.set()
            await goes_on.wait()
            return await start_connection(*args, **named)

        monkeypatch.setattr(module, "start_connection", late)
        asked = asyncio.create_task(connections.post(b"{}"))
        await begun.wait()
        await connections.aclose()
        goes_on.set()
        with pytest.raises(CannotConnectError, match="closed meanwhile"):
            await asked
        assert server.requests == []


@pytest.mark.parametrize("url", ["http://", "http://host:99999", "http://[::1"])
async def test_what_is_no_address(url: str) -> None:
    """Said before anything is sent."""
    with pytest.raises(ValueError, match=r"."):
        Connections(url, {}, connect_s=5, most_bytes=MOST)


async def test_an_address_by_number_of_either_kind_is_named_as_it_should_be() -> None:
    """A port that goes without saying is not said."""
    heads = {
        url: Connections(url, {}, connect_s=5, most_bytes=MOST)._head.split(b"\r\n")[1]
        for url in ("http://[::1]:80/v1", "https://[::1]:8443", "https://bücher.example/")
    }
    assert list(heads.values()) == [b"Host: [::1]", b"Host: [::1]:8443", b"Host: xn--bcher-kva.example"]


# ---------------------------------------------------------------- in secret


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, and a certificate for localhost that it has signed itself, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made with openssl")
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    key, signed = folder / "key.pem", folder / "signed.pem"
    made = [*words.split(), "-keyout", str(key), "-out", str(signed)]
    subprocess.run(["openssl", *made], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(signed.read_bytes() + key.read_bytes())
    return both


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_server_whose_certificate_is_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the usual way: SSL_CERT_FILE, or what the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with served(HELLO, HELLO, tls=serving(certificate)) as (server, connections):
        for _ in range(2):
            assert (await connections.post(b"{}")).body == b"hello"
        assert server.connections == 1


async def test_a_server_whose_certificate_nobody_signed(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never asked: it would have the key."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with served(HELLO, tls=serving(certificate)) as (server, connections):
        with pytest.raises(UnsafeError, match="certificate verify failed"):
            await connections.post(b"{}")
        assert server.requests == []


async def test_a_server_that_speaks_openly_where_it_should_not() -> None:
    """An address with one letter too many."""

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with listening(refuses) as port, to(f"https://localhost:{port}") as connections:
        with pytest.raises(UnsafeError):
            await connections.post(b"{}")
