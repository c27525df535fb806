"""Starts what forks are made of, and makes what asks for them."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import pytest

from preloaded.client import FORWARDED, KILL, socket_of
from solon.trainers.base import Policy
from solon.trainers.launch import environment_of

FORKS = sys.platform == "linux" and os.environ.get("SOLON_FORKS") == "1"
_PYTHON = sys.executable
_LOCK = Lock()
_EACH_ITS_OWN = ("PYTHONPATH", "TMPDIR")
_START = """\
#!{python} -IS
import sys

sys.path.insert(0, {tests!r})
from preloaded.client import main

main({python!r}, {folder!r}, {before!r})
"""


class Preloaded:
    """A folder with a ``python`` and a ``solon`` that begin at once, as long as this is open.

    Attributes:
        folder: the folder.
        python: what to run instead of ``sys.executable``.
    """

    def __init__(self) -> None:
        self._temporary = TemporaryDirectory(prefix="py-")  # a socket's path may have 107 bytes
        self.folder = Path(self._temporary.name)
        self.python = self.folder / "python"
        self._servers: dict[Path, subprocess.Popen[bytes]] = {}
        for path, before in ((self.python, []), (self.folder / "solon", [str(Path(sys.prefix, "bin", "solon"))])):
            tests = str(Path(__file__).parents[1])
            text = _START.format(python=_PYTHON, tests=tests, folder=str(self.folder), before=before)
            path.write_text(text, "utf-8")
            path.chmod(0o700)

    def serve(self, *environments: Mapping[str, str]) -> None:
        """Processes with these environments are forks from now on; returns when the first could begin."""
        server, started = Path(__file__).with_name("server.py"), {}
        for environment in environments:
            path = socket_of(self.folder, environment)
            if path in self._servers and self._servers[path].poll() is None:
                continue
            path.unlink(missing_ok=True)
            started[path] = subprocess.Popen(
                [_PYTHON, "-P", str(server), str(path), str(self.python)],
                env={name: value for name, value in environment.items() if name not in _EACH_ITS_OWN},
                stdin=subprocess.PIPE,  # closed when we are gone, which ends it
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # a file, to Python's streams, would be one in a fork's pipe as well
            )
        for path, process in started.items():
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError(process.communicate()[1].decode("utf-8", "replace"))
            self._servers[path] = process

    def close(self) -> None:
        """Ends what forks are made of, and forks that there still are."""
        for server in self._servers.values():
            with server, suppress(OSError):
                assert server.stdin is not None
                server.stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    server.wait(10)
                server.kill()
        self._temporary.cleanup()


@cache
def _shared() -> Preloaded:
    shared = Preloaded()
    atexit.register(shared.close)
    return shared


def folder_for(environment: Mapping[str, str]) -> Path:
    """Where a ``python`` and a ``solon`` are that begin at once with this environment, and so do their trainings.

    The real ones unless forks are asked for.
    """
    if not FORKS:
        return Path(_PYTHON).parent
    with TemporaryDirectory() as model:
        training = environment_of(Policy(model=model, threads=1), temporary=Path(model))
    added = {name: value for name, value in training.items() if os.environ.get(name) != value}
    with _LOCK:
        shared = _shared()
        shared.serve(environment, {**environment, **added})
    return shared.folder


@contextmanager
def quick_trainings() -> Iterator[None]:
    """Meanwhile trainings that this process starts are forks, and so is all else of solon's that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", _python_for(os.environ))
        yield


def _python_for(environment: Mapping[str, str]) -> str:
    return str(folder_for(environment) / "python") if FORKS else _PYTHON


class Forked(subprocess.Popen[str]):
    """A command of solon's under way, which is a fork: one may wait for its end, however it was ended.

    Args:
        words: of the command line.
        folder: in which it starts.
        environment: of it.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        python = _python_for(environment)
        # signals wait until there is a fork that they are for
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED if FORKS else ())
        try:
            super().__init__(
                [python, "-m", "solon.cli.app", *words],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def send_signal(self, sig: int) -> None:
        """Sends it, and SIGKILL in a way that ends the fork first."""
        super().send_signal(KILL if sig == signal.SIGKILL and self._asked_for_a_fork() else sig)

    def _asked_for_a_fork(self) -> bool:
        """Whether it is not a process of Python's own after all."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")[1:2] == [b"-IS"]
        except OSError:  # there is no Linux
            return False
