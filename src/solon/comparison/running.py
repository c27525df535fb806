"""Runs the entries of a comparison, one after the other or side by side; what is done is not done again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
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
    RunBusy,
    SolonError,
    StorageError,
)
from solon.phases import phases_of
from solon.pipeline import run
from solon.progress import Progress
from solon.recipe import Opened
from solon.trainers.backends import Machine
from solon.trainers.protocol import Trouble

Failures = Mapping[str, str]
"""Why an entry did not get to its end, by its name."""

_EVERYONES = (BudgetReached, ModelDown, ModelRejected, ModelUnavailable, RunBusy, StorageError)
"""What would befall the other entries too; anything else is one entry's own misfortune."""
_PATIENCE = 0.2
FOLDER = ".comparing"
"""In the run directory: what processes that run side by side are told, and what they print."""


def at_once(opened: Opened, count: int, machine: Machine) -> int:
    """How many entries this machine can train side by side: one a GPU, or as many as its cores carry.

    A policy that states no ``threads`` takes all cores, and more than one at a time would only wait for each other.
    """
    if machine.gpus:
        return max(1, min(count, len(machine.gpus)))
    policy = opened.recipe.policy
    threads = policy.threads if policy is not None and policy.threads else os.cpu_count() or 1
    return max(1, min(count, (os.cpu_count() or 1) // threads))


def run_all(entries: Sequence[Entry], run_dir: Path, jobs: int, progress: Progress) -> Failures:
    """Each to its end, in a folder of its own below ``run_dir``.

    Whoever has responses labeled goes first as far as the dataset: the others find the replies in the ledger.

    Raises:
        SolonError: what would have befallen every entry. What was done is kept, and the same command goes on.
    """
    failures: dict[str, str] = {}
    left = list(entries)
    if jobs > 1 and (first := next((entry for entry in entries if entry.labels), None)) is not None:
        phase = phases_of(first.opened)[0].phase or None
        progress.say(f"compare   {first.name}: the data that all learn from")
        run(first.opened, run_dir / first.name, until="build", phase=phase, progress=progress)
    if jobs == 1:
        for entry in left:
            progress.say(f"compare   {entry.name}")
            try:
                run(entry.opened, run_dir / entry.name, progress=progress)
            except _EVERYONES:
                raise
            except SolonError as error:
                failures[entry.name] = str(error)
                progress.say(f"compare   {entry.name} failed, and the others go on: {error}")
        return failures
    progress.say(f"compare   {jobs} at a time; each says how far it is in {run_dir / FOLDER}/<entry>.log")
    with ExitStack() as stack, progress.stage("compare", len(left), "entries") as bar:
        for ended in _side_by_side(left, run_dir, jobs, stack):
            if ended.failure:
                failures[ended.entry.name] = ended.failure
                progress.say(f"compare   {ended.entry.name} failed, and the others go on: {ended.failure}")
            bar.advance(failed=int(bool(ended.failure)), note=f"{ended.entry.name} done")
    return failures


class Assignment(Noun):
    """What a process of its own is told: whose recipe, where to run it, and where to say what went wrong."""

    path: Path
    data: dict[str, Any]
    entry: str
    run_dir: Path
    trouble: Path


@dataclass
class _Ended:
    entry: Entry
    failure: str = ""


@dataclass
class _Child:
    entry: Entry
    process: subprocess.Popen[bytes]
    log: Path
    trouble: Path


def _side_by_side(entries: Sequence[Entry], run_dir: Path, jobs: int, stack: ExitStack) -> Iterator[_Ended]:
    """The entries as they end, ``jobs`` at a time; whatever interrupts this process ends them.

    Raises:
        SolonError: what is nobody's own misfortune.
    """
    waiting, running = list(entries), list[_Child]()
    free = list(range(jobs))
    places: dict[str, int] = {}
    stack.callback(lambda: _end(running))
    while waiting or running:
        while waiting and free:
            entry, place = waiting.pop(0), free.pop(0)
            places[entry.name] = place
            running.append(_started(entry, run_dir, place, stack))
        ended = [child for child in running if child.process.poll() is not None]
        if not ended:
            time.sleep(_PATIENCE)
            continue
        for child in ended:
            running.remove(child)
            free.append(places[child.entry.name])
            yield _Ended(child.entry, _failure(child))


def _started(entry: Entry, run_dir: Path, place: int, stack: ExitStack) -> _Child:
    folder = run_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    assignment, trouble, log = (folder / f"{entry.name}.{end}" for end in ("json", "trouble.json", "log"))
    trouble.unlink(missing_ok=True)
    told = Assignment(
        path=entry.opened.path.absolute(),
        data=entry.opened.data,
        entry=entry.name,
        run_dir=(run_dir / entry.name).absolute(),
        trouble=trouble.absolute(),
    )
    write_json(assignment, told)
    environment = dict(os.environ)
    if len(Machine.here().gpus) > 1:  # each has one to itself
        environment["CUDA_VISIBLE_DEVICES"] = _device(place)
    output = stack.enter_context(log.open("wb"))
    command = [sys.executable, "-m", "solon.comparison.worker", str(assignment)]
    process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
        command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment
    )
    return _Child(entry, process, log, trouble)


def _device(place: int) -> str:
    """The GPU of a place, of those that this process may see."""
    visible = [device for device in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if device.strip()]
    return visible[place % len(visible)] if visible else str(place)


def _failure(child: _Child) -> str:
    """Why it did not get to its end; empty where it did.

    Raises:
        SolonError: what is not its own misfortune.
    """
    if child.process.returncode == 0:
        return ""
    error: SolonError | None = None
    if child.trouble.is_file():
        error = Trouble.model_validate_json(child.trouble.read_bytes()).as_error()
    if isinstance(error, _EVERYONES):
        raise error
    lines = child.log.read_text("utf-8", "replace").splitlines()[-3:]
    return str(error) if error is not None else f"it died ({child.process.returncode}): {' '.join(lines)}"


def _end(running: Sequence[_Child]) -> None:
    for child in running:
        child.process.terminate()
    for child in running:
        child.process.wait()
