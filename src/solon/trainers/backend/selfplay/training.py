"""The training of one round: DPO on its pairs, from the policy at its beginning to the one at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from solon.data.artifacts import write_json
from solon.data.records import Checkpoint
from solon.data.whole import atomic_folder
from solon.models.backend.loading import Loaded
from solon.trainers.backend.preference import REPORTED, dpo_trainer
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.selfplay.files import Round, read_json
from solon.trainers.backend.selfplay.policy import Loader, free, put_adapter
from solon.trainers.backend.trl import Prepared, described, load_policy, train_with_trl
from solon.trainers.base import Job, Policy
from solon.trainers.dataset import read_rows
from solon.trainers.dpo import DPO
from solon.trainers.selfplay import SelfPlay

_REFERENCE = "ref"  # what TRL calls its copy of an adapter that training goes on with


def train_round(loader: Loader, job: Job, one: Round, start: Path | None, processes: Processes) -> int:
    """Writes ``one.checkpoint`` from ``one.pairs``, going on from what was kept of it; how many steps it took.

    Args:
        loader: of the policy, with the trainer's settings.
        job: the training; its steps are reported as those of the round alone, from 1.
        one: the round.
        start: the checkpoint of the round before; ``None`` is the untrained policy.
        processes: which train together, and all call it.

    Raises:
        TrainingError: as ``DPO.train``.
    """
    found = processes.by_the_first(lambda: read_json(one.trained) if one.checkpoint.is_dir() else None)
    if found is not None:
        return int(found["steps"])
    settings, steps = loader.settings, 0
    full, dpo = settings.lora is None, settings.of_a_round(loader.choice.name)
    policy = job.policy
    if start is not None and full:
        policy = policy.model_copy(update={"model": str(start), "adapter": None})

    def report(step: int, in_all: int, metrics: Any) -> None:
        nonlocal steps
        steps = step
        job.report(step, in_all, metrics)

    with _written(one, processes) as out:
        inner = replace(
            job, policy=policy, dataset=one.pairs / "preference", out=out, report=report, kept=one.training,
            seed=seed_of_round(job.seed, one.number),
        )  # fmt: skip
        trained = train_with_trl(
            dpo,
            inner,
            lambda prepared: _trainer(settings, dpo, prepared, job.policy, start),
            reported=REPORTED,
            load_model=_going_on(loader, start),
        )
        _describe(settings, replace(job, out=out), one, trained)
        if processes.first:
            write_json(one.trained, {"steps": steps, "metrics": trained.metrics})
    free()
    return steps


def seed_of_round(seed: int, number: int) -> int:
    """A round's own seed in [0, 2**31), so that it shuffles its rows like no other round, of this training or another.

    The first round's is the training's own: it is DPO with that seed.
    """
    if number == 1:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}:round {number}".encode()).digest()[:4], "big") >> 1


@contextmanager
def _written(one: Round, processes: Processes) -> Iterator[Path]:
    """The folder, the same in all processes, that the first makes ``one.checkpoint`` when the block ends."""
    with ExitStack() as stack:

        def begin() -> Path:
            one.training.mkdir(exist_ok=True)
            return stack.enter_context(atomic_folder(one.checkpoint))

        yield processes.by_the_first(begin)
    processes.wait()


def _describe(settings: SelfPlay, job: Job, one: Round, trained: Checkpoint) -> None:
    """Writes the model card anew: the policy's base is the recipe's, whatever the round began with."""
    rows = read_rows(one.pairs / "preference", DPO.consumes, trainer=settings.kind)
    described(settings, job, rows, trained.metrics, "policy", apart=False)


def _going_on(loader: Loader, start: Path | None) -> Callable[[Policy, bool], Loaded] | None:
    """Loads the base with the last round's adapter, to train it further; TRL takes a frozen copy as reference.

    ``None`` where there is none yet, or where it is put in later.
    """
    settings = loader.settings
    if start is None or settings.lora is None or settings.reference == "first":
        return None
    return lambda _policy, _full: loader.to_train_on(start)


def _trainer(settings: SelfPlay, dpo: DPO, prepared: Prepared, untrained: Policy, start: Path | None) -> Any:
    """TRL's trainer, which has asked the reference already and does not need it any more."""
    if start is None or settings.reference == "round":
        trainer = dpo_trainer(dpo, prepared)
        if prepared.adapted:
            trainer.model.delete_adapter(_REFERENCE)
    elif settings.lora is None:
        trainer = dpo_trainer(dpo, prepared, load_policy(untrained, full=True).model)
        trainer.ref_model = None
        free()
    else:
        # the adapters were new until here, and so the reference, which is without them, the untrained policy
        trainer = dpo_trainer(dpo, prepared)
        put_adapter(trainer.model, start)
    return trainer
