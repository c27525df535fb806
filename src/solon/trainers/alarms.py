"""Alarms while training: where a number becomes worth a warning, and what is said when it gets there.

``solon.trainers.watch`` reads the numbers that a training reports and raises these. An alarm hides and changes nothing,
unless its ``stop`` is set: then the training ends there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, field_validator, model_validator

from solon.errors import TrainingError
from solon.plugins.base import Settings


class Limit(Settings):
    """One alarm: ``limit`` is where it is raised, ``None`` never; ``stop`` ends the training there."""

    limit: float | None = Field(ge=0, allow_inf_nan=False)
    stop: bool = False


def _at(limit: float, description: str) -> Any:
    return Field(default=Limit(limit=limit), description=description)


class Alarms(Settings):
    """The limits of all alarms, each as a number, ``None`` (off), or a mapping with ``limit`` and ``stop``.

    Axolotl's guide is https://docs.axolotl.ai/docs/training_stability.html, whose numbers are for GRPO.
    Where no source is named, the default is our judgment. A number that a trainer does not report raises no alarm.
    """

    kl: Limit = _at(2.0, "KL to the reference, in nats as the trainer counts it, above this (Axolotl's guide).")
    entropy: Limit = _at(0.01, "Entropy of the policy, in nats, below this (Axolotl's guide).")
    reward_hacking: Limit = _at(
        0.8,
        "A held-out judge (`gold/...`) falls while the reward rises, as Kendall's tau of both with time over the "
        "last five checks: 1 is at every check, and .8 in all but one pair of checks.",
    )
    no_spread: Limit = _at(
        1.0, "Share of groups whose rewards are all alike, at least this in five steps in a row (Axolotl's guide: all)."
    )
    clipped: Limit = _at(0.8, "Share of completions cut at their longest, above this (Axolotl's guide).")
    clip_ratio: Limit = _at(0.3, "Share of probability ratios that were clipped, above this (Axolotl's guide).")
    length: Limit = _at(0.9, "Mean length of completions, as a share of the longest they may be, above this.")
    chosen_logps: Limit = _at(
        20.0, "By how many nats chosen responses have become less likely than in the first five steps; smoothed."
    )
    grad_norm: Limit = _at(10.0, "Gradient norm, as a multiple of its median over the last 50 steps, above this.")
    nan: Limit = _at(0.0, "How many of losses, KL and gradient norm are not a number, above this.")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        """A number or ``None`` is the limit; a mapping without one keeps the default's."""
        if not isinstance(value, Mapping):
            return value
        full: dict[Any, Any] = {}
        for name, given in value.items():
            if given is None or (isinstance(given, int | float) and not isinstance(given, bool)):
                full[name] = {"limit": given}
            elif isinstance(given, Mapping) and name in cls.model_fields:
                full[name] = {"limit": cls.model_fields[name].default.limit, **given}
            else:
                full[name] = given
        return full

    @field_validator("reward_hacking", "no_spread", "clipped", "clip_ratio", "length")
    @classmethod
    def _is_a_share(cls, value: Limit) -> Limit:
        if value.limit is not None and value.limit > 1:
            raise ValueError(f"{value.limit:g} is never reached: it is a share from 0 to 1")
        return value


class Alarm(BaseModel):
    """A number that crossed its limit.

    Attributes:
        name: of the alarm, a field of ``Alarms``.
        metric: the number that it was raised on, as the trainer names it.
        step: where.
        value: what was compared with the limit.
        limit: of the settings.
        text: both in a sentence, without a full stop.
        remedy: what to do about it.
        stop: whether the training ends there.
        times: how often it has been raised, this time included; a number that stays beyond its limit raises it once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    metric: str
    step: int
    value: FiniteFloat
    limit: FiniteFloat
    text: str
    remedy: str
    stop: bool = False
    times: PositiveInt = 1


def ended_by(alarm: Alarm) -> TrainingError:
    """The error that ends a training for an alarm whose ``stop`` is set."""
    key = f"train.alarms.{alarm.name}"
    return TrainingError(
        f"training stopped, as {key}.stop asks: {alarm.text}. {alarm.remedy[0].upper()}{alarm.remedy[1:]}. What was "
        f"kept before is still there: with another {key}.limit or without its stop, the same command goes on from it"
    )
