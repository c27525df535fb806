"""What two processes that train together do, in two forks of the test's process that meet over gloo."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from solon.trainers.backend.processes import Processes
from solon.trainers.several import Place


def in_two(deed: Callable[[Processes], Any], *, divided: bool = False) -> list[Any]:
    """What ``deed(processes)`` returns, or raises, in each of two processes; ``divided`` if they divide models."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        running = [_fork(deed, Place(2, rank, rank, divided), listening) for rank in (0, 1)]
    found = []
    for child, answer in running:
        with os.fdopen(answer, "rb") as file:
            said = file.read()
        os.waitpid(child, 0)
        found.append(pickle.loads(said))
    return found


def _fork(deed: Callable[[Processes], Any], place: Place, listening: socket.socket) -> tuple[int, int]:
    """A process, and the end of the pipe into which it writes what it found."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        return child, ours
    with suppress(BaseException):
        port = listening.getsockname()[1]
        os.environ.update(place.environment(port=port, listening=listening.fileno()), GLOO_SOCKET_IFNAME="lo")
        found: Any
        try:
            found = deed(Processes.joined())
        except Exception as error:  # noqa: BLE001 - it is looked at on the other side
            found = error
        with os.fdopen(theirs, "wb") as file:
            file.write(pickle.dumps(found))
    os._exit(0)
