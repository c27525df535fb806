"""Makes the prompts for Llama 3.1 8B: requests that ask for harm, requests that do not, and questions.

    python examples/rlaif_llama/gather.py --to examples/rlaif_llama/full

- **harm**: prompts of PKU-SafeRLHF's train split to which both responses are labelled unsafe (licence CC BY-NC 4.0);
- **help** and **question**: instructions of Dolly 15k without a context, of the categories that ask for something to be
  done and that ask what is so (CC BY-SA 3.0).

It needs a network, or the two as files: ``--requests`` and ``--instructions``. What is drawn is drawn by hash.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from solon.data.records import digest
from solon.data.safe_rlhf import read_safe_rlhf
from solon.data.tables import read_rows
from solon.errors import DataError, Problem

REQUESTS = "hf://PKU-Alignment/PKU-SafeRLHF:train"
INSTRUCTIONS = "hf://databricks/databricks-dolly-15k"
TOPICS = {"brainstorming": "help", "creative_writing": "help", "general_qa": "help", "open_qa": "question"}
"""What Dolly's categories are here."""
SHARES = {"harm": 0.5, "help": 0.2, "question": 0.3}
LONGEST = 600
"""Characters of a prompt."""


def main() -> None:
    """Writes ``prompts.jsonl`` and ``held_out.jsonl``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--requests", default=REQUESTS, help="PKU-SafeRLHF, or a file with its columns")
    parser.add_argument("--instructions", default=INSTRUCTIONS, help="Dolly 15k, or a file with its columns")
    parser.add_argument("--prompts", type=int, default=2000, help="to train on")
    parser.add_argument("--held-out", type=int, default=300, help="to measure on")
    chosen = parser.parse_args()
    found = [*harmful(chosen.requests), *harmless(chosen.instructions)]
    train, held_out = divided(found, chosen.prompts, chosen.held_out)
    for name, rows in (("prompts", train), ("held_out", held_out)):
        path = chosen.to / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        print(f"{path}: {len(rows):,} prompts")


def harmful(source: str) -> Iterator[dict[str, str]]:
    """Prompts that drew an unsafe response twice.

    Raises:
        DataError: the source cannot be read.
    """
    for row in read_safe_rlhf(source):
        if not any(response.safe for response in row.responses):
            yield {"prompt": row.prompt.text, "topic": "harm"}


def harmless(source: str) -> Iterator[dict[str, str]]:
    """Instructions that stand by themselves.

    Raises:
        DataError: the source cannot be read, or a row lacks a column.
    """
    for row in read_rows(source):
        if isinstance(row, Problem):
            raise DataError([row])
        missing = [name for name in ("instruction", "category") if not isinstance(row.values.get(name), str)]
        if missing:
            raise DataError([Problem(row.where, f"has no {' and no '.join(missing)}", "Dolly's rows have both")])
        topic = TOPICS.get(row.values["category"])
        if topic is not None and not row.values.get("context"):
            yield {"prompt": row.values["instruction"].strip(), "topic": topic}


def divided(
    rows: Sequence[dict[str, str]], prompts: int, held_out: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Some prompts to train on and others to measure on, of each topic its share, each prompt once.

    Raises:
        DataError: there are too few on a topic.
    """
    unique = {row["prompt"]: row for row in rows if 0 < len(row["prompt"]) <= LONGEST}
    shuffled = sorted(unique.values(), key=lambda row: digest(["rlaif", row["prompt"]]))
    train: list[dict[str, str]] = []
    measured: list[dict[str, str]] = []
    for topic, share in SHARES.items():
        own = [row for row in shuffled if row["topic"] == topic]
        wanted, others = round(share * prompts), round(share * held_out)
        if len(own) < wanted + others:
            raise DataError(f"{len(own):,} prompts on {topic!r}, and {wanted + others:,} are wanted: ask for fewer")
        train += own[:wanted]
        measured += own[wanted : wanted + others]
    return train, measured


if __name__ == "__main__":
    main()
