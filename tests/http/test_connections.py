"""HTTP as servers really write it, over connections that stay open; each response is written out byte by byte."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import weakref
import zlib
from typing import Any

import pytest
from aiohappyeyeballs import start_connection
from tests.written_out import HELLO, MOST, OK, listening, served, to, until

from solon.models import connections as module
from solon.models.connection import BrokenOffError, CannotConnectError, TooLongError
from solon.models.connections import Connections


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


def packed(way: bytes, body: bytes) -> bytes:
    return OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (way, len(body), body)


WRITTEN = {
    "in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
    "announced": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + HELLO,
    "gzip": packed(b"gzip", gzip.compress(b"hello")),
    "gzip in two pieces": packed(b"gzip", gzip.compress(b"hel") + gzip.compress(b"lo")),
    "deflate": packed(b"identity, DEFLATE", zlib.compress(b"hello")),
    "deflate without a frame": packed(b"deflate", zlib.compress(b"hello")[2:-4]),
    "packed twice": packed(b"deflate, gzip", gzip.compress(zlib.compress(b"hello"))),
    "no way to pack": packed(b"utf-8", b"hello"),
    "words for headers behind it": OK
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Encoding: gzip\r\n\r\n",
    "another protocol on offer": OK + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nhello",
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


EMPTY = {
    "packed": packed(b"gzip", b""),
    "packed twice": packed(b"deflate, gzip", gzip.compress(b"")),
    "without a length": b"HTTP/1.1 204 No\r\nX: y\r\n\r\n",
    "with the length of another": b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("written", EMPTY.values(), ids=EMPTY)
async def test_a_response_without_a_body(written: bytes) -> None:
    """Nothing is waited for, and it is not taken for the next, should none come."""
    async with served(written, HELLO, written, b"") as (server, connections):
        assert (await connections.post(b"{}")).body == b""
        assert (await connections.post(b"{}")).body == b"hello"
        assert (await connections.post(b"{}")).body == b""
        server.closes = True
        with pytest.raises(BrokenOffError):
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
    "ends with the connection, and has no header": OK + b"\r\nhello",
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


UNASKED = [HELLO, HELLO[:1], HELLO[:15], HELLO[:-2]]


@pytest.mark.parametrize("more", UNASKED)
async def test_more_than_was_asked_for_is_nobodys_reply(more: bytes) -> None:
    """A second response in the same breath would be taken for that of the next request, also where its end is late."""
    async with served(HELLO + more, OK + b"Content-Length: 3\r\n\r\nnew") as (server, connections):
        assert (await connections.post(b"{}")).body == b"hello"
        assert (await connections.post(b"{}")).body == b"new"
        assert server.connections == 2


BROKEN = {
    "nothing": (b"", "closed before the whole response"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", "closed before the whole response"),
    "most of a head": (b"HTTP/1.1 401 No\r\nDate: x\r\nX: y\r\n", "closed before the whole response"),
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
    "packed badly, without a frame": (packed(b"deflate", b"hello"), "cannot be unpacked"),
    "packed without a frame, and cut": (packed(b"deflate", zlib.compress(b"hello" * 9)[2:-6]), "packed, and cut off"),
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
    "a bomb": packed(b"gzip", gzip.compress(b"x" * 100_000)),
    "a bomb of another kind": packed(b"deflate", zlib.compress(b"x" * 100_000)),
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


async def test_what_is_cut_off_by_closing_is_no_response() -> None:
    """Though the body would have ended with the connection."""
    async with served(OK + b"X: y\r\n\r\nhel") as (_, connections):
        asked = asyncio.create_task(connections.post(b"{}"))
        await until(lambda: any(one._parts for one in connections._busy))
        await connections.aclose()
        with pytest.raises(BrokenOffError):
            await asked


def test_what_is_closed_in_another_loop_ended_with_its_own() -> None:
    """A program may ask in one ``asyncio.run`` and close in the next."""

    async def ask(server: socket.socket) -> tuple[Connections, socket.socket]:
        loop = asyncio.get_running_loop()
        connections = Connections(f"http://127.0.0.1:{server.getsockname()[1]}", {}, connect_s=5, most_bytes=MOST)
        asked = asyncio.create_task(connections.post(b"{}"))
        client, _ = await loop.sock_accept(server)
        await loop.sock_sendall(client, HELLO)
        await asked
        return connections, client

    def asked_in_one_and_closed_in_the_next() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            connections, client = asyncio.run(ask(server))
        with client:
            asyncio.run(connections.aclose())
            del connections
            gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed"):  # Python's own, of what was left open
        asked_in_one_and_closed_in_the_next()


def test_another_event_loop_than_pythons_own() -> None:
    """A program may bring uvloop, whose transports are none of asyncio's classes."""
    uvloop = pytest.importorskip("uvloop")

    async def ask() -> bytes:
        async with served(HELLO) as (_, connections):
            return (await connections.post(b"{}")).body

    assert uvloop.run(ask()) == b"hello"


@pytest.mark.parametrize("written", [b"", packed(b"gzip", b"hello")])
async def test_what_went_wrong_is_gone_as_soon_as_nobody_holds_it(written: bytes) -> None:
    """Cycles are looked for seldom, and the requests would be held until then."""

    async def broken(connections: Connections) -> weakref.ref[BrokenOffError] | None:
        try:
            await connections.post(b"{}")
        except BrokenOffError as error:
            return weakref.ref(error)
        return None

    async with served(written, closes=True) as (_, connections):
        gone = await broken(connections)
        await asyncio.sleep(0)  # the loop holds it until the turn is over
        assert gone is not None
        assert gone() is None


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


async def test_a_name_with_several_servers_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its share of the connections."""
    asked = []

    async def resolved(*_args: object, **_named: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", 9)) for number in (1, 2, 3)]

    async def refuses(addresses: Any, **_named: object) -> None:
        asked.append([address[4][0][-1] for address in addresses])
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    monkeypatch.setattr(module, "start_connection", refuses)
    connections = Connections("http://several.invalid", {}, connect_s=5, most_bytes=MOST)
    for _ in range(4):
        with pytest.raises(CannotConnectError, match="ConnectionRefusedError"):
            await connections.post(b"{}")
    assert asked == [["1", "2", "3"], ["2", "3", "1"], ["3", "1", "2"], ["1", "2", "3"]]


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


@pytest.mark.parametrize("url", ["http://", "http://host:99999", "http://[::1", "http://a..b", "https://.a"])
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
