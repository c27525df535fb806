"""Tries what must not be possible, and says what was."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare() -> None:
    """Nothing to prepare."""


def run(arguments: dict[str, Any]) -> list[str]:
    """Each thing that was possible, in words.

    Args:
        arguments: ``secret``: a file outside that this user may read and write; ``parent``: id of solon's own process.
    """
    secret = Path(arguments["secret"])
    attempts: dict[str, Callable[[], object]] = {
        "reading a file of the user": secret.read_bytes,
        "listing a folder of the user": lambda: list(secret.parent.iterdir()),
        "writing a file of the user": lambda: secret.open("r+b"),
        "making a file of its own outside of the scratch folder": lambda: secret.with_suffix(".new").touch(),
        "changing a file of the user": lambda: secret.chmod(0o600),
        "making a network connection": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "making a local connection": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "starting a process": _fork,
        "reaching solon's own process": lambda: os.kill(arguments["parent"], 0),
        "reaching the process that runs it": lambda: os.kill(os.getppid(), 0),
        "reading another process's environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "sending a signal to every process": lambda: os.killpg(0, signal.SIGCONT),
    }
    return [what for what, attempt in attempts.items() if _possible(attempt)]


def _possible(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _fork() -> None:
    if not os.fork():
        os._exit(0)
