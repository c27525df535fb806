"""How a response fails on its way: what is written of it, and how the connection ends."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

DROPS, DROP_S = 8, 0.02
"""In how many pieces a slow body comes, and the seconds between two of them."""

End: TypeAlias = Callable[[web.Request], web.Response]
"""Ends the connection that a request came by. The response is for aiohttp, which wants one; it goes nowhere."""


def reset(request: web.Request) -> web.Response:
    """Ends the connection with a RST packet, as a crashed server or a middle box does."""
    if request.transport is not None:
        found = request.transport.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


def hang_up(request: web.Request) -> web.Response:
    """Ends the connection in good order, wherever the body is."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def half(request: web.Request, good: Mapping[str, Any], then: End) -> web.StreamResponse:
    """The first half of a reply under the length of the whole, and then the end."""
    body = json.dumps(good).encode()
    response = await _begun(request, len(body))
    await response.write(body[: len(body) // 2])
    then(request)
    return response


async def whole(request: web.Request, good: Mapping[str, Any], then: End) -> web.StreamResponse:
    """A whole reply, and then the end."""
    body = json.dumps(good).encode()
    response = await _begun(request, len(body))
    await response.write(body)
    then(request)
    return response


async def slow(request: web.Request, good: Mapping[str, Any]) -> web.StreamResponse:
    """A whole reply, drop by drop."""
    body = json.dumps(good).encode()
    response = await _begun(request, len(body))
    for number in range(DROPS):
        await response.write(body[len(body) * number // DROPS : len(body) * (number + 1) // DROPS])
        await asyncio.sleep(DROP_S)
    return response


async def endless(request: web.Request, until: asyncio.Event) -> web.StreamResponse:
    """White space, a byte at a time, for as long as the client listens and the server runs."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while not until.is_set():
        try:
            await response.write(b" ")
            await asyncio.wait_for(until.wait(), 0.05)
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return response


def with_header(request: web.Request, good: Mapping[str, Any], header: str) -> web.Response:
    """A whole reply with one header more, as no library would write it; then the connection is closed."""
    body = json.dumps(good).encode()
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", header]
    if request.transport is not None:
        request.transport.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    return hang_up(request)


async def _begun(request: web.Request, length: int) -> web.StreamResponse:
    headers = {"Content-Type": "application/json", "Content-Length": f"{length}"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    return response
