"""A response in several messages: those before the last belong to the prompt, and none is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interchanged import values
from solon.interchange.converting import Converted, convert

ASKED = {"role": "user", "content": "2 + 2?"}
FOUR = {"role": "assistant", "content": "4"}
AGAIN = {"role": "user", "content": "And 3 + 3?"}
SIX, SEVEN = {"role": "assistant", "content": "6"}, {"role": "assistant", "content": "7"}
ORIGIN = {"topic": None, "prompt_id": None, "principles": [], "labelers": []}


def converted(folder: Path, *rows: dict[str, Any]) -> Converted:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return convert(folder / "rows.jsonl", "solon", folder / "out")


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("sft", {"prompt": [ASKED], "completion": [FOUR, AGAIN, SIX]}),
        ("unpaired", {"prompt": [ASKED], "completion": [FOUR, AGAIN, SIX], "label": True}),
        ("preference", {"prompt": [ASKED], "chosen": [FOUR, AGAIN, SIX], "rejected": [FOUR, AGAIN, SEVEN]}),
    ],
)
def test_turns_before_the_response_go_to_the_prompt(tmp_path: Path, kind: str, row: dict[str, Any]):
    """The answer to the second question, and not to the first; counted, as only the last is learned from."""
    done = converted(tmp_path, row)
    assert (done.files, done.notes) == ({f"{kind}/train.parquet": 1}, {"earlier_turns": 1})
    (found,) = values(tmp_path / "out" / kind / "train.parquet")
    assert found["prompt"] == [ASKED, FOUR, AGAIN]
    assert found.get("completion", found.get("chosen")) == [SIX]
    assert found.get("rejected", [SEVEN]) == [SEVEN]


def test_in_solon_s_own_layout_too(tmp_path: Path):
    row = {"prompt": [ASKED], "chosen": [FOUR, AGAIN, SIX], "rejected": [FOUR, AGAIN, SEVEN], "label_margin": 0.5}
    assert converted(tmp_path, {**row, **ORIGIN}).read_as == {"preference": ["solon"]}
    (found,) = values(tmp_path / "out" / "preference" / "train.parquet")
    assert (found["prompt"], found["chosen"]) == ([ASKED, FOUR, AGAIN], [SIX])


@pytest.mark.parametrize(
    ("reason", "row"),
    [
        ("other_prompt", {"prompt": [ASKED], "chosen": [FOUR, AGAIN, SIX], "rejected": [SEVEN]}),
        ("other_prompt", {"prompt": [ASKED], "chosen": [FOUR, AGAIN, SIX], "rejected": [SEVEN, AGAIN, SEVEN]}),
        ("restated", {"prompt": [ASKED], "completion": [ASKED, FOUR]}),
    ],
    ids=["on one side", "different ones", "the prompt again"],
)
def test_turns_that_are_no_continuation_are_left_out_for_their_reason(tmp_path: Path, reason: str, row: dict[str, Any]):
    """A prompt said twice is nobody's conversation, and responses to different ones are no pair."""
    good = {name: [FOUR] if name != "prompt" else value for name, value in row.items()}
    done = converted(tmp_path, good, row)
    (reasons,) = done.dropped.values()
    assert (reasons, sum(done.files.values())) == ({reason: 1}, 1)
