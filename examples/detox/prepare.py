r"""Dialogues in DialogSum's columns (id, dialogue, summary, topic) become what the recipes read.

    python examples/detox/prepare.py train.csv --to data --held-out test.csv
    python examples/detox/prepare.py hf://knkarthick/dialogsum --to data \
        --template $'Summarize the following conversation.\n\n{dialogue}\n\nSummary:'

A file may be CSV, JSONL or Parquet. Dialogues of fewer than 200 or more than 1,000 characters are left out and counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from solon.data.tables import read_rows
from solon.errors import DataError, Problem

SHORTEST, LONGEST = 200, 1000
"""Characters of a dialogue that is kept."""
COLUMNS = ("id", "dialogue", "summary", "topic")


def main() -> None:
    """Writes ``sft/train.parquet``, ``prompts.parquet`` and, where asked for, ``held_out.parquet``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a file, a folder of them, or hf://org/name")
    parser.add_argument("--held-out", help="the same, to evaluate on")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--template", default="{dialogue}", help="how the policy is asked")
    parser.add_argument("--prompts", type=int, default=400, help="dialogues for PPO, the last ones, not fine-tuned on")
    chosen = parser.parse_args()
    dialogues = kept(chosen.source, chosen.template)
    if chosen.prompts >= len(dialogues):
        parser.error(f"--prompts {chosen.prompts} leaves nothing of {len(dialogues)} dialogues to fine-tune on")
    write_sft(dialogues[: -chosen.prompts], chosen.to / "sft" / "train.parquet")
    write_prompts(dialogues[-chosen.prompts :], chosen.to / "prompts.parquet")
    if chosen.held_out is not None:
        write_prompts(kept(chosen.held_out, chosen.template), chosen.to / "held_out.parquet")


def kept(source: str, template: str = "{dialogue}") -> list[dict[str, str]]:
    """The dialogues of a source that are neither too short nor too long, as the policy is to be asked about them.

    Raises:
        DataError: a row lacks a column, or cannot be read.
    """
    found, left_out = [], 0
    for row in read_rows(source):
        if isinstance(row, Problem):
            raise DataError([row])
        if missing := [name for name in COLUMNS if not isinstance(row.values.get(name), str)]:
            raise DataError([Problem(row.where, f"has no {' and no '.join(missing)}", "DialogSum's rows have all")])
        said: dict[str, Any] = {name: row.values[name] for name in COLUMNS}
        if SHORTEST <= len(said["dialogue"]) <= LONGEST:
            found.append({**said, "dialogue": template.format(dialogue=said["dialogue"])})
        else:
            left_out += 1
    print(f"{source}: {len(found)} dialogues, and {left_out} that are shorter than {SHORTEST} or longer than {LONGEST}")
    return found


def write_sft(dialogues: Sequence[dict[str, str]], path: Path) -> None:
    """What ``sft`` learns from."""
    columns = {"prompt": "dialogue", "completion": "summary", "topic": "topic"}
    _write(path, {name: [row[column] for row in dialogues] for name, column in columns.items()})


def write_prompts(dialogues: Sequence[dict[str, str]], path: Path) -> None:
    """What PPO is asked, or the evaluation; the columns keep DialogSum's names."""
    _write(path, {name: [row[name] for row in dialogues] for name in COLUMNS})


def _write(path: Path, columns: dict[str, list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, compression="zstd")


if __name__ == "__main__":
    main()
