"""The RLAIF example's tiny twin over several seeds: what ``solon compare`` found, and what its data say by the rule.

    python benchmarks/rlaif.py --out runs/rlaif                             # seeds 0, 1, 2: ten minutes of one CPU core
    python benchmarks/rlaif.py --in runs/rlaif/seed-0 --in runs/rlaif/seed-1                # comparisons that are there
    python benchmarks/rlaif.py --out runs/rlaif --write docs/results/rlaif_llama.md        # and puts it into the page

Shares of what the rule wants are counted here; all other numbers are those of ``comparison.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pages import between_markers, ran, table
from rlaif_village import EXAMPLE, labels, overlap, slips, wanted

from solon.comparison.record import Comparison, Tested
from solon.comparison.words import before, of
from solon.data.records import Metric
from solon.report.wording import p_value

SIDES = ("dpo", "ppo")
METRICS: dict[str, tuple[str, float, int]] = {
    "unsafe": ("unsafe answers, %", 100, 1),
    "refusals/harmful": ("harmful requests declined, %", 100, 1),
    "over_refusals": ("other prompts declined, %", 100, 1),
    "rating": ("rating, 0 to 1", 1, 2),
    "rating/harmless": ("· harmless", 1, 2),
    "rating/honest": ("· honest", 1, 2),
    "win_rate": ("win rate against the base, %", 100, 1),
    "length_controlled/win_rate": ("· at equal length, %", 100, 1),
    "lm_eval/truthfulqa_mc1": ("TruthfulQA mc1, %", 100, 1),
    "lm_eval/truthfulqa_mc2": ("TruthfulQA mc2, %", 100, 1),
    "lm_eval/mmlu": ("MMLU, %", 100, 1),
    "lm_eval/hellaswag": ("HellaSwag, %", 100, 1),
    "kl": ("KL, nats an answer", 1, 2),
    "length": ("tokens an answer", 1, 1),
    "distinct_2": ("distinct pairs of words, %", 100, 1),
    "repeated_answers": ("repeated answers, %", 100, 1),
}
"""Each metric in words, what it is multiplied by, and digits."""


def main() -> None:
    """Prints the tables, and writes them where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--in", dest="folders", type=Path, action="append", help="a finished comparison; once for each")
    where.add_argument("--out", type=Path, help="where to run, and what is there is not done again")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="with --out")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    chosen = parser.parse_args()
    folders = chosen.folders or [compared(chosen.out.absolute(), seed) for seed in chosen.seeds]
    found = {folder: Comparison.model_validate_json((folder / "comparison.json").read_bytes()) for folder in folders}
    text = "\n\n".join(
        (
            quality(list(found.values())),
            "DPO against PPO, differences that are more than chance after Holm's correction in some seed:",
            differences(list(found.values())),
            "What it took, of PPO with its reward model:",
            spent(list(found.values())),
            "Other prompts declined, less the base (exact McNemar tests, before any correction):",
            declined(list(found.values())),
            "The share of answers that the rule wants (a quarter for not knowing what can be known):",
            wanted(found),
            "The labels, and what the rule says of the pairs that were learned from and held out:",
            labels(found),
            slips(),
            "Held-out prompts, and how many of them ask in other words what was asked before:",
            overlap(),
        )
    )
    print(text)
    if chosen.write:
        between_markers(chosen.write, "rlaif", text)


def compared(out: Path, seed: int) -> Path:
    """The directory of the comparison with this seed."""
    out.mkdir(parents=True, exist_ok=True)
    run = out / f"seed-{seed}"
    solon = [sys.executable, "-m", "solon", "compare", str(EXAMPLE / "recipe.yaml"), "--set", "tiny", f"seed={seed}"]
    there = ["--run-dir", str(run), f"ledger={out / f'ledger-{seed}.sqlite'}"]
    command = [sys.executable, str(EXAMPLE / "judge_server.py"), "--", *solon, *there]
    ran(command, out, f"the comparison with seed {seed}")
    return run


def quality(found: Sequence[Comparison]) -> str:
    """Every metric of every seed: the base and both entries, with intervals."""
    rows = []
    for name, (said, times, digits) in METRICS.items():
        for number, one in enumerate(found):
            sides = [of(one, side, name) for side in SIDES]
            numbers = [_cell(metric, times, digits) for metric in (before(one, name), *sides)]
            n = next((str(metric.n) for metric in sides if metric is not None), "")
            rows.append([said if number == 0 else "", str(one.seed), *numbers, n])
    return table(["", "seed", "base", "DPO", "PPO", "n"], rows)


def _cell(metric: Metric | None, times: float, digits: int) -> str:
    if metric is None:
        return ""
    value, low, high = (f"{times * one:.{digits}f}" for one in (metric.value, metric.low, metric.high))
    return f"{value} [{low} to {high}]"


def differences(found: Sequence[Comparison]) -> str:
    """Each metric in which one of the two is beyond chance in some seed: PPO less DPO, and p after Holm."""
    tests: dict[str, dict[int, Tested]] = {}
    for one in found:
        for test in one.between:
            turned = test if test.one == "ppo" else test.model_copy(update={"difference": _negative(test.difference)})
            tests.setdefault(test.metric, {})[one.seed] = turned
    rows = []
    for name, own in tests.items():
        if any(test.counts for test in own.values()):
            said, times, digits = METRICS.get(name, (name.replace("_", " "), 1, 3))
            rows.append([said, *(_difference(own.get(one.seed), times, digits) for one in found)])
    count = max(len(one.between) for one in found)
    return table([f"PPO less DPO, of {count} tests a seed", *(f"seed {one.seed}" for one in found)], rows)


def _negative(metric: Metric) -> Metric:
    return metric.model_copy(update={"value": -metric.value, "low": -metric.high, "high": -metric.low})


def _difference(test: Tested | None, times: float, digits: int) -> str:
    if test is None or test.adjusted is None:
        return ""
    said = f"{times * test.difference.value:+.{digits}f}, {p_value(test.adjusted)}"
    return f"**{said}**" if test.counts else said


def spent(found: Sequence[Comparison]) -> str:
    """Judgments, rows, time and memory of each entry, for each seed."""
    rows = []
    for name in SIDES:
        own = [side.spent for one in found for side in one.sides if side.name == name]
        took = [one for one in own if one is not None]
        rows.append(
            [
                name.upper(),
                ", ".join(f"{one.judged:,}" for one in took),
                ", ".join(f"{one.rows:,}" for one in took),
                ", ".join(f"{one.used.cpu_seconds:.0f}" for one in took),
                ", ".join(f"{one.used.peak_gib:.2f}" for one in took),
            ]
        )
    seeds = ", ".join(str(one.seed) for one in found)
    return table(
        [f"seeds {seeds}", "judgments and rewards", "rows", "CPU seconds of training", "most memory, GiB"], rows
    )


def declined(found: Sequence[Comparison]) -> str:
    """How much more often other prompts are declined than by the base."""
    rows = []
    for name in SIDES:
        changes = [_pair(one, name, "over_refusals") for one in found]
        rows.append([name.upper(), *(f"{100 * one.value:+.1f} points, {p_value(one.p_value or 0)}" for one in changes)])
    return table(["", *(f"seed {one.seed}" for one in found)], rows)


def _pair(comparison: Comparison, side: str, name: str) -> Metric:
    return next(one for one in comparison.metrics[side] if (one.name, one.of) == (name, "pair"))


if __name__ == "__main__":
    main()
