"""The processes of a training, followed to their end: the first one's answers, and what went wrong in any of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import assert_never

from solon.data.records import Checkpoint
from solon.errors import TrainingError
from solon.starting import python
from solon.stream.core import DRAIN_S
from solon.trainers.alarms import Alarm
from solon.trainers.base import Trainer
from solon.trainers.protocol import EVENTS, Done, Step, Trouble, Warned
from solon.trainers.several import Place

LOG_FILE = "train.log"
_LOG_TAIL = 15  # lines of the log that an error shows
_PATIENCE = 10.0  # seconds that a worker may take which was asked to end or has said all, and others after one failed

OnStep = Callable[[int, int, Mapping[str, float]], None]
OnAlarm = Callable[[Alarm], None]


def started_for(trainer: Trainer) -> Sequence[Place]:
    """The processes to start here: as many as the trainer is set to, or the one that others started this one for."""
    here = Place.here()
    count = getattr(trainer, "processes", 1)
    if here.count > 1 or count == 1:
        return (here,)
    return [Place(count, rank, rank, getattr(trainer, "fsdp", False)) for rank in range(count)]


def log_file(run_dir: Path, place: Place) -> Path:
    """What libraries print in one process: each has a file of its own."""
    return run_dir / (LOG_FILE if place.rank == 0 else f"train.{place.rank + 1}.log")


@dataclass
class _Worker:
    """One process.

    Attributes:
        place: which of them it is.
        log: what it prints.
        process: it.
        end: the last thing that it answered.
        ended_by_us: whether it was asked to end, because another had failed or it did not when it had said all.
    """

    place: Place
    log: Path
    process: subprocess.Popen[bytes]
    end: Done | Trouble | None = None
    ended_by_us: bool = False

    @property
    def failed(self) -> bool:
        """Whether it ended, and not as it should. One that was done and did not go away is no failure."""
        if self.ended_by_us and isinstance(self.end, Done):
            return False
        return self.process.returncode not in (None, 0) or isinstance(self.end, Trouble)


@dataclass(frozen=True)
class Workers:
    """All of a training's processes on this machine.

    Attributes:
        assignment: the file of that name.
        run_dir: for their logs.
        environment: of each, besides its place.
        places: of each.
        rows: that each has in memory at once, where the trainer says so.
        asks: whether they ask labelers, whose replies they may record before they end.
    """

    assignment: Path
    run_dir: Path
    environment: Mapping[str, str]
    places: Sequence[Place]
    rows: int | None = None
    asks: bool = False

    def follow(self, on_step: OnStep, on_alarm: OnAlarm) -> Checkpoint:
        """Runs them to their end. Whatever interrupts this process ends them first; one that fails ends the others.

        Raises:
            SolonError: as one of them raised it.
            TrainingError: one raised something unexpected, or died; with its log's last lines.
        """
        with ExitStack() as stack:
            workers = self._started(stack)
            try:
                for event in _events(workers):
                    match event:
                        case Step():
                            on_step(event.step, event.steps, event.metrics)
                        case Warned():
                            on_alarm(event.alarm)
                        case _:
                            assert_never(event)
            except BaseException:  # Ctrl-C, or a display that failed: in no case leave a training behind
                _end(workers, DRAIN_S + _PATIENCE if self.asks else _PATIENCE)
                raise
        return _outcome(workers, self.rows)

    def _started(self, stack: ExitStack) -> list[_Worker]:
        command = python("solon.trainers.worker", str(self.assignment))
        workers: list[_Worker] = []
        if len(self.places) == self.places[0].count:  # otherwise others write theirs by now
            for earlier in self.run_dir.glob("train.*.log"):
                earlier.unlink(missing_ok=True)
        try:
            with _meeting_place(self.places, self.environment) as places:
                for place, environment, inherited in places:
                    log = log_file(self.run_dir, place)
                    chatter = stack.enter_context(log.open("wb"))
                    process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
                        command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=chatter,
                        env={**self.environment, **environment},
                        pass_fds=inherited,
                    )
                    workers.append(_Worker(place, log, stack.enter_context(process)))
        except BaseException:
            _end(workers)
            raise
        return workers


@contextmanager
def _meeting_place(
    places: Sequence[Place], environment: Mapping[str, str]
) -> Iterator[Iterator[tuple[Place, Mapping[str, str], tuple[int, ...]]]]:
    """Each place with what its environment says of it and the file descriptors that it inherits.

    Where several are started, they meet at a socket that is open before any of them is: its port is nobody else's.
    """
    if len(places) == 1:  # alone, or started by others, whose environment says where they meet
        yield iter([(places[0], {}, ())])
        return
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port, descriptor = listening.getsockname()[1], listening.fileno()
        cores = max(1, (os.cpu_count() or 1) // len(places))
        shared = {"OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS", str(cores))}
        if loopback := next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None):
            shared["GLOO_SOCKET_IFNAME"] = loopback
        yield (
            (
                place,
                shared | place.environment(port=port, listening=descriptor),
                (descriptor,) if place.rank == 0 else (),
            )
            for place in places
        )


def _events(workers: Sequence[_Worker]) -> Iterator[Step | Warned]:
    """What the first says, until all have ended; their last words are kept in ``end``."""
    said: SimpleQueue[tuple[_Worker, bytes]] = SimpleQueue()
    for worker in workers:
        Thread(target=_read, args=(worker, said), daemon=True).start()
    running, patience = len(workers), None
    while running:
        try:
            worker, line = said.get(timeout=None if patience is None else max(0.0, patience - time.monotonic()))
        except Empty:
            patience = None
            _end([worker for worker in workers if worker.process.poll() is None], by_us=True)
            continue
        if not line:
            running -= 1
            try:
                worker.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:  # a thread that a library left behind, for example
                _end([worker], by_us=worker.end is not None)
        else:
            event = EVENTS.validate_json(line)
            if isinstance(event, Step | Warned):
                yield event
            else:
                worker.end = event
        if worker.failed and running and patience is None:
            # the others wait for it for ever, or say next that they lost it: give them time to say what they know
            patience = time.monotonic() + _PATIENCE


def _read(worker: _Worker, said: SimpleQueue[tuple[_Worker, bytes]]) -> None:
    assert worker.process.stdout is not None
    for line in worker.process.stdout:
        if line.endswith(b"\n"):  # else it was killed while it said so
            said.put((worker, line))
    said.put((worker, b""))


def _end(workers: Sequence[_Worker], patience: float = _PATIENCE, *, by_us: bool = False) -> None:
    """Asks them to end, and kills those that take too long; all of them at once when somebody presses Ctrl-C again."""
    for worker in workers:
        worker.ended_by_us = by_us
        worker.process.terminate()
    deadline = time.monotonic() + patience
    try:
        for worker in workers:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()


def _outcome(workers: Sequence[_Worker], rows: int | None) -> Checkpoint:
    """The checkpoint; or the error that explains best what happened.

    One of ours, of the process that comes first; else a death that nobody asked for: others see only that a process is
    gone; else what nobody expected; else an end that was none of ours, though all was said before.
    """
    first = workers[0]
    if not any(worker.failed for worker in workers) and isinstance(first.end, Done):
        return first.end.checkpoint
    ours = [worker for worker in workers if isinstance(worker.end, Trouble) and worker.end.error is not None]
    dead = [worker for worker in workers if worker.end is None and not worker.ended_by_us]
    other = [worker for worker in workers if isinstance(worker.end, Trouble)]
    broken = [worker for worker in workers if worker.failed and not worker.ended_by_us]
    worker = next(iter([*ours, *dead, *other, *broken, *workers]))
    named = "" if worker.place.rank == 0 else f"{worker.place.called}: "
    match worker.end:
        case Trouble(error=str()):
            raise worker.end.model_copy(update={"message": named + worker.end.message}).as_error()
        case Trouble():
            raise TrainingError(f"{named}{worker.end.message}\n{_tail(worker.log)}")
        case _:
            how = _how_it_ended(worker.process.returncode, rows)
            which = "the training process" if worker.place.count == 1 else f"{worker.place.called} of the training"
            raise TrainingError(f"{which} {how}\n{_tail(worker.log)}")


def _how_it_ended(code: int, rows: int | None) -> str:
    if code >= 0:
        return f"ended with code {code} before its checkpoint was complete"
    name = signal.Signals(-code).name
    now = f" (now {rows})" if rows is not None else ""
    reason = f"; the system does that when memory runs out: lower train.batch_size{now}" if name == "SIGKILL" else ""
    return f"was ended by {name}{reason}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL:]
    return "\n".join([f"the last lines of {log}:", *(f"  {line}" for line in lines)] if lines else [f"{log} is empty"])
