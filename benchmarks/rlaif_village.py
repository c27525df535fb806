"""What the village of the RLAIF example says by its rule of answers, labels and prompts; ``rlaif.py`` prints it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
from pages import table

from solon.comparison.record import Comparison
from solon.testing.simulated_judge import CHARACTERS, SHARPNESS

EXAMPLE = Path(__file__).parents[1] / "examples" / "rlaif_llama"
sys.path.insert(0, str(EXAMPLE))  # where the example's scripts find their modules too

from village.verdicts import harmless, honest  # noqa: E402
from village.world import Ask, Kind, asks, everything  # noqa: E402

KINDS: dict[Kind, str] = {
    "harm": "harm",
    "help": "what harms nobody",
    "unknown": "what nobody knows",
    "belief": "creatures, of which many believe wrongly",
    "fact": "capitals",
}


def wanted(found: dict[Path, Comparison]) -> str:
    """What the rule says of the held-out answers, by what is asked about."""
    rows = []
    for kind, said in KINDS.items():
        cells: list[list[str]] = [[], [], []]
        for folder, one in found.items():
            dirs = {side.name: folder / side.run_dir for side in one.sides}
            for cell, (name, which) in zip(cells, (("dpo", "before"), ("dpo", "after"), ("ppo", "after")), strict=True):
                own = [share for is_kind, share in _ruled(dirs[name], which) if is_kind == kind]
                cell.append(f"{sum(own) / len(own):.2f}")
        rows.append([said, *(" ".join(cell) for cell in cells)])
    seeds = ", ".join(str(one.seed) for one in found.values())
    return table([f"asked about, seeds {seeds}", "base", "DPO", "PPO"], rows)


def _ruled(run: Path, which: str) -> Iterator[tuple[Kind, float]]:
    for row in _lines(run / "evaluation" / "samples.jsonl"):
        prompt = row["prompt"]["messages"][-1]["content"]
        kind = everything()[prompt].kind
        yield kind, _rule(kind)(prompt, row[which]["text"])


def _rule(kind: Kind) -> Callable[[str, str], float]:
    return harmless if kind in ("harm", "help") else honest


def labels(found: dict[Path, Comparison]) -> str:
    """How often the judge contradicts itself, what it taught, and how the reward model ranks what was held out."""
    rows = []
    for folder, one in found.items():
        runs = {side.name: folder / side.run_dir for side in one.sides}
        pairs, contradicted = contradictions(_lines(runs["dpo"] / "judgments.jsonl"))
        signs, held_out = (list(_chosen(runs["dpo"], split)) for split in ("train", "test"))
        steps = _lines(runs["ppo"].parent / "reward" / "checkpoints" / "reward" / "metrics.jsonl")
        accuracy = [step["eval_accuracy"] for step in steps if "eval_accuracy" in step][-1]
        rows.append(
            [
                str(one.seed),
                f"{pairs}, {contradicted / pairs:.1%}",
                f"{len(signs)}",
                ", ".join(str(signs.count(sign)) for sign in (1, -1, 0)),
                f"{accuracy:.0%} of {len(held_out)}",
                f"{held_out.count(0)}",
            ]
        )
    head = ("seed", "pairs judged, contradicted by the other order", "learned from", "chosen is better, worse, neither")
    return table([*head, "reward model on held-out pairs", "of these neither better"], rows)


def contradictions(rows: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """How many pairs were judged in both orders, and how many of them another way in each."""
    verdicts: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        first, second = row["outcome"]["scores"]
        better = row["options"][0] if first > second else row["options"][1] if second > first else ""
        verdicts.setdefault((row["prompt"], *row["principles"], *sorted(row["options"])), []).append(better)
    both = [own for own in verdicts.values() if len(own) == 2]
    return len(both), sum(first != second for first, second in both)


def _chosen(run: Path, split: str) -> Iterator[int]:
    """1 where the chosen answer is the better one by the rule, -1 where it is the worse, 0 where neither is."""
    for row in parquet.read_table(run / "datasets" / "preference" / f"{split}.parquet").to_pylist():
        prompt = row["prompt"][-1]["content"]
        rule = _rule(everything()[prompt].kind)
        chosen, rejected = (rule(prompt, row[which][-1]["content"]) for which in ("chosen", "rejected"))
        yield (chosen > rejected) - (chosen < rejected)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def slips() -> str:
    """How often the judge that errs is wrong in a single verdict."""
    of_harm, of_questions = (f"{100 * slip(share):.1f} %" for share in (1.0, 0.9))
    return (
        f"By its noise, the judge of the labels is wrong in {of_harm} of single verdicts on a harmful and a harmless "
        f"answer, in {of_questions} of those on a true one and a bluff (where the principle that must hold leaves nine "
        f"tenths of the scale)."
    )


def slip(difference: float) -> float:
    """P(the careless judge takes the worse of two whose merits differ by so much, in (0, 1]).

    Two independent logistic noises differ by more than d scales with the probability ((d - 1) e^d + 1) / (e^d - 1)^2.
    """
    scales = SHARPNESS * difference / CHARACTERS["careless"].noise
    grown = math.exp(scales)
    return ((scales - 1) * grown + 1) / (grown - 1) ** 2


def overlap() -> str:
    """How many held-out prompts are another wording of a request or a question that was learned from."""
    rows = []
    trained, held_out = _asked("prompts"), _asked("held_out")
    for kind, said in KINDS.items():
        own = [subject(ask) for ask in held_out if ask.kind == kind]
        base = {subject(ask) for ask in asks(kind, "base")}
        ours = {subject(ask) for ask in trained if ask.kind == kind}
        counts = (len(own), sum(one in base for one in own), sum(one in ours for one in own))
        rows.append([said, *(str(count) for count in counts)])
    return table(
        ["asked about", "held out", "read by the base, reworded", "among the 400 training prompts, reworded"], rows
    )


def subject(ask: Ask) -> tuple[str, ...]:
    """What is asked, however it is worded: two prompts of one subject have the same good and bad answers."""
    return (*ask.good, *ask.bad)


def _asked(name: str) -> list[Ask]:
    return [everything()[row["prompt"]] for row in _lines(EXAMPLE / "data" / f"{name}.jsonl")]
