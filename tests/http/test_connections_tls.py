"""Connections over TLS: whom they trust, and what an end there looks like."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from tests.written_out import HELLO, listening, served, to, until

from solon.models.connection import CannotConnectError, UnsafeError


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


async def test_a_server_that_ends_without_a_word_is_asked_nothing_more(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS is closed some turns of the loop after its socket; what is sent in between goes nowhere."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    goes = asyncio.Event()

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(HELLO)
        await goes.wait()
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    async with listening(answers, tls=serving(certificate)) as port, to(f"https://localhost:{port}") as connections:
        await connections.post(b"{}")
        (connection,) = connections._idle
        tls = connection._transport._ssl_protocol
        goes.set()
        await until(lambda: tls._eof_received)
        assert not connection.is_open


async def test_a_server_that_speaks_before_it_is_asked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS 1.2 can bring the first words with its last one: then nothing has gone out."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = serving(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    async def speaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(came, goes, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(goes.read())
                came.write(await reader.read(65_536))
        tls.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        writer.write(goes.read())
        await reader.read()

    async with listening(speaks) as port, to(f"https://localhost:{port}") as connections:
        with pytest.raises(CannotConnectError, match="closed meanwhile"):
            await connections.post(b"{}")
