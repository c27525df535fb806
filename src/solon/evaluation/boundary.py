"""The one place where evaluators measure: what somebody else's raises or answers becomes an error that names it."""

from __future__ import annotations

from solon.data.records import Metric
from solon.errors import PluginError
from solon.evaluation.base import Evaluator, Evidence
from solon.plugins.boundary import answer_of, boundary, called, refuse_misshapen

_REMEDY = "What it cannot measure it should count as failed"


async def measured_by(evaluator: Evaluator, evidence: Evidence) -> tuple[list[Metric], list[str]]:
    """The evaluator's metrics, and what a reader must know before trusting them.

    Raises:
        PluginError: it is somebody else's, and raised something that is no error of solon's, or gave what is no metric.
    """
    with boundary(evaluator, "evaluate()", _REMEDY):
        metrics = await evaluator.evaluate(evidence)
    refuse_misshapen(evaluator, "evaluate", metrics)
    if odd := [one for one in metrics if not isinstance(one, Metric)]:
        raise PluginError(f"{called(type(evaluator))} answered evaluate() with {odd[0]!r:.80}, which is no Metric")
    return list(metrics), list(answer_of(evaluator, "warnings", evidence))
