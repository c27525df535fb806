"""The numbers that a training logs, one JSON object a line, which a training that goes on takes up where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO


class Curves:
    """Writes each logged step into a file. A context manager; what an earlier process wrote is kept only if asked for.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._earlier = _lines(path)
        self._file: TextIO = path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, step: int, steps: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Writes one step; returns what of it was a number. What is none is a gap in the curve: JSON cannot say it."""
        finite = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        self._write({"step": step, "steps": steps, **finite})
        return finite

    def go_on_from(self, step: int) -> dict[str, float]:
        """Takes over what an earlier process wrote up to that step; returns the last value of each number in it."""
        last: dict[str, float] = {}
        for line in self._earlier:
            if line["step"] <= step:
                self._write(line)
                last.update({name: value for name, value in line.items() if name not in ("step", "steps")})
        self._earlier = []
        return last

    def _write(self, line: Mapping[str, float]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _lines(path: Path) -> list[dict[str, float]]:
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
