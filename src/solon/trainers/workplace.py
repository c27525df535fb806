"""Where a training works: what it needs and nobody keeps, and beside it what it takes to go on after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from solon.data.artifacts import sha256_of
from solon.data.records import digest
from solon.data.whole import remedy_of
from solon.errors import StorageError
from solon.plugins.base import effects_of
from solon.plugins.registry import packages_of
from solon.trainers.base import Judging, Policy, Trainer

_LEFT_OUT = ("alarms", "processes", "fsdp")
"""Settings that name no other training: what an alarm ended goes on from what was kept once its limit is another, and
what other processes kept is not cleared away in silence but refused (``solon.trainers.several``)."""
_DECIDING = ("solon", "torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "unsloth")
"""Packages of which another version may give other weights."""


def training_id(trainer: Trainer, policy: Policy, dataset: Path, seed: int, judging: Judging | None = None) -> str:
    """Names a training by all that its weights depend on: only the very same one goes on from what was kept."""
    files = [dataset] if dataset.is_file() else sorted(dataset.glob("*.parquet"))
    return digest(
        {
            "trainer": {name: value for name, value in effects_of(trainer).items() if name not in _LEFT_OUT},
            "policy": policy.model_dump(mode="json"),
            "dataset": {file.name: sha256_of(file) for file in files},
            "seed": seed,
            **({"judging": judging.decides()} if judging is not None else {}),
            "versions": packages_of([trainer])
            | {package: found for package in _DECIDING if (found := _version(package)) is not None},
        }
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass
class Workplace:
    """A folder in the run directory.

    Attributes:
        folder: it.
        done: whether the training has ended well, so that nothing has to be kept.
    """

    folder: Path
    done: bool = False

    @property
    def kept(self) -> Path:
        """What it takes to go on, and the numbers logged so far."""
        return self.folder / "kept"

    @property
    def temporary(self) -> Path:
        """For what libraries leave lying about."""
        return self.folder / "tmp"

    @property
    def _name(self) -> Path:
        """The file that says which training this is the workplace of."""
        return self.folder / "training"

    @classmethod
    @contextmanager
    def open(cls, run_dir: Path, training: str) -> Iterator[Self]:
        """That of the training of this name. What another training kept is cleared away.

        Raises:
            StorageError: the disk is full or not writable.
        """
        self = cls(run_dir / ".training")
        try:
            self._prepare(training)
        except OSError as error:
            raise StorageError(f"cannot write {self.folder}: {error.strerror}{remedy_of(error.errno)}") from error
        try:
            yield self
        finally:
            self._clear()

    def _prepare(self, training: str) -> None:
        if not self._name.is_file() or self._name.read_text("utf-8") != training:
            self._remove()
        (self.kept / "trainer").mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir()
        self._name.write_text(training, "utf-8")

    def _clear(self) -> None:
        if self.done or not any((self.kept / "trainer").iterdir()):
            self._remove()
        else:
            shutil.rmtree(self.temporary, ignore_errors=True)

    def _remove(self) -> None:
        """First its name: what a kill leaves of the rest is then no training that could be gone on with."""
        self._name.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
