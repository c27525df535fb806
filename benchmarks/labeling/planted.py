"""Planted truth: how many rows of a built dataset are wrong, by way of judging and budget.

    python benchmarks/labeling/planted.py              # every table of docs/results/labeling.md, about four minutes
    python benchmarks/labeling/planted.py --quick      # the same, small: to see that it runs
    python benchmarks/labeling/planted.py --budgets 10000 --seeds 5 --only budgets

Completions have a known quality and judges known faults (``simulated.py``, ``ways.py``); labelers, panel, cascade and
the build of the dataset are solon's own (``spending.py``). What is reported are counts, so the figures are the same on
every machine. A budget is in calls of the small judge.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import ways
from outcomes import KEPT, Outcome, as_many, fewer_wrong, outcomes, together, told_by_margin, wrong
from spending import Row
from ways import FAULTS, MIXED, Crew

from solon.statistics.estimates import Estimate, wilson

BUDGETS, SEEDS = (300, 1_000, 3_000), 8
OF_FAULTS, OF_MORE, OF_VAGUE, FEWER_SEEDS = 500, 1_000, 1_000, 5


def of_budget(budget: int, found: dict[str, Outcome]) -> Iterator[str]:
    """What each way of judging makes of one budget."""
    baseline = found[ways.ONE_ORDER]
    yield f"\n**{budget:,} calls of the small judge, {len(baseline.rows)} seeds**\n"
    yield from _head(
        "way of judging",
        "calls a pair",
        "rows per 1,000 calls",
        "wrong, all rows",
        "one order, as many rows",
        f"wrong, clearest {KEPT} per 1,000 calls",
        "chosen is the longer",
        "worth, clean rows per 1,000 calls",
    )
    for name, one in found.items():
        rows, kept = one.all_rows, together(one.kept())
        yield _row(
            name,
            f"{sum(one.spent) / (sum(one.prompts) or 1):.1f}",
            f"{1000 * one.per_call:.0f}",
            _counted(rows),
            _share(wrong(together(as_many(baseline, one)))),
            _counted(kept) if len(kept) == len(together(baseline.kept())) else "",
            _share(sum(row.longer for row in rows) / (len(rows) or 1)),
            f"{1000 * one.worth:.0f}",
        )


def of_margins(found: dict[int, dict[str, Outcome]]) -> Iterator[str]:
    """By how much one way beats another at the same cost, each with its interval over seeds."""
    yield from _head("fewer wrong rows, at equal cost", *(f"{budget:,} calls" for budget in found))

    def line(what: str, measured: Callable[[dict[str, Outcome]], Estimate]) -> str:
        return _row(what, *(_interval(measured(by_name), signed=True) for by_name in found.values()))

    def all_rows(better: str, worse: str) -> str:
        return line(f"{better}, against {worse}", lambda of: fewer_wrong(of[worse].rows, of[better].rows))

    def equal_rows(better: str) -> str:
        return line(
            f"{better}, against the clearest of {ways.ONE_ORDER}, as many rows",
            lambda of: fewer_wrong(as_many(of[ways.ONE_ORDER], of[better]), of[better].rows),
        )

    def clearest_of(better: str) -> str:
        return line(
            f"{better}, against {ways.ONE_ORDER}, the clearest {KEPT} per 1,000 calls of either",
            lambda of: fewer_wrong(of[ways.ONE_ORDER].kept(), of[better].kept()),
        )

    yield all_rows(ways.BOTH, ways.ONE_ORDER)
    yield all_rows(ways.BOTH, ways.TWICE)
    yield equal_rows(ways.BOTH)
    yield clearest_of(ways.BOTH)
    yield all_rows(ways.PANEL, ways.ONE_ORDER)
    yield all_rows(ways.PANEL, ways.SIX_TIMES)
    yield all_rows(ways.PANEL, ways.BOTH)
    yield equal_rows(ways.PANEL)
    yield clearest_of(ways.PANEL_MEAN)
    yield all_rows(ways.CASCADE, ways.ONE_ORDER)
    yield equal_rows(ways.CASCADE)
    yield all_rows(ways.CASCADE, ways.LARGE_ONE)
    yield all_rows(ways.CASCADE, ways.LARGE_BOTH)


def of_adversary(budgets: Sequence[int], seeds: int) -> Iterator[str]:
    """A panel of which one member prefers the worse, by vote."""
    names = (ways.ONE_ORDER, ways.PANEL, ways.ADVERSARY, ways.ADVERSARY_MEAN, ways.ADVERSARY_WEIGHTED)
    found = outcomes(MIXED, lambda crew: crew.of_two(names), budgets, seeds)
    yield from _head("wrong, all rows", *(f"{budget:,} calls" for budget in budgets), "rows per 1,000 calls")
    for name in names:
        each = [by_name[name] for by_name in found.values()]
        yield _row(name, *(_counted(one.all_rows) for one in each), f"{1000 * each[-1].per_call:.0f}")


def of_faults(budget: int, seeds: int) -> Iterator[str]:
    """Which way of judging heals which fault: worlds with one fault each, the share of all rows that are wrong."""
    names = (ways.ONE_ORDER, ways.TWICE, ways.BOTH, ways.RATING, ways.SIX_TIMES, ways.PANEL, ways.CASCADE)
    yield from _head("the judges' fault", *names)
    for world in FAULTS:
        (found,) = outcomes(world, lambda crew: crew.of_two(names), (budget,), seeds).values()
        yield _row(world.name, *(_share(wrong(found[name].all_rows)) for name in names))


def of_vague(budget: int, seeds: int) -> Iterator[str]:
    """What becomes of the clearest rows where stated probabilities say little."""
    names = (ways.ONE_ORDER, ways.BOTH)
    yield from _head(
        "`vague`",
        "margins of one order tell right from wrong (AUROC)",
        "one order, as many rows as both orders",
        "both orders",
        f"one order, clearest {KEPT}",
        f"both orders, clearest {KEPT}",
    )
    for vague in (0.0, 0.5, 1.0, 2.0):
        world = replace(MIXED, vague=vague)
        (found,) = outcomes(world, lambda crew: crew.of_two(names), (budget,), seeds).values()
        one, both = found[ways.ONE_ORDER], found[ways.BOTH]
        yield _row(
            f"{vague:g}",
            _share(told_by_margin(one.all_rows)),
            _counted(together(as_many(one, both))),
            _counted(both.all_rows),
            *(_counted(together(each.kept())) for each in (one, both)),
        )


def of_more(budget: int, seeds: int) -> Iterator[str]:
    """Four completions a prompt."""
    (found,) = outcomes(MIXED, Crew.of_more, (budget,), seeds, completions=4).values()
    yield from _head("way of judging", "calls a prompt", "rows per 1,000 calls", "wrong, all rows", "worth")
    for name, one in found.items():
        yield _row(
            name,
            f"{sum(one.spent) / sum(one.prompts):.1f}",
            f"{1000 * one.per_call:.0f}",
            _counted(one.all_rows),
            f"{1000 * one.worth:.0f}",
        )


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _share(value: float) -> str:
    return f"{abs(value):.3f}".removeprefix("0")


def _counted(rows: Sequence[Row]) -> str:
    return _interval(wilson(sum(row.wrong for row in rows), len(rows)))


def _interval(estimate: Estimate, *, signed: bool = False) -> str:
    def told(value: float) -> str:
        return f"{'−' if value < 0 else '+' if signed else ''}{_share(value)}"

    return f"{told(estimate.value)} [{told(estimate.low)} {told(estimate.high)}]"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small budgets and two seeds")
    parser.add_argument("--budgets", type=int, nargs="+")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--only", choices=["budgets", "adversary", "faults", "vague", "more"])
    options = parser.parse_args()
    budgets = options.budgets or ((100, 300) if options.quick else BUDGETS)
    seeds = options.seeds or (2 if options.quick else SEEDS)
    fewer, part = min(seeds, FEWER_SEEDS), 5 if options.quick else 1
    if options.only in (None, "budgets"):
        found = outcomes(MIXED, lambda crew: crew.of_two(ways.HONEST), budgets, seeds)
        for budget, by_name in found.items():
            print(*of_budget(budget, by_name), sep="\n", flush=True)
        print("\n**Margins**\n", *of_margins(found), sep="\n", flush=True)
    if options.only in (None, "vague"):
        print("\n**What a stated probability is worth**\n", *of_vague(OF_VAGUE // part, fewer), sep="\n", flush=True)
    if options.only in (None, "adversary"):
        print(
            "\n**An adversary in the panel**\n",
            *of_adversary(budgets[-1:] if options.quick else budgets, fewer),
            sep="\n",
            flush=True,
        )
    if options.only in (None, "faults"):
        print("\n**One fault at a time**\n", *of_faults(OF_FAULTS // part, fewer), sep="\n", flush=True)
    if options.only in (None, "more"):
        print("\n**Four completions a prompt**\n", *of_more(OF_MORE // part, fewer), sep="\n", flush=True)


if __name__ == "__main__":
    main()
