"""What a recipe measures where its trainer leaves nothing to label, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from solon.errors import PluginError
from solon.evaluation.base import Evaluator
from solon.evaluation.judged import Judged
from solon.overriding import written_out
from solon.plugins.registry import load


def without_labels(evaluate: Any, label: Any) -> Any:
    """The evaluators of policies alone, each with the judge that it would have fallen back on.

    Args:
        evaluate: as in a recipe; need not be valid, and what is wrong with it is left in it.
        label: who labels in the recipe, as plain values.
    """
    whole = written_out("evaluate", evaluate)
    if not isinstance(whole, Mapping) or not isinstance(whole.get("with"), list):
        return evaluate
    return {**whole, "with": list(_measures(whole["with"], label))}


def _measures(measures: list[Any], label: Any) -> Iterator[Any]:
    for measure in measures:
        settings = measure if isinstance(measure, Mapping) else {"kind": measure}
        try:
            evaluator: type[Evaluator] | None = load(Evaluator.group, str(settings.get("kind")))
        except PluginError:
            evaluator = None  # validation says so
        if evaluator is not None and evaluator.of_labels:
            continue
        falls_back = evaluator is not None and issubclass(evaluator, Judged) and settings.get("judge") is None
        yield {**settings, "judge": label} if falls_back and label is not None else measure
