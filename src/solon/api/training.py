"""Training by itself: a dataset, a policy and a trainer in, a checkpoint out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solon.api import given
from solon.api.learned import GivenData, learned, refuse_foreign, write
from solon.api.recipes import refuse_unlike
from solon.api.results import Run
from solon.api.running import AnyProgress
from solon.api.scratch import LEDGER, NAME, NO_CONSTITUTION, GivenLedger, scratch
from solon.data.records import Checkpoint
from solon.errors import DataError, Problem, RecipeError
from solon.rundir import RunDirectory
from solon.stages.train import refuse_untrainable
from solon.stages.train import train as train_stage
from solon.trainers.base import Trainer

_BY_ITSELF = {"train", "report"}
"""Stages of a run directory in which nothing but this was done."""


def train(
    dataset: GivenData,
    policy: given.GivenPolicy,
    trainer: str | Mapping[str, Any] | Trainer = "dpo",
    *,
    out: str | Path,
    constitution: given.GivenConstitution | None = None,
    seed: int = 0,
    held_out: float = 0.1,
    ledger: GivenLedger = LEDGER,
    max_usd: float | None = None,
    max_failed: float = 0.25,
    name: str = NAME,
    progress: AnyProgress = True,
) -> Checkpoint:
    """Aligns a policy with a dataset, as ``solon train``, in a process of its own.

    Args:
        dataset: a run, or the datasets of ``solon.build``, of which the trainer takes what it reads; one of their
            datasets; a folder, a Parquet file or an ``hf://`` address; a ``datasets.Dataset`` or ``DatasetDict``; a
            data frame, whose column ``split`` may say ``test``; a list of records or rows. For a trainer that writes
            the responses itself, prompts as ``solon.sample`` takes them.
        policy: the model to start from: a folder or hub id, a mapping as under ``policy``, or a ``Checkpoint``.
        trainer: a name, a mapping as under ``train`` in a recipe, or an instance.
        out: a run directory of this call's own: the checkpoint goes to ``checkpoints/<trainer>`` in it, what is in
            memory to ``dataset``. What was done there with the same settings and data is not done again, and what was
            stopped goes on.
        constitution: what the rewards are judged under, for a trainer that asks for any.
        seed: of shuffling and initialisation.
        held_out: share of the prompts that are held out, where a list of prompts is given.
        ledger, max_usd, max_failed, name: for the rewards, as for ``solon.label``.
        progress: whether bars are shown, or where.

    Returns:
        The checkpoint, its path absolute.

    Raises:
        DataError, RecipeError: what was given cannot be trained so, or not here; ``out`` is another run's directory.
        StorageError: ``out/dataset`` holds what solon has not written.
        RunBusy: another process is at work in ``out``.
        TrainingError: the trainer stopped.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    refuse_unlike(out, (str, Path), "out", "give a folder")
    learner, start = given.trainer(trainer), given.policy(policy)
    if learner.labelers() and constitution is None:
        raise RecipeError(
            f"trainer {learner.kind!r} asks for rewards: say what they are judged under (constitution=...)"
        )
    principles = NO_CONSTITUTION if constitution is None else given.read_constitution(constitution)
    target = Path(out)
    folder = target / "dataset"
    data = learned(dataset, learner, principles, held_out=held_out, seed=seed)

    def look(directory: RunDirectory) -> None:
        _refuse_anothers(directory, name)
        if not isinstance(data, str):
            refuse_foreign(folder)

    with scratch(
        constitution=principles,
        ledger=ledger,
        name=name,
        progress=progress,
        out=target,
        look=look,
        dataset=data if isinstance(data, str) else str(folder),
        policy=start,
        train=learner,
        seed=seed,
        max_usd=max_usd,
        max_failed=max_failed,
    ) as run:
        refuse_untrainable(run.recipe)
        if not isinstance(data, str):
            write(data, folder)
        train_stage(run)
    return Run(target).checkpoint


def _refuse_anothers(directory: RunDirectory, name: str) -> None:
    """A run's name, recipe and constitution are replaced by those of what is run in its directory."""
    path, there = directory.path, str(directory.state.get("name", name))
    remedy = "give a folder of its own: out=..."
    if there != name or set(directory.done) - _BY_ITSELF:
        raise DataError([Problem(str(path), f"holds another run, {there!r}, which would be replaced", remedy)])
    if any(path.glob("*/run.json")) or (path / "judgments.jsonl").exists():
        raise DataError([Problem(str(path), "holds what other runs have left", remedy)])
