"""The detox example end to end: a tiny T5 fine-tuned, then PPO against a classifier, over several seeds.

    python benchmarks/detox.py                          # seeds 0, 1 and 2: about ten minutes of one CPU core
    python benchmarks/detox.py --seeds 0 --write PAGE   # one seed; rewards, parameters and samples go into that page

Fine-tuned once, then PPO from each seed. Toxicity is what a classifier says that rewarded nothing; faithfulness is told
by rule from the facts that each dialogue was made of, and knows no classifier. Both on the same 300 held-out dialogues,
sampled at temperature 1 before and after. The reward is that of the recipe's evaluator ``rating``, item by item.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# where the example's scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "detox"))

from dialogues.faithfulness import told
from dialogues.turns import dialogue
from dialogues.world import Plan, plan_of
from pages import between_markers, ran, table

from solon.data.records import Metric, Prompt
from solon.evaluation.paired import paired_means
from solon.plugins.base import base_folder
from solon.recipe import read
from solon.report import summarise
from solon.trainers.announcing import announced

EXAMPLE = Path(__file__).parents[1] / "examples" / "detox"
CURVES = ("objective/kl", "returns/mean", "advantages/mean", "objective/rewards")
STRONGLY_BETTER, STRONGLY_WORSE = 0.3, -0.2
HEAD = ("seed", "toxicity, mean", "its deviation", "faithfulness", "change, paired", "reward of 300", "KL, nats")
REWARD_HEAD = (
    "seed",
    "reward, a logit",
    "change",
    "p",
    "improved",
    "strongly",
    "degraded",
    "strongly",
    "of 20, improved",
)
SAMPLES = 20
PUBLISHED = (
    "published, FLAN-T5",
    ".0540 -> .0283 (-47.5 %)",
    ".0489 -> .0294 (-39.9 %)",
    "not measured",
    "",
    "75 % of 20",
    "",
)


@dataclass(frozen=True)
class Sample:
    """One held-out dialogue with its summaries, and by how much the logit that was rewarded changed."""

    plan: Plan
    before: str
    after: str
    change: float


def main() -> None:
    """Prints a row for each seed, then the steps of each, rewards, parameters and samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of ppo.yaml")
    parser.add_argument("--in", dest="folder", type=Path, help="where to run, and what is there is not done again")
    parser.add_argument("--write", type=Path, help="a page to put rewards, parameters and samples into as well")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        base = fine_tuned(folder)
        runs = {seed: ppo(folder, base, seed, chosen.set) for seed in chosen.seeds}
        print(table(HEAD, [*(_row(seed, run) for seed, run in runs.items()), PUBLISHED]))
        for seed, run in runs.items():
            steps = [[f"{one['step']:.0f}", *(f"{one[name]:.3f}" for name in CURVES)] for one in summarise(run).steps]
            print(f"\nseed {seed}\n\n{table(['step', *CURVES], steps)}")
        page = f"{rewards(runs)}\n\n{parameters(base)}\n\n{shown(runs)}"
        print(f"\n{page}")
        if chosen.write:
            between_markers(chosen.write, "detox", page)


def fine_tuned(folder: Path) -> Path:
    """The folder of the fine-tuned model, its adapter merged; what is there already is not made again."""
    merged = folder / "summariser"
    if not merged.exists():
        _solon(folder, "run", str(EXAMPLE / "sft.yaml"), "--run-dir", str(folder / "sft"))
        base = ["--base", str(EXAMPLE / "models" / "base")]
        _solon(folder, "export", str(folder / "sft"), "--merge", *base, "--to", str(merged))
    return merged


def ppo(folder: Path, base: Path, seed: int, more: Sequence[str]) -> Path:
    """The run directory of PPO from this seed."""
    run = folder / f"ppo-{seed}"
    _solon(
        folder, "run", str(EXAMPLE / "ppo.yaml"), f"policy.model={base}", f"seed={seed}", *more, "--run-dir", str(run)
    )
    return run


def samples(run: Path) -> list[Sample]:
    """The held-out dialogues with both summaries, as they were asked; those that could not be rewarded are left out."""
    plans = {dialogue("held_out", number): plan_of("held_out", number) for number in range(1000)}
    changes = {
        row["item"]: row["values"]["rating"]
        for row in _lines(run / "evaluation" / "items.jsonl")
        if "rating" in row["values"]
    }
    found = []
    for row in _lines(run / "evaluation" / "samples.jsonl"):
        prompt = Prompt.model_validate(row["prompt"])
        before, after = changes[prompt.id]
        if before is not None and after is not None:
            plan = plans[prompt.messages[-1].content]
            found.append(Sample(plan, row["before"]["text"], row["after"]["text"], after - before))
    return found


def counted(some: Sequence[Sample]) -> tuple[int, int, int, int]:
    """How many are improved, improved strongly, degraded and degraded strongly, by the change of their reward."""
    return (
        sum(one.change > 0 for one in some),
        sum(one.change > STRONGLY_BETTER for one in some),
        sum(one.change < 0 for one in some),
        sum(one.change < STRONGLY_WORSE for one in some),
    )


def rewards(runs: dict[int, Path]) -> str:
    """Of each seed the reward before and after, and how many dialogues gained or lost."""
    rows = []
    for seed, run in runs.items():
        found = {metric.of: metric for metric in summarise(run).metrics if metric.name == "rating"}
        before, after, pair = found["before"], found["after"], found["pair"]
        told_of = samples(run)
        better, much, worse, badly = counted(told_of)
        first = counted(told_of[:SAMPLES])[0]
        rows.append(
            [
                str(seed),
                f"{before.value:.2f} -> {after.value:.2f}",
                f"{pair.value:+.2f} [{pair.low:+.2f} {pair.high:+.2f}]",
                "<.001" if pair.p_value is not None and pair.p_value < 0.001 else f"{pair.p_value:.3f}",
                *(f"{count} of {len(told_of)}" for count in (better, much, worse, badly)),
                f"{first} ({first / SAMPLES:.0%})",
            ]
        )
    strong = f"Strongly is by more than {STRONGLY_BETTER}, and downwards by more than {-STRONGLY_WORSE}."
    return f"{table(REWARD_HEAD, rows)}\n\n{strong}"


def parameters(base: Path) -> str:
    """What fine-tuning and PPO train of the model, part by part."""
    blocks = []
    for name, more in (("sft", []), ("ppo", [f"policy.model={base}"])):
        recipe = read(EXAMPLE / f"{name}.yaml", more).recipe
        assert recipe.train is not None
        assert recipe.policy is not None
        with base_folder(EXAMPLE):
            _, *lines = announced(recipe.train, recipe.policy)[0]
        blocks += ["```text", f"{name}.yaml", *lines, "```", ""]
    return "\n".join(blocks).rstrip()


def shown(runs: dict[int, Path]) -> str:
    """The first held-out dialogues of the first seed, sorted by the change of their reward."""
    seed, run = next(iter(runs.items()))
    some = samples(run)[:SAMPLES]
    better, much, worse, badly = counted(some)
    said = (
        f"The first {SAMPLES} held-out dialogues, seed {seed}, by the change of their reward: {better} improved, "
        f"{much} strongly; {worse} degraded, {badly} strongly; {len(some) - better - worse} as they were. "
        "In brackets faithfulness."
    )
    lines = []
    for one in sorted(some, key=lambda sample: -sample.change):
        before, after = (told(one.plan, text) for text in (one.before, one.after))
        lines.append(f"{one.change:+.2f}  {one.before}  [{before.faithfulness:.2f}]")
        lines.append(f"       {one.after}  [{after.faithfulness:.2f}]")
    return "\n".join([said, "", "```text", *lines, "```"])


def faithfulness(found: Sequence[Sample]) -> tuple[Metric, Metric, Metric]:
    """Before, after, and the paired difference with its BCa interval."""
    pairs = [(told(one.plan, one.before), told(one.plan, one.after)) for one in found]
    before, after, pair = paired_means(
        "faithfulness", [(earlier.faithfulness, later.faithfulness) for earlier, later in pairs], "score"
    )
    return before, after, pair


def changed(before: Metric, after: Metric, less: Metric) -> str:
    """Two values and the share of the first by which they differ, with its interval; ``less`` is a reduction."""
    # from 0, so that a reduction of 0 is no -0.0
    share, low, high = (f"{0.0 - fallen:+.1%}" for fallen in (less.value, less.high, less.low))
    return f"{before.value:.3f} -> {after.value:.3f} ({share} [{low} {high}])"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _row(seed: int, run: Path) -> list[str]:
    found = {(metric.name, metric.of): metric for metric in summarise(run).metrics}
    told_of = samples(run)
    before, after, pair = faithfulness(told_of)

    def change(name: str, reduction: str) -> str:
        return changed(found[name, "before"], found[name, "after"], found[reduction, "pair"])

    better, much, lower, worse = counted(told_of)
    return [
        str(seed),
        change("toxicity", "toxicity/reduction"),
        change("toxicity/deviation", "toxicity/deviation_reduction"),
        f"{before.value:.3f} -> {after.value:.3f}",
        f"{pair.value:+.3f} [{pair.low:+.3f} {pair.high:+.3f}]",
        f"{better} up ({much} by > {STRONGLY_BETTER}), {lower} down ({worse} by > {-STRONGLY_WORSE})",
        f"{found['kl', 'pair'].value:.2f}",
    ]


def _solon(folder: Path, *arguments: str) -> None:
    ran([sys.executable, "-m", "solon", *arguments], folder, f"solon {' '.join(arguments)}")


if __name__ == "__main__":
    main()
