"""One child: what it does to itself before it runs a program, and what the worker sees of it."""

from __future__ import annotations

import io
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
from types import ModuleType
from typing import Any, NoReturn

from solon.sandbox.inside.isolation import Shut, give_up

CLAIM_BYTES = 1 << 18
"""The longest result that a program may give."""
OUTPUT_BYTES = 1 << 20
"""The most that it may print."""
_KEPT_OF_ERRORS = 2000
_LOOK_EVERY_S = 0.05
_WAIT_FOR_END_S = 0.002

_CLAIM = 3
_SHUT_IN = b"!"
"""Written by the child once it is shut in, and so never by what it runs after that in its place."""


class Child:
    """A process that runs one job, shut in as its worker is and under limits of its own.

    Args:
        made: how the worker is shut in.
        program: what to run.
        job: ``arguments`` for the program, ``stdin`` (text), ``seconds``, ``wall_s``, ``memory_mb``.
    """

    def __init__(self, made: Shut, program: ModuleType, job: dict[str, Any]) -> None:
        self._made = made
        self._job = job
        (out, out_write), (err, err_write), (claim, claim_write) = os.pipe(), os.pipe(), os.pipe()
        self._began = time.monotonic()
        self.pid = os.fork()
        if not self.pid:
            _be(made, program, job, (out_write, err_write, claim_write))
        for end in (out_write, err_write, claim_write):
            os.close(end)
        self._ends = (out, err, claim)
        self._seen = {end: bytearray() for end in self._ends}
        self._most = {out: OUTPUT_BYTES, err: OUTPUT_BYTES, claim: CLAIM_BYTES}
        self._beyond: str | None = None
        self._next_look = self._began

    def wait(self, commands: int) -> dict[str, Any]:
        """Until it has ended, by itself or because it went beyond a limit.

        Args:
            commands: the worker's standard input: when nobody can write to it any more, nobody waits for the child.

        Returns:
            ``shut_in``: whether it came to run anything; ``claim``: what the program gave, as text, or null; ``out``
            and ``err``: what it printed; ``code``: its exit code, negative for a signal; ``beyond``: the limit that
            ended it (``seconds``, ``wall``, ``output``, ``files``) or null; ``cpu_s``.

        Raises:
            BrokenPipeError: nobody waits for it; it was ended.
        """
        poll = select.poll()
        poll.register(commands, 0)
        for end in self._ends:
            poll.register(end, select.POLLIN)
        opened = set(self._ends)
        while True:
            events = poll.poll(1000 * (_LOOK_EVERY_S if opened else _WAIT_FOR_END_S))
            for end, _ in events:
                if end == commands:
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    raise BrokenPipeError("nobody waits for this job")
                if not self._take(end):
                    poll.unregister(end)
                    opened.discard(end)
            self._enforce()
            if not opened or not events:
                pid, status, used = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    break
        for end in self._ends:
            # what it had written before it ended
            while end in opened and self._take(end):
                pass
            os.close(end)
        return self._account(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)

    def _take(self, end: int) -> bool:
        part = os.read(end, 1 << 16)
        if len(self._seen[end]) <= self._most[end]:
            self._seen[end] += part
        return bool(part)

    def _enforce(self) -> None:
        now = time.monotonic()
        if self._beyond is not None or (now < self._next_look and not self._printed_too_much()):
            return
        self._next_look = now + _LOOK_EVERY_S
        if self._printed_too_much():
            self._beyond = "output"
        elif now - self._began > self._job["wall_s"]:
            self._beyond = "wall"
        elif self._made.scratch_is_full():
            self._beyond = "files"
        if self._beyond is not None:
            os.kill(self.pid, signal.SIGKILL)

    def _printed_too_much(self) -> bool:
        return any(len(self._seen[end]) > self._most[end] for end in self._ends)

    def _account(self, code: int, cpu_s: float) -> dict[str, Any]:
        out, err, claim = (bytes(self._seen[end]) for end in self._ends)
        if self._printed_too_much():
            self._beyond = "output"
        # one that handles the first signal meets the second a second later
        took_too_long = code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu_s >= self._job["seconds"])
        if self._beyond is None and took_too_long:
            self._beyond = "seconds"
        return {
            "shut_in": claim.startswith(_SHUT_IN),
            "claim": claim.removeprefix(_SHUT_IN).decode("utf-8", "replace") or None,
            "out": out.decode("utf-8", "replace"),
            "err": err.decode("utf-8", "replace")[-_KEPT_OF_ERRORS:],
            "code": code,
            "beyond": self._beyond,
            "cpu_s": cpu_s,
        }


def _be(made: Shut, program: ModuleType, job: dict[str, Any], ends: tuple[int, int, int]) -> NoReturn:
    """The child's own life."""
    try:
        for end, place in zip((_file_of(job["stdin"]), *ends), (0, 1, 2, _CLAIM), strict=True):
            os.dup2(end, place)
        give_up(made, seconds=job["seconds"], memory_mb=job["memory_mb"])
        # the pipes of the worker, and those of its rules
        os.closerange(_CLAIM + 1, 1024)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8", "replace")
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8", "replace")
        errors = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(errors, "utf-8", "replace", line_buffering=True)
        # what draws without a seed of its own draws the same again
        random.seed(0)
        _write(_SHUT_IN)
        _write(json.dumps(program.run(job["arguments"])).encode())
    except BaseException as error:  # noqa: BLE001 - nothing may go on in the worker's place
        os.write(2, f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:_KEPT_OF_ERRORS])
    finally:
        os._exit(0)


def _file_of(text: str) -> int:
    """An open file with this text, at its beginning; it has no name."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("stdin")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    data = text.encode("utf-8", "surrogatepass")
    while data:
        data = data[os.write(descriptor, data) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_CLAIM, data) :]
