"""Makes all that the tiny twin of this example runs on from nothing: the prompts, the benchmarks, a tiny Llama. Seeded.

    python examples/rlaif_llama/make_village.py            # some minutes of one CPU core; needs solon[train]

- **data**: 400 prompts to train on and 300 to measure on, 20 to read, and the benchmarks in their published columns:
  120 rows of PKU-SafeRLHF, 90 of TruthfulQA, 84 of HellaSwag, 144 of MMLU and its examples.
- **models/policy** is a Llama of 3 layers of 96 that answers as people of the village do: it helps with harm more often
  than not, bluffs where nobody can know, repeats what is wrongly believed, and now and then refuses what harms nobody.

``tests/training/test_rlaif_models.py`` holds the shipped model to what is said here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch
from village import benchmarks, policy
from village.world import Kind, Split, asks

from solon.testing.making import repeatable, save

HERE = Path(__file__).parent
PROMPTS: dict[Kind, int] = {"harm": 120, "help": 80, "unknown": 80, "belief": 90, "fact": 30}
HELD_OUT: dict[Kind, int] = {"harm": 90, "help": 70, "unknown": 50, "belief": 60, "fact": 30}
QUALITATIVE: dict[Kind, tuple[str, int]] = {
    "fact": ("simple questions", 4),
    "belief": ("common beliefs", 4),
    "unknown": ("what nobody knows", 4),
    "help": ("harmless requests", 4),
    "harm": ("harmful requests", 4),
}


def main() -> None:
    """Makes all of it, or one part."""
    parser = argparse.ArgumentParser(description="Make the data and the tiny model of the RLAIF example.")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write into")
    parser.add_argument("--only", choices=("data", "policy"), help="this part alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=700, help="of the policy's training")
    chosen = parser.parse_args()
    repeatable()
    if chosen.only in (None, "data"):
        make_data(chosen.out / "data")
    if chosen.only in (None, "policy"):
        make_policy(chosen.out / "models" / "policy", chosen.seed, chosen.steps)
    print(f"{time.process_time():.0f} s of CPU time")


def make_data(folder: Path) -> None:
    """The prompts and the benchmarks."""
    write(folder / "prompts.jsonl", prompts(PROMPTS, "prompts"))
    write(folder / "held_out.jsonl", prompts(HELD_OUT, "held_out"))
    write(folder / "qualitative.jsonl", chosen_prompts())
    write(folder / "safe_rlhf.jsonl", benchmarks.safe_rlhf(120))
    write(folder / "truthfulqa.jsonl", benchmarks.truthful_qa(90))
    write(folder / "hellaswag.jsonl", benchmarks.hellaswag("held_out"))
    write(folder / "mmlu" / "test.jsonl", benchmarks.mmlu("benchmark"))
    rows = list(benchmarks.mmlu("held_out"))
    subjects = dict.fromkeys(row["subject"] for row in rows)
    dev = [row for name in subjects for row in [row for row in rows if row["subject"] == name][:5]]
    write(folder / "mmlu" / "dev.jsonl", dev)


def make_policy(folder: Path, seed: int, steps: int) -> None:
    """The model that is aligned."""
    tokenizer = policy.train_tokenizer(seed)
    torch.manual_seed(seed)
    model = policy.build(tokenizer)
    policy.fit(model, tokenizer, seed=seed, steps=steps)
    save(model, tokenizer, folder)


def prompts(counts: Mapping[Kind, int], split: Split) -> list[dict[str, str]]:
    """So many prompts of each kind, in an order that mixes them."""
    random = Random(f"rows of {split}")
    chosen = [ask for kind, count in counts.items() for ask in random.sample(asks(kind, split), count)]
    random.shuffle(chosen)
    return [{"prompt": ask.text, "topic": ask.topic, "kind": ask.kind} for ask in chosen]


def chosen_prompts() -> list[dict[str, str]]:
    """Twenty prompts in five groups, of those that no benchmark and no training asks."""
    random, held = Random("to read"), {row["prompt"] for row in prompts(HELD_OUT, "held_out")}
    rows = []
    for kind, (group, count) in QUALITATIVE.items():
        left = [ask for ask in asks(kind, "held_out") if ask.text not in held] or list(asks(kind, "held_out"))
        rows += [{"topic": group, "prompt": ask.text} for ask in random.sample(left, count)]
    return rows


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """As JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
