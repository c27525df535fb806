"""Turns MBPP's rows (text, test_list, test_setup_code) into prompts with one test shown and the others hidden.

    python examples/rlvr/prepare_mbpp.py hf://google-research-datasets/mbpp:train --to data/mbpp/train.jsonl

A file may be CSV, JSONL or Parquet. The test that is shown says what the function is called and how it is asked; code
that knows this one alone passes none of the others. Rows with one test are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from solon.data.tables import read_rows
from solon.errors import DataError, Problem

ASKED = "{text}\n\nYour code is tested like this:\n\n{shown}\n\nAnswer with the code in one ```python block."


def main() -> None:
    """Writes the prompts, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a file, a folder of them, or hf://org/name:split")
    parser.add_argument("--to", type=Path, required=True, help="the file to write")
    chosen = parser.parse_args()
    rows = list(prompts(chosen.source))
    chosen.to.parent.mkdir(parents=True, exist_ok=True)
    chosen.to.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{chosen.to}: {len(rows)} tasks")


def prompts(source: str) -> Iterator[dict[str, str]]:
    """The tasks with what is shown, and as ``reference`` the hidden tests as a JSON list, in its first text the set-up.

    Raises:
        DataError: a row lacks a column, or cannot be read.
    """
    for row in read_rows(source):
        if isinstance(row, Problem):
            raise DataError([row])
        text, tests = row.values.get("text"), row.values.get("test_list")
        if not isinstance(text, str) or not isinstance(tests, list):
            raise DataError([Problem(row.where, "has no text or no test_list", "MBPP's rows have both")])
        shown, *hidden = map(str, tests)
        if hidden:
            setup = row.values.get("test_setup_code") or ""
            yield {
                "prompt": ASKED.format(text=text, shown=shown),
                "reference": json.dumps([setup, *hidden] if setup else hidden),
            }


if __name__ == "__main__":
    main()
