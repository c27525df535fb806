"""Trainers that break one clause each, and what they are made of, which keeps all."""

# ruff: noqa: D102 - each method is what its class says

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from solon.plugins import Checkpoint, Job, Preference, Rating, Record, Trainer, read_rows

_WEIGHTS = "model.safetensors"
Weights = dict[str, Any]


class Shrinking(Trainer):
    """Makes weights smaller, by descent on their mean square: the least that can be called a training."""

    kind: ClassVar[str] = "broken"
    api_version: ClassVar[str | None] = "1.0"
    consumes: ClassVar[type[Record]] = Preference

    steps: PositiveInt = Field(default=6, description="Steps to take.")

    def train(self, job: Job) -> Checkpoint:
        from safetensors.numpy import load_file, save_file

        dataset = self.read(job)
        done, weights = self.kept(job)
        if done:
            job.go_on_from(done)
        weights = weights or load_file(Path(job.policy.model) / _WEIGHTS)
        for step in range(done + 1, self.steps + 1):
            weights = {name: self.moved(weight) for name, weight in weights.items()}
            squares = [float((weight.astype(float) ** 2).mean()) for weight in weights.values()]
            job.report(step, self.steps, self.numbers(math.fsum(squares)))
            save_file(weights, job.kept / f"{step}.safetensors")
        shutil.copytree(job.policy.model, job.out, dirs_exist_ok=True)
        save_file(weights, job.out / _WEIGHTS, metadata={"format": "pt"})
        self.left(job.out)
        return Checkpoint(path=".", base_model=job.policy.model, form="full", trainer=self.kind, dataset=dataset)

    def read(self, job: Job) -> str:
        return read_rows(job.dataset, Preference, trainer=self.kind).id

    def kept(self, job: Job) -> tuple[int, Weights]:
        from safetensors.numpy import load_file

        done = max((int(file.stem) for file in job.kept.glob("*.safetensors")), default=0)
        return done, load_file(job.kept / f"{done}.safetensors") if done else {}

    def moved(self, weight: Any) -> Any:
        return weight - weight.dtype.type(0.01) * weight

    def numbers(self, loss: float) -> Mapping[str, float]:
        return {"loss": loss}

    def left(self, out: Path) -> None:
        """Called at the end."""


class Unfed(Shrinking):
    """Learns from what solon does not build."""

    class Own(Rating):
        """Nothing that solon knows."""

    consumes: ClassVar[type[Record]] = Own


class Growing(Shrinking):
    """Goes the wrong way."""

    def moved(self, weight: Any) -> Any:
        return weight + weight.dtype.type(0.01) * weight


class Boastful(Shrinking):
    """Reports what is no number."""

    def numbers(self, loss: float) -> Mapping[str, float]:
        return {"loss": loss, "speed": math.inf}


class Mute(Shrinking):
    """Leaves weights that nobody can load."""

    def left(self, out: Path) -> None:
        (out / "config.json").unlink()


class Noisy(Shrinking):
    """Draws from the machine in place of the seed."""

    resumes: ClassVar[bool] = False

    def moved(self, weight: Any) -> Any:
        return super().moved(weight) - weight.dtype.type(1e-4 * os.urandom(1)[0])


class Forgetful(Shrinking):
    """Begins again after a kill."""

    def kept(self, job: Job) -> tuple[int, Weights]:
        return 0, {}


class Fasting(Shrinking):
    """Trains on nothing."""

    def read(self, job: Job) -> str:
        return "any"


class Littering(Shrinking):
    """Leaves a file where it happens to run."""

    def left(self, out: Path) -> None:
        Path("log.txt").write_text(f"wrote {out.name}")
