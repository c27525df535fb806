"""What a training leaves that breaks off: the policy as it was at the last step that was kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from solon.data.whole import atomic_folder
from solon.errors import TrainingError
from solon.trainers.backend.kept import Kept
from solon.trainers.base import Job
from solon.trainers.protocol import LAST_GOOD
from solon.trainers.several import Place


@contextmanager
def leaving_the_last_good(
    job: Job, restore: Callable[[Path], Mapping[str, float]], leave: Callable[[Job, Mapping[str, float]], Any]
) -> Iterator[None]:
    """Where the block ends because of what is not a number, or of an alarm, leaves a checkpoint of the step before.

    ``solon.trainers.launch`` puts it beside the checkpoint that was to be. Nothing is left where no step was kept, and
    by several processes: each would have a part.

    Args:
        job: the training.
        restore: puts the weights back that it finds in a folder of ``Kept``; returns the last value of every number
            that was reported until they were kept.
        leave: writes them, with all that belongs to a checkpoint and those numbers, into ``Job.out``.
    """
    try:
        yield
    except TrainingError:
        kept = Kept(job.kept)
        latest = kept.latest()
        if latest is not None and Place.here().count == 1:
            # what ended the training is what has to be said, whatever else fails now, in whichever library
            with suppress(Exception), atomic_folder(_place(job, kept.step_of(latest))) as folder:
                leave(replace(job, out=folder), restore(latest))
        raise


def put_back(weights: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> None:
    """Writes weights that were kept into those that are there, by name."""
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(kept[name])


def _place(job: Job, step: int) -> Path:
    return job.kept.parent / f"{LAST_GOOD}{step}"
