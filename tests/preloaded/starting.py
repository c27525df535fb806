"""Starts what forks are made of, and makes what asks for them."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from preloaded.client import FORWARDED, KILL, socket_of
from solon.trainers.base import Policy
from solon.trainers.launch import environment_of

FORKS = sys.platform == "linux" and os.environ.get("SOLON_FULL") != "1"
_PYTHON = sys.executable
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
        server, started = Path(__file__).with_name("server.py"), []
        for environment in environments:
            path = socket_of(self.folder, environment)
            if path not in self._servers:
                self._servers[path] = subprocess.Popen(
                    [_PYTHON, "-P", str(server), str(path), str(self.python)],
                    env=environment,
                    stdin=subprocess.PIPE,  # closed when we are gone, which ends it
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                started.append(self._servers[path])
        for process in started:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError(process.communicate()[1].decode("utf-8", "replace"))

    def close(self) -> None:
        """Ends what forks are made of."""
        for server in self._servers.values():
            server.communicate()
        self._temporary.cleanup()


@cache
def _shared() -> Preloaded:
    shared = Preloaded()
    atexit.register(shared.close)
    return shared


def folder_for(environment: Mapping[str, str]) -> Path:
    """Where a ``python`` and a ``solon`` are that begin at once with this environment, and so do their trainings.

    The real ones where a test is to have its full size, and where there is no Linux.
    """
    if not FORKS:
        return Path(_PYTHON).parent
    with TemporaryDirectory() as model:
        training = environment_of(Policy(model=model, threads=1), temporary=Path(model))
    added = {name: value for name, value in training.items() if os.environ.get(name) != value}
    shared = _shared()
    shared.serve(environment, {**environment, **added})
    return shared.folder


@contextmanager
def quick_trainings() -> Iterator[None]:
    """Meanwhile trainings that this process starts are forks, and so is all else of solon's that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(folder_for(os.environ) / "python"))
        yield


class Forked(subprocess.Popen[str]):
    """A command of solon's under way, which is a fork: one may wait for its end, however it was ended.

    Args:
        words: of the command line.
        folder: in which it starts.
        environment: of it.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(
            [str(folder_for(environment) / "python"), "-m", "solon.cli.app", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hold if FORKS else None,
        )

    def send_signal(self, sig: int) -> None:
        """Sends it, and SIGKILL in a way that ends the fork first."""
        super().send_signal(KILL if FORKS and sig == signal.SIGKILL else sig)


def _hold() -> None:
    """Signals wait until there is a fork that they are for."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
