"""Workers, as many as are wanted at once, each started when it is first needed and kept for the next job."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from solon.errors import PluginError
from solon.sandbox.inside import Rung
from solon.sandbox.worker import Job, Program, Result, Worker, WorkerLost

Isolation: TypeAlias = Literal["required", "best_effort"]
"""Whether what cannot be trusted runs where files and network cannot be shut off: never, or with limits alone."""

SHUT_OFF: tuple[Rung, ...] = ("namespaces", "landlock") if sys.platform == "linux" else ()
_MOST_WORKERS = 8


class SandboxFailed(Exception):
    """A job could not be run, twice, for a reason that is not its own. The message says which."""


def processors() -> int:
    """Workers at once when nobody says how many: as many as this process has processors, at most 8."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(count, _MOST_WORKERS)


class Pool:
    """Runs jobs, at most ``workers`` at once, without holding up the event loop.

    A worker proves before its first job that nothing gets out of it: a child tries to read and write a file of this
    user, to connect, to start a process, to signal another. Where that can be had in no way, ``required`` refuses.

    Args:
        program: what its jobs run.
        workers: how many at once.
        isolation: what to do where files and network cannot be shut off.
        rungs: the ways to shut them off, the safest first.
    """

    def __init__(
        self, program: Program, workers: int, isolation: Isolation, *, rungs: Sequence[Rung] = SHUT_OFF
    ) -> None:
        self._program = program
        self._isolation = isolation
        self._rungs = rungs
        self._free: list[Worker] = []
        self._lock = threading.Lock()
        self._rung: Rung | None = None
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="solon-sandbox")

    async def run(self, job: Job) -> Result:
        """Runs a job as soon as a worker is free.

        Raises:
            PluginError: this machine cannot shut a worker in, and isolation is required.
            SandboxFailed: it could not be run.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run_here, job)

    def run_here(self, job: Job) -> Result:
        """As ``run``, in this thread."""
        lost = ""
        for _ in range(2):
            worker = self._take()
            try:
                result = worker.run(job)
            except WorkerLost as error:
                lost = str(error)
                continue
            except BaseException:
                worker.end()
                raise
            with self._lock:
                self._free.append(worker)
            return result
        raise SandboxFailed(f"the worker process was lost twice: {lost}")

    def holds(self) -> Rung:
        """How workers are shut in on this machine; starts one to find out.

        Raises:
            PluginError: they cannot be, and isolation is required.
        """
        worker = self._take()
        with self._lock:
            self._free.append(worker)
        return worker.rung

    def end(self) -> None:
        """Ends the workers that are free."""
        with self._lock:
            free, self._free = self._free, []
        for worker in free:
            worker.end()

    def _take(self) -> Worker:
        with self._lock:
            if self._free:
                return self._free.pop()
            rung = self._rung
        if rung is not None:
            try:
                return _proven(self._program, rung)
            except WorkerLost as error:
                raise SandboxFailed(f"a worker process does not start: {error}") from error
        return self._find()

    def _find(self) -> Worker:
        """The first worker, on the safest rung that this machine has."""
        if self._program == "python" and sys.platform != "linux":
            raise PluginError("code is run on Linux only: elsewhere memory and processes cannot be limited")
        tried: tuple[Rung, ...] = (*self._rungs, "none") if self._isolation == "best_effort" else tuple(self._rungs)
        reasons = []
        for rung in tried:
            try:
                worker = _proven(self._program, rung)
            except WorkerLost as error:
                reasons.append(f"{rung}: {error}")
                continue
            self._rung = rung
            return worker
        raise PluginError(
            "this machine cannot shut off files and network from what is to be run "
            f"({'; '.join(reasons) or 'only Linux can'}). Allow user namespaces or Landlock, or run solon where one of "
            "them is; `isolation: best_effort` goes on without, which is for code that you trust"
        )


@cache
def pool(program: Program, workers: int, isolation: Isolation) -> Pool:
    """The pool of this process for these jobs; its workers end with the process."""
    made = Pool(program, workers, isolation)
    atexit.register(made.end)
    return made


def _proven(program: Program, rung: Rung) -> Worker:
    """A worker that nothing gets out of.

    Raises:
        WorkerLost: something does, or it does not start.
    """
    worker = Worker([program, "probe"], rung)
    if rung == "none":
        return worker
    with tempfile.TemporaryDirectory(prefix="solon-") as folder:
        secret = Path(folder, "secret")
        secret.write_text("secret")
        result = worker.run(Job("probe", {"secret": str(secret), "parent": os.getpid()}))
    if result.claim != []:
        worker.end()
        what = ", ".join(result.claim) if isinstance(result.claim, list) else result.err or "the trial ended early"
        raise WorkerLost(f"what is shut in could still do this: {what}")
    return worker
