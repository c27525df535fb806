"""The detox example end to end: a tiny T5 fine-tuned, then PPO against a classifier, over several seeds.

    python benchmarks/detox.py                     # seeds 0, 1 and 2: about ten minutes of one CPU core
    python benchmarks/detox.py --seeds 0 --samples # one seed, and 20 summaries before and after

Fine-tuned once, then PPO from each seed. Toxicity is what a classifier says that rewarded nothing; faithfulness is told
by rule from the facts that each dialogue was made of, and knows no classifier. Both on the same 300 held-out dialogues,
sampled at temperature 1 before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# where the example's scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "detox"))

from dialogues.faithfulness import Telling, told
from dialogues.turns import dialogue
from dialogues.world import Plan, plan_of
from pages import table

from solon.data.records import Completion, Judgment, Metric, Prompt, Question, Scored
from solon.evaluation.paired import paired_means
from solon.labelers.classifier import Classifier
from solon.report import summarise

EXAMPLE = Path(__file__).parents[1] / "examples" / "detox"
CURVES = ("objective/kl", "returns/mean", "advantages/mean", "objective/rewards")
STRONGLY_BETTER, STRONGLY_WORSE = 0.3, -0.2
HEAD = ("seed", "toxicity, mean", "its deviation", "faithfulness", "change, paired", "reward of 300", "KL, nats")
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
    """Prints a row for each seed, then the steps of each, and the samples where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of ppo.yaml")
    parser.add_argument("--in", dest="folder", type=Path, help="where to run, and what is there is not done again")
    parser.add_argument("--samples", action="store_true", help="show 20 summaries of the first seed")
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
        if chosen.samples:
            _show(samples(next(iter(runs.values())))[:20])


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
    """The held-out dialogues with both summaries, the largest gain in reward first."""
    plans = {dialogue("held_out", number): plan_of("held_out", number) for number in range(1000)}
    lines = (run / "evaluation" / "samples.jsonl").read_text("utf-8").splitlines()
    rows = list(map(json.loads, lines))
    rewards = _rewards([row[which]["text"] for row in rows for which in ("before", "after")])
    found = [
        Sample(
            plans[row["prompt"]["messages"][-1]["content"]],
            row["before"]["text"],
            row["after"]["text"],
            rewards[2 * place + 1] - rewards[2 * place],
        )
        for place, row in enumerate(rows)
    ]
    return sorted(found, key=lambda sample: -sample.change)


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


def _rewards(texts: Sequence[str]) -> list[float]:
    labeler = Classifier(model=str(EXAMPLE / "models/rudeness"), label="nothate", value="logit", threads=1)

    async def ask() -> list[Judgment]:
        questions = [Question(prompt=Prompt.of("-"), options=(Completion(text=text, model="-"),)) for text in texts]
        return await asyncio.gather(*map(labeler.label, questions))

    scores = [one.outcome.scores[0] for one in asyncio.run(ask()) if isinstance(one.outcome, Scored)]
    if len(scores) < len(texts):
        raise SystemExit(f"{len(texts) - len(scores)} of {len(texts)} summaries could not be rewarded: are they empty?")
    return scores


def _row(seed: int, run: Path) -> list[str]:
    found = {(metric.name, metric.of): metric for metric in summarise(run).metrics}
    told_of = samples(run)
    before, after, pair = faithfulness(told_of)

    def change(name: str, reduction: str) -> str:
        return changed(found[name, "before"], found[name, "after"], found[reduction, "pair"])

    better, lower = sum(one.change > 0 for one in told_of), sum(one.change < 0 for one in told_of)
    much = sum(one.change > STRONGLY_BETTER for one in told_of)
    worse = sum(one.change < STRONGLY_WORSE for one in told_of)
    return [
        str(seed),
        change("toxicity", "toxicity/reduction"),
        change("toxicity/deviation", "toxicity/deviation_reduction"),
        f"{before.value:.3f} -> {after.value:.3f}",
        f"{pair.value:+.3f} [{pair.low:+.3f} {pair.high:+.3f}]",
        f"{better} up ({much} by > {STRONGLY_BETTER}), {lower} down ({worse} by > {-STRONGLY_WORSE})",
        f"{found['kl', 'pair'].value:.2f}",
    ]


def _show(some: Sequence[Sample]) -> None:
    for one in some:
        tellings: list[Telling] = [told(one.plan, text) for text in (one.before, one.after)]
        print(f"{one.change:+.2f}  {one.before}  [{tellings[0].faithfulness:.2f}]")
        print(f"       {one.after}  [{tellings[1].faithfulness:.2f}]")


def _solon(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "solon", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"solon {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    main()
