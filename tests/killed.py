"""Trainers whose process kills itself once, with signal 9 and right after a step was reported."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from solon.data.records import Checkpoint
from solon.trainers.base import Job
from solon.trainers.dpo import DPO
from solon.trainers.gradient import GradientTrainer
from solon.trainers.grpo import GRPO
from solon.trainers.ppo import PPO
from solon.trainers.simpo import SimPO


def _killed(trainer: type[GradientTrainer]) -> Any:
    class Killed(trainer):  # type: ignore[misc, valid-type]
        kind: ClassVar[str] = f"killed_{trainer.kind}"
        dies_at: int
        once: str

        def train(self, job: Job) -> Checkpoint:
            """As the trainer that it is of, but for the kill; the file ``once`` says that it has been."""

            def report(step: int, steps: int, metrics: Mapping[str, float]) -> None:
                job.report(step, steps, metrics)
                if step == self.dies_at and not Path(self.once).exists():
                    Path(self.once).touch()
                    os.kill(os.getpid(), signal.SIGKILL)

            checkpoint: Checkpoint = super().train(replace(job, report=report))
            return checkpoint

    return Killed


KilledDPO, KilledSimPO, KilledGRPO, KilledPPO = _killed(DPO), _killed(SimPO), _killed(GRPO), _killed(PPO)
KILLED = {"dpo": KilledDPO, "simpo": KilledSimPO, "grpo": KilledGRPO, "ppo": KilledPPO}


def install(site: Path) -> str:
    """Writes a package that offers them; returns what ``PYTHONPATH`` has to be for a new process to find it."""
    info = site / "killed-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: killed\nVersion: 1.0\n")
    names = [name for name in globals() if name.startswith("Killed")]
    offered = [f"{globals()[name].kind} = killed:{name}" for name in names]
    (info / "entry_points.txt").write_text("\n".join(["[solon.trainers]", *offered, ""]))
    before = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    return os.pathsep.join([str(site), str(Path(__file__).parent), *before])
