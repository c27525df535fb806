"""How much of a model a training moves: the table that ``solon train`` prints before it begins."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from solon.errors import DataError
from solon.starting import python
from solon.trainers.base import Lora
from solon.trainers.shapes import PARTS, Shape


@dataclass(frozen=True)
class Count:
    """Parameters of one part of the model: those that are trained, and all of them, adapters included."""

    part: str
    trainable: int
    all: int


@dataclass(frozen=True)
class Counts:
    """Parameters of a model in training, by part."""

    parts: tuple[Count, ...]

    @property
    def trainable(self) -> int:
        """Those that are trained."""
        return sum(count.trainable for count in self.parts)

    @property
    def all(self) -> int:
        """All of them, adapters and heads included."""
        return sum(count.all for count in self.parts)

    def metrics(self) -> dict[str, float]:
        """``parameters/trainable`` and ``parameters/all``, as a checkpoint's metrics have them."""
        return {"parameters/trainable": float(self.trainable), "parameters/all": float(self.all)}

    def lines(self) -> list[str]:
        """The table as text: a heading, a line a part, and the sum."""
        rows = [(count.part, count.trainable, count.all) for count in self.parts]
        body = [(name, f"{moved:,}", f"{every:,}", f"{moved / every:.2%}") for name, moved, every in rows if every]
        whole = ("together", f"{self.trainable:,}", f"{self.all:,}", f"{self.trainable / self.all:.2%}")
        return aligned([("parameters", "trainable", "all", "share"), *body, whole])


def counts(shape: Shape, kind: str, lora: Lora | None, *, value: Lora | None = None) -> Counts:
    """Counts what trainer ``kind`` moves of a model, all of it or adapters on it.

    Args:
        shape: of the policy.
        kind: the trainer's; ``ppo`` adds a value head of ``hidden + 1``, and ``reward`` has a head of ``hidden`` in
            place of the model's own.
        lora: the adapters; ``None`` trains all weights.
        value: those of a value that has its own.

    Raises:
        DataError: no matrix of the model has a name that ``lora`` targets.
    """
    found = shape.parameters()
    if kind == "reward":
        found["head"] = 0
    parts = [Count(part, found[part] if lora is None else 0, found[part]) for part in PARTS if found[part]]
    if lora is not None:
        adapters = shape.lora(lora.r, lora.target_modules)
        parts += [Count(f"adapters, {part}", size, size) for part, size in adapters.items()]
    if value is not None:
        size = sum(shape.lora(value.r, value.target_modules).values())
        parts.append(Count("value adapters", size, size))
    if kind == "ppo":
        parts.append(Count("value head", shape.hidden + 1, shape.hidden + 1))
    elif kind == "reward":
        parts.append(Count("reward head", shape.hidden, shape.hidden))
    return Counts(tuple(parts))


def counts_by_building(model: str, kind: str, lora: Lora | None, *, value: Lora | None = None) -> Counts:
    """As ``counts``, of any model that transformers can build, in a process of its own; takes some seconds.

    Raises:
        DataError: it cannot, or not with these adapters.
    """
    asked = {
        "model": model,
        "kind": kind,
        "lora": lora.model_dump(mode="json") if lora is not None else None,
        "value": value.model_dump(mode="json") if value is not None else None,
    }
    command = python("solon.trainers.backend.counting", json.dumps(asked))
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if run.returncode:
        said = run.stderr.strip().split("\n")[-1]
        raise DataError(f"{model}: the model cannot be built to count it: {said}")
    return Counts(tuple(Count(*part) for part in json.loads(run.stdout.strip().split("\n")[-1])))


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines of text: the first column to the left, the rest, which are numbers, to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
