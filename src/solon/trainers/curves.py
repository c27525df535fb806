"""The numbers that a training logs, one JSON object a line, which a training that goes on takes up where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from solon.trainers.alarms import Alarm

OnStep = Callable[[int, int, Mapping[str, float]], None]


class Curves:
    """Writes each logged step into a file. A context manager; what an earlier process wrote is kept only if asked for.

    Args:
        path: the file.
        again: called with every step of an earlier process that is taken over, as if it had been logged now.
    """

    def __init__(self, path: Path, again: OnStep = lambda _step, _steps, _metrics: None) -> None:
        self._path = path
        self._again = again
        self._earlier = _lines(path)
        self._file: TextIO | None = None  # what an earlier process wrote stays until there is something to write

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        elif kind is None:
            self._path.write_text("", encoding="utf-8")

    def add(self, step: int, steps: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Writes one step; returns what of it was a number. What is none is a gap in the curve: ``null``."""
        finite = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        self._write({"step": step, "steps": steps, **dict.fromkeys(metrics), **finite})
        return finite

    def add_alarm(self, alarm: Alarm, steps: int) -> None:
        """Writes an alarm, on a line of its own."""
        said = {"alarm": alarm.name, "metric": alarm.metric, "value": alarm.value, "limit": alarm.limit}
        self._write({"step": alarm.step, "steps": steps, **said, "text": alarm.text})

    def go_on_from(self, step: int) -> dict[str, float]:
        """Takes over what an earlier process wrote up to that step; returns the last value of each number in it."""
        last: dict[str, float] = {}
        earlier, self._earlier = self._earlier, []
        partial = self._path.with_name(f".{self._path.name}.partial")
        self._file = partial.open("w", encoding="utf-8")
        for line in earlier:
            # alarms are raised again: their limits may be others by now
            if line["step"] > step or isinstance(line.get("alarm"), str):
                continue
            self._write(line)
            metrics = {name: value for name, value in line.items() if name not in ("step", "steps")}
            last.update({name: value for name, value in metrics.items() if value is not None})
            gaps = {name: math.nan if value is None else value for name, value in metrics.items()}
            self._again(line["step"], line["steps"], gaps)
        partial.replace(self._path)
        return last

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8")
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def replay(path: Path, on_step: OnStep) -> None:
    """Calls with every step in the file and what of it was a number."""
    for line in _lines(path):
        if not isinstance(line.get("alarm"), str):
            step, steps = line.pop("step"), line.pop("steps")
            on_step(step, steps, {name: value for name, value in line.items() if value is not None})


def _lines(path: Path) -> list[dict[str, Any]]:
    """What is in the file, but for a last line that was cut off by a kill."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text("utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines
