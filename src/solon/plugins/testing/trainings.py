"""Trainings of a contract: one process that has torch imported, and a fork of it for each training.

``python -m solon.plugins.testing.trainings`` reads one assignment a line and answers with one JSON object a line. Each
training is a process of its own, as in a run, and may be killed; only the seconds of importing torch are shared.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from solon.plugins.testing.clauses import Broken
from solon.starting import python
from solon.trainers.base import Judging, Policy, Trainer
from solon.trainers.launch import environment_of

PRELOADED = ("torch", "transformers", "peft", "datasets", "trl")
SEED = 3


@dataclass(frozen=True)
class Told:
    """What a training gave.

    Attributes:
        error: the class and the message of what it raised; empty where it ended well.
        status: as ``os.waitstatus_to_exitcode`` says it: 0, or less the signal.
        checkpoint: the fields of what it returned.
        steps: what was reported, in order: step, steps, and the numbers.
    """

    error: tuple[str, str] | tuple[()] = ()
    status: int = 0
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[tuple[int, int, Mapping[str, float]], ...] = ()


def train(
    trainer: Trainer, policy: str, dataset: Path, folder: Path, judging: Judging, *, dies_at: int | None = None
) -> Told:
    """Trains in a process of its own, in a working folder that is there for it alone.

    Args:
        trainer: found again by its class, so that it need not be installed.
        policy: the folder of the model to start from.
        dataset: what it is given.
        folder: ``out`` and ``kept`` are made in it where they are not there.
        judging: how labelers are asked.
        dies_at: the training kills itself with signal 9 when it has reported this step.
    """
    settings = {name: value for name, value in trainer.settings().items() if name != "kind"}
    assignment = {
        "module": type(trainer).__module__,
        "class": type(trainer).__qualname__,
        "settings": settings,
        "policy": policy,
        "dataset": str(dataset),
        "folder": str(folder),
        "judging": judging.model_dump(mode="json"),
        "dies_at": dies_at,
    }
    folder.mkdir(parents=True, exist_ok=True)
    told = _host().asked(assignment)
    reported = folder / "reported.jsonl"
    lines = [json.loads(line) for line in reported.read_text("utf-8").splitlines()] if reported.is_file() else []
    return Told(
        error=tuple(told["error"]),
        status=told["status"],
        checkpoint=told["checkpoint"],
        steps=tuple((step, steps, numbers) for step, steps, numbers in lines),
    )


class _Host:
    """The process that trainings are forked from."""

    def __init__(self) -> None:
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        temporary = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - where everything temporary goes
        environment = environment_of(Policy(model=str(temporary), threads=1), temporary=temporary)
        self._process = subprocess.Popen(  # noqa: S603 - ours, in our own interpreter
            python("solon.plugins.testing.trainings"),
            env={**environment, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        atexit.register(self.close)

    def asked(self, assignment: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(assignment) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            _host.cache_clear()
            raise Broken(
                expected="a process that trains",
                happened=f"it ended with {self._process.wait()}",
                remedy="pip install 'solon[train]', and look whether memory ran out",
            )
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)
        if self._process.stdout is not None:
            self._process.stdout.close()


@cache
def _host() -> _Host:
    return _Host()


def main() -> None:
    """Forks a training for each line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    if find_spec("unsloth") is None:  # which has to come before them
        for package in PRELOADED:
            if find_spec(package) is not None:
                importlib.import_module(package)
    gc.collect()
    gc.freeze()  # each training collects garbage, several times: not in what is imported
    for line in sys.stdin:
        assignment = json.loads(line)
        result = Path(assignment["folder"]) / "result.json"
        result.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _child(assignment, result)
        _, status = os.waitpid(child, 0)
        told = json.loads(result.read_text("utf-8")) if result.is_file() else {"error": (), "checkpoint": {}}
        print(json.dumps({**told, "status": os.waitstatus_to_exitcode(status)}), file=answers, flush=True)


def _child(assignment: Mapping[str, Any], result: Path) -> None:
    try:
        told: dict[str, Any] = {"error": (), "checkpoint": _train(assignment)}
    except BaseException as error:  # noqa: BLE001 - the boundary: whatever a trainer raises is what is asked about
        told = {"error": (type(error).__name__, str(error)), "checkpoint": {}}
    result.write_text(json.dumps(told), "utf-8")
    os._exit(0)  # not sys.exit: nothing of the host's is to be closed here


def _train(assignment: Mapping[str, Any]) -> dict[str, Any]:
    from solon.trainers.base import Job
    from solon.trainers.curves import Curves

    found: Any = importlib.import_module(assignment["module"])
    for name in assignment["class"].split("."):
        found = getattr(found, name)
    trainer: Trainer = found.model_validate(assignment["settings"])
    folder, dies_at = Path(assignment["folder"]), assignment["dies_at"]
    for name in ("out", "kept", "work"):
        (folder / name).mkdir(exist_ok=True)
    os.chdir(folder / "work")
    with (folder / "reported.jsonl").open("w", encoding="utf-8") as reported, Curves(folder / "curves.jsonl") as curves:

        def report(step: int, steps: int, numbers: Mapping[str, float]) -> None:
            reported.write(json.dumps([step, steps, {name: float(value) for name, value in numbers.items()}]) + "\n")
            reported.flush()
            curves.add(step, steps, numbers)
            if step == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

        go_on: Callable[[int], Mapping[str, float]] = curves.go_on_from
        checkpoint = trainer.train(
            Job(
                policy=Policy(model=assignment["policy"], threads=1),
                dataset=Path(assignment["dataset"]),
                out=folder / "out",
                seed=SEED,
                report=report,
                kept=folder / "kept",
                go_on_from=go_on,
                judging=Judging.model_validate(assignment["judging"]),
            )
        )
    dumped: dict[str, Any] = checkpoint.model_dump(mode="json")
    return dumped


if __name__ == "__main__":
    main()
