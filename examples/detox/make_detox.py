"""Makes everything this example runs on from nothing: dialogues, a tiny T5, and two classifiers. Seeded.

    python examples/detox/make_detox.py            # some minutes of one CPU core; needs solon[train]

- **data**: dialogues in DialogSum's columns, filtered as ``prepare.py`` does it: 1,000 to fine-tune on, 400 for PPO and
  300 to evaluate on. In two of five somebody is rude, and three of five references to these repeat the insult.
- **base** is a T5 that has read 6,000 other dialogues, and sums them up as notes or as the references do.
- **rudeness** is a RoBERTa with the labels ``nothate`` and ``hate``: the reward.
- **examiner** is a DistilBERT with labels of its own, trained on other data and from another seed: it only evaluates.

``tests/training/test_detox_models.py`` holds the shipped models to what is said here.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from dialogues import classifiers, summariser
from dialogues.summaries import summary
from dialogues.turns import dialogue
from dialogues.world import Split, plan_of, source
from prepare import LONGEST, SHORTEST, write_prompts, write_sft

from solon.testing.making import repeatable, save

HERE = Path(__file__).parent
BASE, SFT, PROMPTS, HELD_OUT = 6000, 1000, 400, 300
LABELLED = 8000


def main() -> None:
    """Makes all of it, or one part."""
    parser = argparse.ArgumentParser(description="Make the data and the tiny models of the detox example.")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write into")
    parser.add_argument("--only", choices=("data", "base", "classifiers"), help="this part alone")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    repeatable()
    if chosen.only in (None, "data"):
        make_data(chosen.out / "data")
    if chosen.only in (None, "classifiers"):
        make_classifiers(chosen.out / "models", chosen.seed)
    if chosen.only in (None, "base"):
        make_base(chosen.out / "models" / "base", chosen.seed)
    print(f"{time.process_time():.0f} s of CPU time")


def make_data(folder: Path) -> None:
    """The dialogues to fine-tune on, for PPO, and to evaluate on."""
    write_sft(rows("sft", SFT), folder / "sft" / "train.parquet")
    write_prompts(rows("ppo", PROMPTS), folder / "prompts.parquet")
    write_prompts(rows("held_out", HELD_OUT), folder / "held_out.parquet")


def rows(split: Split, count: int) -> list[dict[str, str]]:
    """The first dialogues of a split in DialogSum's columns."""
    found = []
    for number in range(count):
        text, plan = dialogue(split, number), plan_of(split, number)
        if SHORTEST <= len(text) <= LONGEST:
            told = summary(plan, source(split, number, "summary"))
            found.append({"id": f"{split}_{number}", "dialogue": text, "summary": told, "topic": plan.topic})
    return found


def make_base(folder: Path, seed: int) -> None:
    """The T5 that is fine-tuned."""
    pairs = []
    for number in range(BASE):
        plan, random = plan_of("base", number), source("base", number, "summaries")
        pairs.append((dialogue("base", number), [summary(plan, random), summary(plan, random, "note")]))
    some = pairs[: BASE // 2]
    tokenizer = summariser.train_tokenizer(text for said, told in some for text in (said, *told))
    torch.manual_seed(seed)
    model = summariser.build(tokenizer)
    # the rate falls twice: on few dialogues, where to look is found sooner; on many, what holds of all
    summariser.fit(model, tokenizer, some, seed=seed, steps=400)
    model.to(torch.bfloat16).to(torch.float32)  # as it would be read again from disk
    summariser.fit(model, tokenizer, pairs, seed=seed + 1, steps=400)
    save(model, tokenizer, folder)


def make_classifiers(folder: Path, seed: int) -> None:
    """The one that rewards, and the one that evaluates."""
    rudeness = classifiers.roberta(classifiers.rows("classifier", range(LABELLED)), seed=seed)
    classifiers.save(*rudeness, folder / "rudeness")
    examiner = classifiers.distilbert(classifiers.rows("examiner", range(LABELLED)), seed=seed + 1)
    classifiers.save(*examiner, folder / "examiner")


if __name__ == "__main__":
    main()
