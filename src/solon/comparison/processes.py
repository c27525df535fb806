"""Entries in processes of their own, side by side: started, waited for, ended, and why one did not get to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solon.comparison.entries import Entry
from solon.data.artifacts import write_json
from solon.data.records import Noun
from solon.errors import (
    BudgetReached,
    ModelDown,
    ModelRejected,
    ModelUnavailable,
    PromptTooLong,
    RunBusy,
    StorageError,
)
from solon.phases import phases_of
from solon.plugins.sending import Sent, sent
from solon.starting import python
from solon.stream.core import DRAIN_S
from solon.trainers.backends import Machine
from solon.trainers.protocol import Trouble
from solon.trainers.used import BESIDE

FOLDER = ".comparing"
"""In the run directory: a folder an entry, with what its process is told, and what it prints."""
LOG = "log"
ENDING = ((signal.SIGINT, DRAIN_S + 5), (signal.SIGTERM, 5.0), (signal.SIGKILL, None))
"""How a process is ended: the next signal after so many seconds. At the first it waits for replies under way."""
_EVERYONES = (BudgetReached, ModelDown, ModelRejected, ModelUnavailable, RunBusy, StorageError)
"""What would befall the other entries too; anything else is one entry's own misfortune."""
_PATIENCE = 0.2


class Assignment(Noun):
    """What a process of its own is told: whose recipe, where to run it, and where to say what went wrong.

    With it go the plugins that are installed nowhere: registered by the process that starts it.
    """

    path: Path
    data: dict[str, Any]
    entry: str
    run_dir: Path
    trouble: Path
    plugins: tuple[Sent, ...] = ()


@dataclass
class Ended:
    """An entry whose process has ended, and why it did not get to its end; empty where it did."""

    entry: Entry
    failure: str = ""


@dataclass
class _Child:
    entry: Entry
    place: int
    process: subprocess.Popen[bytes]
    log: Path
    trouble: Path


def own_failure(error: Exception) -> str:
    """What an entry's failure says, in words; of an exception that is none of ours its class as well.

    Raises:
        SolonError: it would befall the other entries too.
    """
    known = Trouble.of(error).as_error()
    if isinstance(known, _EVERYONES) and not isinstance(known, PromptTooLong):
        raise known from error
    return str(known)


def processes_of(entry: Entry) -> int:
    """In how many processes one of its phases trains: as many GPUs, where there are any."""
    return max(getattr(phase.recipe.train, "processes", 1) for phase in phases_of(entry.opened))


def side_by_side(entries: Sequence[Entry], run_dir: Path, jobs: int) -> Generator[Ended, None, None]:
    """The entries as they end, ``jobs`` at a time; whatever interrupts this process ends them. Close it at the end.

    Raises:
        SolonError: what is nobody's own misfortune.
    """
    waiting, running, free = list(entries), list[_Child](), list(range(jobs))
    try:
        while waiting or running:
            while waiting and free:
                running.append(_started(waiting.pop(0), run_dir, free.pop(0), jobs))
            ended = [child for child in running if child.process.poll() is not None]
            if not ended:
                time.sleep(_PATIENCE)
                continue
            for child in ended:
                running.remove(child)
                free.append(child.place)
                yield Ended(child.entry, _failure(child))
    finally:
        end([child.process for child in running])


def end(
    processes: Sequence[subprocess.Popen[bytes]], steps: Sequence[tuple[signal.Signals, float | None]] = ENDING
) -> None:
    """Asks them to end, and then ever more firmly. An interrupt while it waits is the next step at once."""
    left = [process for process in processes if process.poll() is None]
    if not left or not steps:
        return
    (signalled, patience), *rest = steps
    for process in left:
        process.send_signal(signalled)
    deadline = None if patience is None else time.monotonic() + patience
    try:
        for process in left:
            process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        end(left, rest)


def _started(entry: Entry, run_dir: Path, place: int, jobs: int) -> _Child:
    folder = run_dir / FOLDER / entry.name
    folder.mkdir(parents=True, exist_ok=True)
    assignment, trouble, log = folder / "assignment.json", folder / "trouble.json", folder / LOG
    trouble.unlink(missing_ok=True)
    told = Assignment(
        path=entry.opened.path.absolute(),
        data=entry.opened.data,
        entry=entry.name,
        run_dir=(run_dir / entry.name).absolute(),
        trouble=trouble.absolute(),
        plugins=sent(),
    )
    write_json(assignment, told)
    environment = os.environ | {BESIDE: str(jobs)}
    gpus = len(Machine.here().gpus)
    if gpus > 1 and processes_of(entry) == 1:  # each has one to itself
        environment["CUDA_VISIBLE_DEVICES"] = _device(place, gpus)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            python("solon.comparison.worker", str(assignment)),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            # Ctrl-C does not reach it: it is asked to end by ``end``, and a second SIGINT would end its waiting
            process_group=0,
        )
    return _Child(entry, place, process, log, trouble)


def _device(place: int, gpus: int) -> str:
    """The GPU of a place, of those that this process may see."""
    visible = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    return visible[place % len(visible)] if visible else str(place % gpus)


def _failure(child: _Child) -> str:
    """Why it did not get to its end; empty where it did.

    Raises:
        SolonError: what is not its own misfortune.
    """
    if child.process.stdin is not None:
        child.process.stdin.close()
    if child.process.returncode == 0:
        return ""
    if child.trouble.is_file():
        return own_failure(Trouble.model_validate_json(child.trouble.read_bytes()).as_error())
    lines = child.log.read_text("utf-8", "replace").splitlines()[-3:]
    return f"it died ({child.process.returncode}): {' '.join(lines)}"
