"""Starts a training in a process of its own, follows it, and puts its checkpoint into place when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from solon.data.artifacts import write_json
from solon.data.records import Checkpoint
from solon.data.whole import atomic_folder
from solon.errors import TrainingError
from solon.keys import named
from solon.plugins.base import located
from solon.trainers.base import Judging, Policy, Trainer
from solon.trainers.protocol import LAST_GOOD, METRICS_FILE, Assignment
from solon.trainers.several import Place
from solon.trainers.used import Used, used
from solon.trainers.workers import OnAlarm, OnStep, Workers, started_for
from solon.trainers.workplace import Workplace, training_id


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
    on_used: Callable[[Used], None] = lambda _: None,
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
        on_used: called once at the end, with the time and memory that it took.

    Returns:
        The checkpoint, its path relative to ``run_dir``.

    Raises:
        SolonError: whatever the trainer raised, as the same class.
        TrainingError: it raised something unexpected, or the process died; with the log's last lines.
        StorageError: the disk is full or not writable.
    """
    with (
        Workplace.open(run_dir, training_id(trainer, policy, dataset, seed, judging)) as workplace,
        atomic_folder(out) as fresh,
    ):
        kept = workplace.kept
        assignment = Assignment.of(
            trainer, policy, base=base, dataset=dataset, out=fresh, kept=kept, seed=seed, judging=judging
        )
        write_json(workplace.folder / "assignment.json", assignment)
        environment = environment_of(policy, temporary=workplace.temporary)
        if judging is None and type(trainer).__module__.startswith("solon."):
            environment = without_keys(environment)
        places = started_for(trainer)
        elsewhere = len(places) < places[0].count
        if elsewhere:
            _tell_the_others(assignment)
        workers = Workers(
            workplace.folder / "assignment.json",
            run_dir,
            environment,
            places,
            rows=getattr(trainer, "batch_size", None),
            asks=judging is not None,
        )
        try:
            checkpoint = workers.follow(on_step, on_alarm)
            if elsewhere:
                _wait_for_the_others(places[0])
        except TrainingError as error:
            if (left := _last_good(kept, out)) is None:
                raise
            raise TrainingError(f"{error}. The policy as it was last kept is in {left}") from error
        on_used(used(kept))
        # copied, not moved: a kill before ``fresh`` is in place leaves what it takes to go on
        shutil.copyfile(kept / METRICS_FILE, fresh / METRICS_FILE)
        workplace.done = True
    path = Path(os.path.relpath(out / checkpoint.path, run_dir)).as_posix()
    return checkpoint.model_copy(update={"path": path})


def _tell_the_others(assignment: Assignment) -> None:
    """Lets ``solon`` in the other processes that were started together take part: ``solon.trainers.joining``."""
    from solon.trainers.backend.meeting import tell

    tell(assignment.model_dump_json())


def _wait_for_the_others(here: Place) -> None:
    """Until they have ended: a trainer that writes in each of its processes finds its folders until then.

    Raises:
        TrainingError: one of them failed.
    """
    from solon.trainers.backend.meeting import wait_for_the_others

    for rank, trouble in wait_for_the_others(here.count).items():
        place = f"{replace(here, rank=rank).called}: "
        raise TrainingError(f"{place}{trouble.removeprefix(place)}")


def _last_good(kept: Path, out: Path) -> Path | None:
    """Where the checkpoint is that a training left which broke off: beside ``out``, named for its step."""
    left = max(kept.glob(f"{LAST_GOOD}*"), default=None, key=lambda folder: int(folder.name.removeprefix(LAST_GOOD)))
    if left is None:
        return None
    place = out.with_name(f"{out.name}-step-{left.name.removeprefix(LAST_GOOD)}")
    shutil.rmtree(place, ignore_errors=True)
    left.replace(place)
    return place


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a trainer of ours that asks no model behind a network: of all keys the hub's at most."""
    offline = environment.get("HF_HUB_OFFLINE") == "1"
    unneeded = {name for name in named(environment) if offline or not name.startswith(("HF_", "HUGGING_FACE_"))}
    return {name: value for name, value in environment.items() if name not in unneeded}


def environment_of(policy: Policy, *, temporary: Path) -> dict[str, str]:
    """Ours, with what makes a training repeatable and quiet: libraries read it when they are imported.

    Args:
        policy: says how many threads.
        temporary: a folder for what libraries leave lying about.
    """
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
