"""What stands in for Python's executable: asks for a fork, or becomes the real one.

Runs without site-packages, in a few milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

KILL = getattr(signal, "SIGRTMIN", signal.SIGUSR2)
"""What ends the fork by SIGKILL, and then us: nobody can wait for a fork whose client was killed."""
FORWARDED = {
    **{same: same for same in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)},
    KILL: signal.SIGKILL,
}
_MODULES = ("solon", "solon.cli.app", "solon.trainers.worker", "solon.comparison.worker")
_NO_LIBRARY_READS = re.compile(
    r"PATH|PYTHONPATH|_|SHLVL|PWD|OLDPWD|TMPDIR|COLUMNS|LINES|(PYTEST|SOLON|ACCELERATE)_\w*|\w+_API_KEY"
    r"|(CRC32C|KMP|TORCHINDUCTOR)_\w*"  # libraries set these themselves
    r"|RANK|WORLD_SIZE|LOCAL_RANK|LOCAL_WORLD_SIZE|MASTER_ADDR|MASTER_PORT|GLOO_SOCKET_IFNAME|FSDP_\w*"
)
"""Variables that may differ: read when they are needed, by whoever needs them."""


def socket_of(folder: Path, environment: Mapping[str, str]) -> Path:
    """Where forks are to be had for an environment."""
    read = sorted((name, value) for name, value in environment.items() if not _NO_LIBRARY_READS.fullmatch(name))
    return folder / hashlib.sha256(json.dumps(read).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def program_of(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Which module or script, with which arguments, where a fork can run it.

    Of ``-P`` a fork takes what it means: the folder that it starts in is not searched.
    """
    safe = arguments[:1] == ["-P"]
    rest = list(arguments[1:] if safe else arguments)
    if rest[:1] == ["-m"] and rest[1:2] and rest[1] in _MODULES:
        return {"module": rest[1], "arguments": rest[2:], "safe": safe}
    if rest and Path(rest[0]).name == "solon":
        return {"script": rest[0], "arguments": rest[1:], "safe": safe}
    return None


def main(python: str, folder: str, before: Sequence[str]) -> None:
    """Ends as the fork ends."""
    arguments = [*before, *sys.argv[1:]]
    environment = dict(os.environ)
    program = program_of(arguments)
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            if program is None or _customized(environment):
                raise OSError("a fork would do something else")
            connection.connect(str(socket_of(Path(folder), environment)))
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
            os.execv(python, [python, *arguments])
        given = {"environment": environment, "folder": str(Path.cwd()), "umask": _umask(), "limits": limits()}
        _ask(connection, {**program, **given})
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
        with connection.makefile("r") as answers:
            forked = answers.readline()
            if not forked:  # there is no room for one
                signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
                os.execv(python, [python, *arguments])
            child = int(forked)
            for number in FORWARDED:
                signal.signal(number, lambda number, _: _forward(child, FORWARDED[number]))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
            ended = answers.readline()
            if not ended:  # what forks are made of is gone
                _forward(child, signal.SIGKILL)
            code = int(ended or -signal.SIGKILL)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def _customized(environment: Mapping[str, str]) -> bool:
    """Whether Python runs something at its start that stands on its path."""
    folders = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    return any(Path(folder, f"{who}customize.py").exists() for folder in folders for who in ("site", "user"))


def _forward(child: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has ended, and we are told next
        os.kill(child, number)


def limits() -> dict[str, tuple[int, int]]:
    """How much of what a process may have: files' size, processes, and so on."""
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _ask(connection: socket.socket, wanted: dict[str, Any]) -> None:
    """Sends it with every file that is open, whose numbers may be known to the program."""
    numbers = sorted(int(path.name) for path in Path("/proc/self/fd").iterdir())
    files = [number for number in numbers if number != connection.fileno() and _is_open(number)]
    message = json.dumps({**wanted, "files": files}).encode("utf-8", "surrogateescape")
    socket.send_fds(connection, [len(message).to_bytes(8, "big")], files)
    connection.sendall(message)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:  # the listing's own
        return False
    return True
