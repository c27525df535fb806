"""A view from its start to Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import webbrowser
from collections.abc import Callable
from threading import Thread

from aiohttp import web

from solon.errors import SolonError
from solon.screen import visible
from solon.viewing.server import Server

HOST = "127.0.0.1"


def serve(server: Server, *, port: int, browse: bool, say: Callable[[str], None]) -> None:
    """Serves until somebody presses Ctrl-C, or the process is asked to end.

    Args:
        server: what to serve.
        port: where; 0 takes any that is free.
        browse: whether to open a browser.
        say: shows a line to whoever started it.

    Raises:
        SolonError: the port is taken.
    """
    asyncio.run(_serve(server, port, browse, say))


async def _serve(server: Server, port: int, browse: bool, say: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1, logger=_logger())
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise SolonError(
                f"cannot listen on port {port}: {os.strerror(error.errno or 0)}; give another --port"
            ) from error
        address = f"http://{HOST}:{runner.addresses[0][1]}/?token="
        say(f"open {address}{server.guard.token}")
        say("Ctrl-C ends it; the address is for this machine and you alone")
        if browse:
            # some run in the foreground, and none may hold up the page that it asks for, nor the end
            Thread(target=webbrowser.open, args=(address + server.guard.once,), daemon=True).start()
        await stopped.wait()
    finally:
        await runner.cleanup()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


class _Visible(logging.Formatter):
    """What went wrong, with nothing in it that moves a cursor: an error may quote what somebody sent."""

    def format(self, record: logging.LogRecord) -> str:
        """As it is, spelled out."""
        return visible(super().format(record))


def _logger() -> logging.Logger:
    handler = logging.StreamHandler()
    handler.setFormatter(_Visible("solon view: %(message)s"))
    logger = logging.Logger("solon.viewing", logging.ERROR)  # ours alone: no setting of others reaches it
    logger.addHandler(handler)
    return logger


def has_display() -> bool:
    """Whether a browser could be seen: not over ssh, and not in a container."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and "SSH_CONNECTION" not in os.environ
