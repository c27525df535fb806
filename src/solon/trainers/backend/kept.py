"""What a training keeps so that it can go on after a kill: a folder a step, whole or not there at all.

A loop that keeps state reads like this; PPO's and that of ``loop.py`` do:

    kept = Kept(job.kept)
    if (newest := kept.latest()) is not None:
        state = read_state(newest / STATE)
        restore_random(state["random"])
        job.go_on_from(kept.step_of(newest))
    ...
    with kept.writing(step) as folder:
        write_state(folder / STATE, {"random": random_state(), ...})
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from solon.data.whole import atomic_folder, sync
from solon.errors import TrainingError
from solon.trainers.several import Place

STATE = "state.pt"
"""The file of a kept folder that our own loops write."""

_NAME = re.compile(r"step-(\d+)")
_HELD = 2  # folders: the newest, and the one before in case the newest turns out to be damaged


class Kept:
    """The folders of the steps that were kept.

    Args:
        folder: ``Job.kept``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def latest(self) -> Path | None:
        """The folder of the newest step that was written to its end; ``None`` when there is none."""
        return next(iter(self._newest_first()), None)

    def step_of(self, kept: Path) -> int:
        """The step that a folder of ``latest`` was written after."""
        return int(kept.name.removeprefix("step-"))

    @contextmanager
    def writing(self, step: int) -> Iterator[Path]:
        """Gives an empty folder to write into, which counts as kept when the block ends; then only the last two remain.

        Its files are on the disk before it gets its name, so that a kill or a power cut leaves a whole folder or none.

        Raises:
            StorageError: the disk is full or not writable; what was kept before is still there.
        """
        with atomic_folder(self.folder / f"step-{step:08d}") as partial:
            yield partial
            for file in partial.rglob("*"):
                sync(file)
            sync(partial)
        for old in self._newest_first()[_HELD:]:
            shutil.rmtree(old, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        found = [path for path in self.folder.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
        return sorted(found, key=self.step_of, reverse=True)


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes tensors, numbers, texts, and lists, tuples and dicts of them."""
    torch.save(dict(state), path)


def read_state(path: Path) -> dict[str, Any]:
    """What ``write_state`` wrote, on the CPU. No code that might be in the file is run.

    Where a model is divided, what is not looked at of it is not read: each process looks at its part.

    Raises:
        TrainingError: the file is damaged; says which folder to remove.
    """
    with reading(path.parent):
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=Place.here().divided)
    return state


@contextmanager
def reading(kept: Path) -> Iterator[None]:
    """While a folder of ``Kept`` is read.

    Raises:
        TrainingError: it is damaged; says that it is this folder to remove.
    """
    try:
        yield
    except Exception as error:  # zip, pickle, torch and safetensors each raise their own kinds
        first_line = str(error).strip().split("\n")[0]
        raise TrainingError(
            f"what was kept of this training cannot be read ({first_line}): remove {kept}, and it goes on from "
            f"the step before, or from the start"
        ) from error


def random_state() -> dict[str, Any]:
    """Where the random numbers of Python, NumPy and torch stand, those of the GPUs among them."""
    kind, key, position, has_gauss, cached = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.array(key, dtype=np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random(state: Mapping[str, Any]) -> None:
    """Puts the random numbers back to where ``random_state`` found them."""
    random.setstate(state["python"])
    kind, key, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, key.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
