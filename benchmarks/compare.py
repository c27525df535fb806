"""Runs the comparisons of the examples and puts their tables into docs/results/compare.md.

    python benchmarks/compare.py --out runs/compared --write docs/results/compare.md
    python benchmarks/compare.py --out runs/compared --only quickstart --seeds 0

Again with the same ``--out`` = go on: what is done there is not done twice. One entry at a time, so that times are
those of an entry alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pages import between_markers, table

from solon.comparison.comparing import compare
from solon.comparison.entries import entries
from solon.comparison.record import Comparison
from solon.comparison.words import before, of, sentences
from solon.progress import Terminal
from solon.recipe import read
from solon.report.wording import number

EXAMPLES = Path(__file__).parents[1] / "examples"
SETS = {"quickstart": [], "preference_zoo": [], "strict_format": ["tiny"]}
"""The sets of each example's recipe."""
METRICS = {
    "compliance": "compliance",
    "accuracy": "accuracy",
    "accuracy/greedy": "accuracy, greedy",
    "win_rate": "win rate",
    "kl": "KL, nats",
}


def measured(name: str, seed: int, out: Path) -> Comparison:
    """One comparison with one seed, or what it had said before."""
    overrides = [f"seed={seed}", f"name={name}-{seed}", f"ledger={out / 'l.sqlite'}"]
    opened = read(EXAMPLES / name / "recipe.yaml", overrides, SETS[name])
    return compare(opened, entries(opened), out / f"{name}-{seed}", jobs=1, progress=Terminal())


def columns(found: Sequence[Comparison]) -> list[str]:
    """The metrics that any of them has."""
    has = {metric.name for one in found for own in one.metrics.values() for metric in own}
    return [name for name in METRICS if name in has]


def rows(found: Sequence[Comparison]) -> list[list[str]]:
    """A row an entry, and one of the untrained policy: means over the seeds, and in brackets each seed.

    A seed in which an entry did not get to its end is a dash in its place.
    """
    metrics = columns(found)
    untrained = [_cell([getattr(before(one, name), "value", None) for one in found], name) for name in metrics]
    lines = [["untrained", *untrained, "", "", ""]]
    for entry in dict.fromkeys(side.name for one in found for side in one.sides):
        numbers = [_cell([getattr(of(one, entry, name), "value", None) for one in found], name) for name in metrics]
        spent = [next((side.spent for side in one.sides if side.name == entry), None) for one in found]
        cpu = _mean([each and each.used.cpu_seconds for each in spent], "{:.1f}")
        memory = _mean([each and each.used.peak_gib for each in spent], "{:.2f}")
        tokens = _mean([each and each.tokens and each.tokens / 1000 for each in spent], "{:.0f}k")
        lines.append([entry, *numbers, cpu, memory, tokens])
    return lines


def _cell(values: Sequence[float | None], name: str) -> str:
    unit = "nats" if name == "kl" else "share"
    return _told(values, lambda value: number(value, unit).removesuffix(" nats").removesuffix("%"))


def _mean(values: Sequence[float | None], form: str) -> str:
    return _told(values, form.format)


def _told(values: Sequence[float | None], write: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = write(sum(known) / len(known))
    return mean if len(values) == 1 else f"{mean} ({' '.join('–' if one is None else write(one) for one in values)})"


def failures(found: Sequence[Comparison]) -> str:
    """Which entries did not get to their end, and why."""
    told = [f"{side.name}, seed {one.seed}: {side.failed}" for one in found for side in one.sides if side.failed]
    return "".join(f"\n\nDid not get to its end: {one.splitlines()[0]}." for one in told)


def main() -> None:
    """Runs them, prints the tables, and writes them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs, by preference a new one")
    parser.add_argument("--only", choices=list(SETS), nargs="+", default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown page to put the tables into")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.only:
        found = [measured(name, seed, chosen.out) for seed in chosen.seeds]
        head = ["", *(METRICS[metric] for metric in columns(found)), "training, CPU s", "peak memory, GiB"]
        head.append("tokens sampled")
        seeds = f"seed{'s' if len(chosen.seeds) > 1 else ''} {', '.join(map(str, chosen.seeds))}"
        where = f"{os.cpu_count()} cores ({platform.machine()}), no GPU, one thread, one entry at a time"
        said = "\n>\n".join(f"> {sentence}" for sentence in sentences(found[0]))
        text = f"{where}; {seeds}. Shares in per cent.\n\n{table(head, rows(found))}{failures(found)}\n\n"
        text += f"What `solon compare` says of seed {chosen.seeds[0]}:\n\n{said}"
        print(text, file=sys.stdout)
        if chosen.write:
            between_markers(chosen.write, name, text)


if __name__ == "__main__":
    main()
