"""One worker process, from the side of solon: started, asked one job at a time, and ended when it does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from solon.sandbox.inside import Rung

Program: TypeAlias = Literal["python", "expression", "probe"]
Beyond: TypeAlias = Literal["seconds", "wall", "output", "files"]

_START_WITHIN_S = 60.0
_MORE_THAN_WALL_S = 20.0
_NOT_TO_READ = ("site-packages", "dist-packages")
_PACKAGES: dict[Program, tuple[str, ...]] = {
    "python": (),
    "probe": (),
    "expression": ("math_verify", "latex2sympy2_extended", "sympy", "mpmath", "antlr4"),
}
"""What a program needs beside the standard library."""
_BEGIN = (
    "import sys, types; package = types.ModuleType('solon'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['solon'] = package; from solon.sandbox.inside.worker import main; main()"
)


@dataclass(frozen=True)
class Job:
    """What one child runs, and its limits.

    Attributes:
        program: a module of ``solon.sandbox.programs``.
        arguments: what its ``run`` is given; plain JSON.
        stdin: what it reads from standard input.
        seconds: of computing, all its threads together.
        memory_mb: of address space.
        wall_s: by the clock; 5 + 5 * ``seconds`` when it is left out, so wide that only what waits meets it, also on a
            machine that has much else to do.
    """

    program: Program
    arguments: dict[str, Any] = field(default_factory=dict)
    stdin: str = ""
    seconds: int = 5
    memory_mb: int = 512
    wall_s: float | None = None


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        claim: what the program gave, read from its JSON; ``None`` also when it gave nothing that can be read.
        out, err: what it printed, at most 1 MiB, and the last 2,000 characters.
        code: its exit code; negative for the signal that ended it.
        beyond: the limit that ended it: ``seconds`` of computing, the clock (``wall``), ``output``, ``files``.
        cpu_s: the seconds of computing that it took.
    """

    claim: Any
    out: str
    err: str
    code: int
    beyond: Beyond | None
    cpu_s: float


class WorkerLost(Exception):
    """The worker process ended, or does not answer. Not the fault of what it ran: that is only ever its child."""


class Worker:
    """A process that runs jobs, one at a time.

    Args:
        programs: what it must be able to run.
        rung: how it is shut in.

    Raises:
        WorkerLost: it cannot be, or not in this way; the message says why.
    """

    def __init__(self, programs: Sequence[Program], rung: Rung) -> None:
        self.rung = rung
        self._folder = tempfile.mkdtemp(prefix="solon-")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            [sys.executable, "-s", "-S", "-P", "-B", "-c", _BEGIN, str(Path(__file__).parents[1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            cwd="/",
            # nothing of the user's: no key, no path. The same order of sets in every run
            env={"PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        folders, import_from = _packages_of(programs)
        start = {
            "programs": list(programs),
            "rung": rung,
            "folder": self._folder,
            "readable": [*_standard_library(), *((folder, ()) for folder in folders)],
            "import_from": import_from,
        }
        answer = self._ask(start, _START_WITHIN_S)
        if answer["failed"] is not None:
            self.end()
            raise WorkerLost(answer["failed"])

    def run(self, job: Job) -> Result:
        """Runs one job.

        Raises:
            WorkerLost: and this worker is of no more use.
        """
        wall_s = 5.0 + 5.0 * job.seconds if job.wall_s is None else job.wall_s
        message = {
            "program": job.program,
            "arguments": job.arguments,
            "stdin": job.stdin,
            "seconds": job.seconds,
            "memory_mb": job.memory_mb,
            "wall_s": wall_s,
        }
        answer = self._ask(message, wall_s + _MORE_THAN_WALL_S)
        if not answer["shut_in"]:
            self.end()
            raise WorkerLost(f"a child could not be shut in: {answer['err'] or answer['code']}")
        return Result(
            claim=_read(answer["claim"]),
            out=answer["out"],
            err=answer["err"],
            code=answer["code"],
            beyond=answer["beyond"],
            cpu_s=answer["cpu_s"],
        )

    def end(self) -> None:
        """Ends the process and everything in it; once is enough."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, message: dict[str, Any], within_s: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        body = json.dumps(message).encode()
        data = len(body).to_bytes(4, "big") + body
        try:
            while data:
                data = data[self._process.stdin.write(data) or 0 :]
            deadline = time.monotonic() + within_s
            size = int.from_bytes(self._read_exactly(4, deadline), "big")
            answer: dict[str, Any] = json.loads(self._read_exactly(size, deadline))
        except (OSError, EOFError, TimeoutError) as error:
            says = self._last_words() or str(error) or type(error).__name__
            self.end()
            raise WorkerLost(says) from error
        return answer

    def _read_exactly(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        end = self._process.stdout.fileno()
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(end, selectors.EVENT_READ)
            while size:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError("it does not answer")
                part = os.read(end, min(size, 1 << 16))
                if not part:
                    raise EOFError("it ended")
                parts.append(part)
                size -= len(part)
        return b"".join(parts)

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


def _read(claim: str | None) -> Any:
    """What a child gave; whatever it runs may have written it, so that it is read with care."""
    try:
        return json.loads(claim) if claim else None
    except (ValueError, RecursionError):
        return None


def _standard_library() -> list[tuple[str, tuple[str, ...]]]:
    folders = dict.fromkeys(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
    zones = [("/usr/share/zoneinfo", ())] if Path("/usr/share/zoneinfo").is_dir() else []
    return [*((folder, _NOT_TO_READ) for folder in folders), *zones]


def _packages_of(programs: Sequence[Program]) -> tuple[list[str], list[str]]:
    """Folders of the packages that programs need, and the folders that they are imported from."""
    found = {}
    for name in (name for program in programs for name in _PACKAGES[program]):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise WorkerLost(f"{name} is not installed")
        found[str(Path(spec.origin).parent)] = str(Path(spec.origin).parents[1])
    return list(found), list(dict.fromkeys(found.values()))
