"""Metrics of two models on the same items, of which each item's own numbers are kept: others are compared with them."""

from __future__ import annotations

from collections.abc import Sequence

from solon.data.records import Metric
from solon.evaluation.base import Evidence, Pair
from solon.evaluation.paired import Held, Unit, paired_means, paired_shares


def itemised_shares(
    evidence: Evidence, name: str, items: Sequence[str], held: Sequence[Held], note: str = ""
) -> list[Metric]:
    """``paired_shares``, whose items are kept by their ids."""
    evidence.each(name, list(zip(items, held, strict=True)))
    return paired_shares(name, held, note)


def itemised_means(
    evidence: Evidence,
    name: str,
    items: Sequence[str],
    values: Sequence[tuple[float | None, float | None]],
    unit: Unit,
    note: str = "",
    *,
    within: tuple[float, float] | None = None,
) -> list[Metric]:
    """``paired_means``, whose items are kept by their ids."""
    evidence.each(name, list(zip(items, values, strict=True)))
    return paired_means(name, values, unit, note, within=within)


def ids(pairs: Sequence[Pair]) -> list[str]:
    """What items are called that are pairs of answers: as their prompts are."""
    return [pair.prompt.id for pair in pairs]
