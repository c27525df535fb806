"""The nouns that come out at the end: what was trained, and what was measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt

from solon.data.identity import Record


class Checkpoint(Record):
    """A trained model on disk. ``path`` is relative to the run directory."""

    path: str
    base_model: str
    form: Literal["full", "lora"]
    trainer: str
    dataset: str
    metrics: dict[str, float] = Field(default_factory=dict)


class Metric(Record):
    """A measured number with its uncertainty. Never a number alone.

    Attributes:
        name: what was measured, e.g. ``compliance/format``.
        of: ``before`` and ``after`` are a model's own; ``pair`` compares the two; ``labels`` is of the judgments.
        value, low, high: the estimate and its 95 % confidence interval (equal to it where none applies).
        n: on how many items; ``failed``: how many more could not be measured.
        p_value: of the paired test against ``before``, where there is one.
        unit: ``share`` (in [0, 1]), ``nats``, ``tokens``, ``usd``, ``score``.
        method: how value and interval were computed, in a few words.
    """

    name: str
    of: Literal["before", "after", "pair", "labels"]
    value: float
    low: float
    high: float
    n: NonNegativeInt
    failed: NonNegativeInt = 0
    p_value: float | None = None
    unit: Literal["share", "nats", "tokens", "usd", "score"] = "share"
    method: str = ""
