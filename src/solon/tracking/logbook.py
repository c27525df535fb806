"""What every tracker can do once it is open, and what is remembered of it between processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from solon.data.artifacts import write_json
from solon.data.records import Metric

FOLDER = "tracking"
"""In the run directory: what is remembered of each tracker, and what their libraries write."""


class Logbook(Protocol):
    """A run that is open at a tracker. Any call may raise what its library raises.

    Attributes:
        where: it can be looked at; empty where that goes without saying.
    """

    where: str

    def step(self, step: int, numbers: Mapping[str, float]) -> None:
        """The numbers of a logged step, under the names that they have at a tracker."""
        ...

    def alarm(self, name: str, step: int, value: float, text: str) -> None:
        """An alarm on the numbers of the step before it: the number, and what is said of it."""
        ...

    def results(self, numbers: Mapping[str, float], table: str) -> None:
        """What was measured at the end: numbers by name, and all of it as a table in Markdown."""
        ...

    def close(self, *, failed: bool) -> None:
        """Nothing more comes for now; ``failed`` when the stage did not get to its end."""
        ...


class Remembered(BaseModel):
    """What a tracker's run is, so that a training that goes on goes on in it.

    Attributes:
        training: names the training whose numbers are there.
        run: its name at the tracker; empty where it needs none.
        step: the last that was given to it.
    """

    model_config = ConfigDict(frozen=True)

    training: str = ""
    run: str = ""
    step: int = 0


@dataclass(frozen=True)
class Memory:
    """Where that stands: one file a tracker."""

    run_dir: Path
    kind: str

    @property
    def file(self) -> Path:
        """``tracking/<kind>.json`` in the run directory."""
        return self.run_dir / FOLDER / f"{self.kind}.json"

    @property
    def folder(self) -> Path:
        """Where the tracker's library may write."""
        return self.run_dir / FOLDER

    def recall(self) -> Remembered:
        """What is known; nothing where the file is not there or broken: a new run is begun then."""
        try:
            return Remembered.model_validate_json(self.file.read_bytes())
        except (OSError, ValidationError):
            return Remembered()

    def going_on(self, training: str) -> Remembered | None:
        """The tracker's run that this training goes on in, or whose results come; ``None`` where a new one begins."""
        known = self.recall()
        return known if known.run and training in ("", known.training) else None

    def keep(self, remembered: Remembered) -> None:
        """Writes it down."""
        write_json(self.file, remembered)


class Stepwise:
    """A run at a tracker that is given each step of a training once, whatever processes the training took."""

    def _begin(self, memory: Memory, known: Remembered, before: int) -> None:
        """Which run it is, and the last step that it has."""
        self._memory, self._known, self._before = memory, known, before

    def step(self, step: int, numbers: Mapping[str, float]) -> None:
        """Those of a step that it does not have yet."""
        if step <= self._before:
            return
        self._send(step, numbers)
        self._known = self._known.model_copy(update={"step": step})
        self._memory.keep(self._known)

    def _send(self, step: int, numbers: Mapping[str, float]) -> None:
        raise NotImplementedError


def in_training(metrics: Mapping[str, float]) -> dict[str, float]:
    """The numbers of a step under their names at trackers: ``train/loss``."""
    return {f"train/{name}": value for name, value in metrics.items()}


def of_results(metrics: Sequence[Metric]) -> dict[str, float]:
    """Measured numbers with the ends of their intervals, each under a name of its own."""
    found: dict[str, float] = {}
    for metric in metrics:
        name = f"evaluation/{metric.name}/{metric.of}"
        found[name] = metric.value
        if metric.low < metric.high:
            found |= {f"{name}_low": metric.low, f"{name}_high": metric.high}
    return found


def as_table(metrics: Sequence[Metric]) -> str:
    """The same in Markdown, a row a metric."""
    head = ["| metric | of | value | 95 % | n | failed | p |", "|---|---|---|---|---|---|---|"]
    rows = [
        f"| {metric.name} | {metric.of} | {metric.value:.4g} | {metric.low:.4g} to {metric.high:.4g} | {metric.n} "
        f"| {metric.failed} | {'' if metric.p_value is None else f'{metric.p_value:.3g}'} |"
        for metric in metrics
    ]
    return "\n".join([*head, *rows])
