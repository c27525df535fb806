"""From a transformers training loop to ``Job.report``: which numbers, and the stop when one is not a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from transformers import TrainerCallback

from solon.errors import TrainingError

REMEDY = "lower train.learning_rate, or look for broken weights in policy.model"
"""What to do about a loss that is not a number."""


class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
    """Hands every logged step on, and stops the training at the first loss or gradient that is not a number.

    Loss, ``names`` and epoch are reported of held-out prompts too, as ``eval_...``. No times are: two equal runs report
    the same.

    Args:
        report: ``Job.report``.
        names: which of the numbers that are logged, beside those that every training has.
        remedy: what to do about a loss that is not a number.

    Attributes:
        last: the last value of every number reported.
        kept: what ``last`` was when the last step was kept.
    """

    def __init__(
        self, report: Callable[[int, int, Mapping[str, float]], None], names: Sequence[str], *, remedy: str
    ) -> None:
        self.report = report
        self.names = ("loss", *names, "learning_rate", "grad_norm", "epoch")
        self.remedy = remedy
        self.last: dict[str, float] = {}
        self.kept: dict[str, float] = {}

    def keep(self) -> None:
        """Says that the step is kept whose numbers were reported last."""
        self.kept = dict(self.last)

    def on_save(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Called by transformers when a step was kept."""
        self.keep()

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Called by transformers with all that was logged at ``state.global_step``."""
        prefix = "eval_" if logs and "eval_loss" in logs else ""
        if not logs or f"{prefix}loss" not in logs:
            return  # the summary of times at the end
        named = {name: name if name == "epoch" else prefix + name for name in self.names}
        metrics = {key: float(logs[key]) for key in named.values() if logs.get(key) is not None}
        self.last.update({name: value for name, value in metrics.items() if math.isfinite(value)})
        self.report(state.global_step, state.max_steps, metrics)  # first: the curve shows where it broke off
        for key in (f"{prefix}loss", "grad_norm"):
            if not math.isfinite(metrics.get(key, 0.0)):
                raise TrainingError(
                    f"{key} is {metrics[key]} at step {state.global_step} of {state.max_steps}, so training stopped "
                    f"and nothing of that step was kept: {self.remedy}"
                )
