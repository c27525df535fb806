"""How many items each metric of numbers moved, and how far: what a mean does not tell."""

from __future__ import annotations

from collections.abc import Sequence

from solon.report.held_out import STRONGLY_DEGRADED, STRONGLY_IMPROVED, Moved
from solon.report.tables import Table
from solon.report.wording import label, share


def moved_tables(found: Sequence[Moved]) -> list[Table]:
    """One table, or none where no metric of numbers was measured item by item."""
    if not found:
        return []
    heads = ("", "n", "improved", "unchanged", "degraded", "strongly improved", "strongly degraded")
    rows = [
        (
            label(each.name),
            f"{each.n:,}",
            *(_of(count, each.n) for count in (each.improved, each.unchanged, each.degraded)),
            *(_of(count, each.n) for count in (each.strongly_improved, each.strongly_degraded)),
        )
        for each in found
    ]
    note = (
        "By the change of each item, in the direction in which the metric is wanted. Strong is a gain of more than "
        f"{STRONGLY_IMPROVED:g} and a loss of more than {-STRONGLY_DEGRADED:g}, told where all numbers are from 0 to 1."
    )
    return [Table.of("Item by item", heads, rows, note)]


def _of(count: int | None, n: int) -> str:
    return "–" if count is None else f"{count:,} ({share(count, n)})"
