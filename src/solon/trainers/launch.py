"""Starts a training in a process of its own, follows it, and puts its checkpoint into place when it is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, assert_never

from solon.data.artifacts import atomic_folder, write_json
from solon.data.records import Checkpoint
from solon.errors import TrainingError
from solon.plugins.base import located
from solon.trainers.alarms import Alarm
from solon.trainers.base import Judging, Policy, Trainer
from solon.trainers.protocol import EVENTS, METRICS_FILE, Assignment, Done, Step, Trouble, Warned
from solon.trainers.workplace import Workplace, training_id

LOG_FILE = "train.log"
_LOG_TAIL = 15  # lines of the log that an error shows
_PATIENCE = 10.0  # seconds a worker that was asked to end may take

OnStep = Callable[[int, int, Mapping[str, float]], None]
OnAlarm = Callable[[Alarm], None]


def run_training(
    trainer: Trainer,
    policy: Policy,
    *,
    dataset: Path,
    seed: int,
    run_dir: Path,
    out: Path,
    on_step: OnStep,
    base: Path | None = None,
    judging: Judging | None = None,
    on_alarm: OnAlarm = lambda _: None,
) -> Checkpoint:
    """Trains in a new process and returns when the checkpoint is in ``out``, with ``metrics.jsonl`` in it.

    ``out`` is replaced by a rename at the end: until then, and whenever anything goes wrong, it holds what it held
    before. What libraries print is in ``<run_dir>/train.log``. The new process never outlives this one. What a training
    that was stopped had kept waits in ``<run_dir>/.training``, and the same training goes on from there.

    Args:
        trainer: found again in the new process through the registry, by its group and kind.
        policy: the model to start from.
        dataset: folder with ``train.parquet`` and perhaps ``test.parquet``, or a single Parquet file to train on.
        seed: of shuffling and initialisation.
        run_dir: the run directory, which exists.
        out: folder of the checkpoint.
        on_step: called here with ``(step, steps, metrics)`` after every logged step; the held-out numbers of an epoch
            (``eval_...``) come in a call of their own with the step at which they were measured.
        base: the folder to which locations in the settings are relative, where they do not know it themselves.
        judging: how labelers are asked, for a trainer that asks any.
        on_alarm: called here with every alarm, those of the steps that an earlier process had logged too.

    Returns:
        The checkpoint, its path relative to ``run_dir``.

    Raises:
        SolonError: whatever the trainer raised, as the same class.
        TrainingError: it raised something unexpected, or the process died; with the log's last lines.
        StorageError: the disk is full or not writable.
    """
    log = run_dir / LOG_FILE
    with (
        Workplace.open(run_dir, training_id(trainer, policy, dataset, seed, judging)) as workplace,
        atomic_folder(out) as fresh,
    ):
        kept = workplace.kept
        assignment = Assignment.of(
            trainer, policy, base=base, dataset=dataset, out=fresh, kept=kept, seed=seed, judging=judging
        )
        write_json(workplace.folder / "assignment.json", assignment)
        environment = _environment(policy, temporary=workplace.temporary)
        checkpoint = _follow(workplace.folder / "assignment.json", log, environment, on_step, on_alarm)
        (kept / METRICS_FILE).replace(fresh / METRICS_FILE)
        workplace.done = True
    path = Path(os.path.relpath(out / checkpoint.path, run_dir)).as_posix()
    return checkpoint.model_copy(update={"path": path})


def _follow(assignment: Path, log: Path, environment: dict[str, str], on_step: OnStep, on_alarm: OnAlarm) -> Checkpoint:
    """Runs the worker to its end. Whatever interrupts this process ends the worker first."""
    command = [sys.executable, "-m", "solon.trainers.worker", str(assignment)]
    end: Done | Trouble | None = None
    with (
        log.open("wb") as chatter,
        subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=chatter, env=environment
        ) as worker,
    ):
        assert worker.stdout is not None
        try:
            for event in _events(worker.stdout):
                match event:
                    case Step():
                        on_step(event.step, event.steps, event.metrics)
                    case Warned():
                        on_alarm(event.alarm)
                    case Done() | Trouble():
                        end = event
                    case _:
                        assert_never(event)
            code = worker.wait()
        except BaseException:  # Ctrl-C, or a display that failed: in no case leave a training behind
            _end(worker)
            raise
    match end:
        case Done() if code == 0:
            return end.checkpoint
        case Trouble(error=str()):
            raise end.as_error()
        case Trouble():
            raise TrainingError(f"{end.message}\n{_tail(log)}")
        case _:
            raise TrainingError(f"the training process {_how_it_ended(code)}\n{_tail(log)}")


def _events(stdout: IO[bytes]) -> Iterator[Step | Warned | Done | Trouble]:
    for line in stdout:
        yield EVENTS.validate_json(line)


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _environment(policy: Policy, *, temporary: Path) -> dict[str, str]:
    """Ours, with what makes a training repeatable and quiet: libraries read it when they are imported."""
    environment = os.environ | {
        "PYTHONHASHSEED": "0",  # PEFT writes sets into adapter_config.json
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "TMPDIR": str(temporary.absolute()),  # what a killed worker leaves there is cleared away with the rest
    }
    environment.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    if policy.threads is not None:
        environment |= {"OMP_NUM_THREADS": str(policy.threads), "MKL_NUM_THREADS": str(policy.threads)}
    if Path(located(policy.model)).is_dir():
        environment |= {"HF_HUB_OFFLINE": "1"}
    return environment


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code} before its checkpoint was complete"
    name = signal.Signals(-code).name
    reason = "; the system does that when memory runs out: lower train.batch_size" if name == "SIGKILL" else ""
    return f"was ended by {name}{reason}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL:]
    return "\n".join([f"the last lines of {log}:", *(f"  {line}" for line in lines)] if lines else [f"{log} is empty"])
