"""Metrics of two models on the same prompts: one of each, and one of the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from solon.data.records import Metric
from solon.errors import DataError
from solon.evaluation.base import Decoding, Evidence, Pair
from solon.statistics.estimates import Estimate, mcnemar, mean_t, newcombe, wilson
from solon.statistics.spread import sign_flip

Held = tuple[bool | None, bool | None]
Unit = Literal["share", "nats", "tokens", "usd", "score"]
_FEWEST_SIGNS = 6
"""Differences below which even signs that are all alike have a p-value above .05: 2 / 2^5."""


def pairs_of(evidence: Evidence, decoding: Decoding, measure: str) -> tuple[Pair, ...]:
    """The pairs of one decoding.

    Raises:
        DataError: there are none.
    """
    pairs = evidence.pairs.get(decoding, ())
    if not pairs:
        raise DataError(f"{measure} has no held-out prompts with a {decoding} answer of both models to look at")
    return pairs


def named(base: str, decoding: Decoding, part: str = "") -> str:
    """The name of a metric, such as ``compliance``, ``compliance/format`` or ``compliance/greedy/format``."""
    return "/".join(word for word in (base, "greedy" if decoding == "greedy" else "", part) if word)


def metric(
    name: str,
    of: Literal["before", "after", "pair", "labels"],
    estimate: Estimate,
    n: int,
    *,
    failed: int = 0,
    p_value: float | None = None,
    unit: Unit = "share",
    note: str = "",
) -> Metric:
    """An estimate as a metric; ``note`` is added to how it was computed."""
    return Metric(
        name=name,
        of=of,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=n,
        failed=failed,
        p_value=p_value,
        unit=unit,
        method="; ".join(part for part in (estimate.method, note) if part),
    )


def paired_shares(name: str, held: Sequence[Held], note: str = "") -> list[Metric]:
    """Of how many answers something holds before and after, and the difference with McNemar's exact test.

    Args:
        name: of the metric.
        held: one a prompt: whether it holds of the answer before, and of the one after; ``None`` counts as failed.
        note: what else to say of the method.
    """
    both = [pair for pair in held if None not in pair]
    counts = {outcome: both.count(outcome) for outcome in ((True, True), (False, True), (True, False), (False, False))}
    changed = counts[False, True], counts[True, False]
    difference = newcombe(counts[True, True], *changed, counts[False, False])
    return [
        _share(name, "before", [before for before, _ in held], note),
        _share(name, "after", [after for _, after in held], note),
        metric(
            name,
            "pair",
            difference,
            len(both),
            failed=len(held) - len(both),
            p_value=mcnemar(*changed) if both else None,
            note="; ".join(part for part in ("after less before; exact McNemar test", note) if part),
        ),
    ]


def paired_means(
    name: str,
    values: Sequence[tuple[float | None, float | None]],
    unit: Unit,
    note: str = "",
    *,
    within: tuple[float, float] | None = None,
) -> list[Metric]:
    """The mean before and after, and the mean difference with a sign-flip test; a mean of nothing is left out.

    Args:
        name: of the metric.
        values: one a prompt, before and after; ``None`` counts as failed.
        unit: of the values.
        note: what else to say of the method.
        within: the least and the largest that a value can be, where there are such: no interval leaves them.
    """
    low, high = within or (-math.inf, math.inf)
    before = [value for value, _ in values if value is not None]
    after = [value for _, value in values if value is not None]
    differences = [later - earlier for earlier, later in values if earlier is not None and later is not None]
    metrics = []
    own_means: tuple[tuple[Literal["before", "after"], list[float]], ...] = (("before", before), ("after", after))
    for of, own in own_means:
        if own:
            estimate = _within(mean_t(own), low, high)
            metrics.append(metric(name, of, estimate, len(own), failed=len(values) - len(own), unit=unit, note=note))
    if differences:
        told = len(differences) >= _FEWEST_SIGNS
        tested = "after less before; sign-flip test" if told else "after less before; too few for a sign-flip test"
        said = "; ".join(part for part in (tested, note) if part)
        failed = len(values) - len(differences)
        p_value = sign_flip(differences) if told else None
        estimate = _within(
            mean_t(differences), low - high, high - low
        )  # which holds the truth as often as a bootstrap at 100 values, and oftener at 10
        metrics.append(
            metric(name, "pair", estimate, len(differences), failed=failed, p_value=p_value, unit=unit, note=said)
        )
    return metrics


def _within(estimate: Estimate, low: float, high: float) -> Estimate:
    return replace(estimate, low=max(low, estimate.low), high=min(high, estimate.high))


def _share(name: str, of: Literal["before", "after"], held: Sequence[bool | None], note: str) -> Metric:
    measured = [item for item in held if item is not None]
    return metric(
        name, of, wilson(sum(measured), len(measured)), len(measured), failed=len(held) - len(measured), note=note
    )
