"""Weights & Biases: one run a training; where a recipe has several of them, they are a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from solon.tracking.about import About
from solon.tracking.kinds import WandB
from solon.tracking.logbook import Memory, Remembered, Stepwise


class WandBRun(Stepwise):
    """A run. Of the machine, its packages, the working directory, the command and the code nothing is sent."""

    def __init__(self, settings: WandB, about: About, training: str, memory: Memory) -> None:
        for warning in settings.warnings():  # wandb would ask for the key on the terminal, in the middle of a training
            raise PermissionError(warning)
        import wandb

        known = memory.going_on(training) or Remembered(training=training, run=uuid4().hex[:16])
        self._begin(memory, known, known.step)
        memory.folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(
            project=settings.project,
            entity=settings.entity,
            name=about.name,
            group=about.group or None,
            id=known.run,
            resume="allow",
            config=dict(about.config),
            tags=list(settings.tags),
            dir=str(memory.folder),
            reinit="create_new",
            settings=wandb.Settings(
                init_timeout=20,
                mode=settings.mode,
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )
        memory.keep(known)
        self.where = str(self._run.url or "") or f"wandb sync {memory.folder / 'wandb'}/offline-run-*-{known.run}"

    def _send(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)

    def alarm(self, name: str, step: int, value: float, text: str) -> None:
        """A number of the step; the last sentence of each name stands in the summary."""
        if step > self._before:
            self._run.log({name: value}, step=step)
            self._run.summary[f"{name}/text"] = f"step {step}: {text}"

    def results(self, numbers: Mapping[str, float], table: str) -> None:
        """In the summary, by which runs are compared."""
        del table
        self._run.summary.update(dict(numbers))

    def close(self, *, failed: bool) -> None:
        """Sends what is left."""
        self._run.finish(exit_code=int(failed))
