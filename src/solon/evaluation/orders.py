"""How far a judge that compares depends on the order in which it is shown two completions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from solon.data.opinions import grouped, orders
from solon.data.records import Judgment, Metric
from solon.data.verdicts import order_consistency
from solon.evaluation.paired import metric
from solon.statistics.clustered import Table, clustered_share


def consistency(name: str, of: Literal["pair", "labels"], judgments: Iterable[Judgment], note: str = "") -> Metric:
    """The share of compared pairs (under each principle) on which both orders do not contradict each other."""
    counts = [order_consistency(own) for own in by_prompt(judgments).values()]
    told = [(one.consistent, one.consistent + one.order_dependent) for one in counts]
    failed = sum(one.failed for one in counts)
    return metric(name, of, clustered_share(told), sum(items for _, items in told), failed=failed, note=note)


def first_slot(name: str, of: Literal["pair", "labels"], judgments: Iterable[Judgment]) -> Metric:
    """The share of comparisons with a winner that the completion shown first won."""
    counts = [order_consistency(own) for own in by_prompt(judgments).values()]
    told = [(one.first_slot_wins, one.decided) for one in counts]
    n = sum(items for _, items in told)
    return metric(name, of, clustered_share(told), n, note="50 % is no preference for a slot")


def tables_of_orders(judgments: Iterable[Judgment]) -> list[Table]:
    """For each prompt, how often one order said ``first``, ``second`` or ``tie`` and the other said what."""
    return [_table(own) for own in by_prompt(judgments).values()]


def _table(judgments: Sequence[Judgment]) -> Table:
    compared: dict[frozenset[str], list[Judgment]] = {}
    for judgment in judgments:
        if len(set(judgment.options)) == 2:
            compared.setdefault(frozenset(judgment.options), []).append(judgment)
    table: Counter[tuple[str, str]] = Counter()
    for pair in compared.values():
        for group in grouped(pair).values():
            # seen from one of the two by its id, which is by chance: seen from the one shown first, a slot would count
            both = orders(group, min(group[0].options))
            if both is not None:
                table[_said(both[0]), _said(both[1])] += 1
    return table


def _said(share: float) -> str:
    return "tie" if share == 0.5 else "first" if share > 0.5 else "second"


def by_prompt(judgments: Iterable[Judgment]) -> dict[str, list[Judgment]]:
    """The judgments on each prompt, by its id."""
    found: dict[str, list[Judgment]] = {}
    for judgment in judgments:
        found.setdefault(judgment.prompt, []).append(judgment)
    return found
