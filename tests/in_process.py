"""Trainings in the process of the test: what is tested is the trainer, not the process around it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from solon.data.records import Checkpoint
from solon.trainers.base import Job, Judging, Policy, Trainer
from solon.trainers.curves import Curves


class Killed(Exception):
    """What ``stop_at`` ends a training with, as a kill would."""


def train(
    settings: Trainer,
    base: Path,
    dataset: Path,
    out: Path,
    *,
    seed: int = 3,
    kept: Path | None = None,
    stop_at: int | None = None,
    stop_when: Callable[[Mapping[str, float]], bool] = lambda _: False,
    judging: Judging | None = None,
    seen: list[dict[str, float]] | None = None,
    **policy: object,
) -> tuple[Checkpoint, list[dict[str, float]]]:
    """Trains on one thread; returns the checkpoint, and every logged step as ``metrics.jsonl`` would hold it.

    Args:
        settings: the trainer.
        base: the policy's folder.
        dataset: folder of the dataset.
        out: where the checkpoint goes; made here.
        seed: of shuffling and initialisation.
        kept: what an earlier process left, to go on from; a fresh folder beside ``out`` when left out.
        stop_at: raises ``Killed`` when this step was logged.
        stop_when: raises it when a line was logged of which it says so.
        judging: how labelers are asked.
        seen: where every logged step goes as well, for a training that does not end.
        policy: more settings of it.
    """
    out.mkdir(parents=True)
    kept = kept or out.with_name(f"{out.name}.kept")
    (kept / "trainer").mkdir(parents=True, exist_ok=True)
    logged: list[dict[str, float]] = [] if seen is None else seen
    with Curves(kept / "metrics.jsonl") as curves:

        def report(step: int, steps: int, metrics: Mapping[str, float]) -> None:
            logged.append({"step": step, "steps": steps, **curves.add(step, steps, metrics)})
            if step == stop_at or stop_when(metrics):
                raise Killed

        checkpoint = settings.train(
            Job(
                policy=Policy(model=str(base), threads=1, **policy),
                dataset=dataset,
                out=out,
                seed=seed,
                report=report,
                kept=kept / "trainer",
                go_on_from=curves.go_on_from,
                judging=judging,
            )
        )
    return checkpoint, logged


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def weights(folder: Path) -> str:
    """The SHA-256 of the weights that a training left."""
    (file,) = folder.glob("*.safetensors")
    return hashes(folder)[file.name]
