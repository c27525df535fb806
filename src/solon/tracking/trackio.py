"""Trackio: one run a training; where a recipe has several of them, they are a group."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from solon.tracking.about import About
from solon.tracking.kinds import Trackio
from solon.tracking.logbook import Memory, Remembered, Stepwise


class TrackioRun(Stepwise):
    """A run, by its name: Trackio goes on in the last one of that name."""

    def __init__(self, settings: Trackio, about: About, training: str, memory: Memory) -> None:
        import trackio

        goes_on = memory.going_on(training)
        known = goes_on or Remembered(training=training, run=about.name)
        before = known.step
        with redirect_stdout(io.StringIO()):  # standard output is for results
            self._run: Any = trackio.init(
                project=settings.project,
                name=known.run,
                group=about.group or None,
                space_id=settings.space,
                config=dict(about.config),
                resume="never" if goes_on is None else "allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        known = known.model_copy(update={"run": self._run.name})
        self._begin(memory, known, before)
        memory.keep(known)
        shown = f"https://huggingface.co/spaces/{settings.space}" if settings.space else ""
        self.where = shown or f"trackio show --project {settings.project}"

    def _send(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)

    def alarm(self, name: str, step: int, value: float, text: str) -> None:
        """A number of the step."""
        del text
        if step > self._before:
            self._run.log({name: value}, step=step)

    def results(self, numbers: Mapping[str, float], table: str) -> None:
        """Numbers at the last step."""
        del table
        self._run.log(dict(numbers), step=self._known.step)

    def close(self, *, failed: bool) -> None:
        """Waits until all is written."""
        del failed
        with redirect_stdout(io.StringIO()):
            self._run.finish()
