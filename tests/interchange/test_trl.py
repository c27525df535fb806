"""TRL's own functions read what is written for it, and see each prompt and response as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from interchanged import asked, examples
from solon.data.records import Demonstration, Preference, Rating
from solon.interchange.converting import Converted

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def templated(converted: Converted, holding: str, tokenizer: Any) -> list[dict[str, Any]]:
    from datasets import load_dataset
    from trl.data_utils import is_conversational, maybe_apply_chat_template

    rows = load_dataset(converted.folder, holding)["train"]
    assert all(is_conversational(row) for row in rows)
    return [maybe_apply_chat_template(row, tokenizer) for row in rows]


def test_preferences(into: Callable[[str], Converted], tokenizer: Any):
    records = [one for one in examples("preference") if isinstance(one, Preference)]
    rows = templated(into("trl"), "preference", tokenizer)
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in rows] == [
        (asked(one), f"{one.chosen}<eos>", f"{one.rejected}<eos>") for one in records
    ]
    assert "margin" not in rows[0], "RewardTrainer would subtract it inside the loss"


def test_labelled_responses(into: Callable[[str], Converted], tokenizer: Any):
    records = [one for one in examples("unpaired") if isinstance(one, Rating)]
    rows = templated(into("trl"), "unpaired", tokenizer)
    assert [(row["prompt"], row["completion"], row["label"]) for row in rows] == [
        (asked(one), f"{one.completion}<eos>", one.desirable) for one in records
    ]


def test_demonstrations(into: Callable[[str], Converted], tokenizer: Any):
    records = [one for one in examples("sft") if isinstance(one, Demonstration)]
    rows = templated(into("trl"), "sft", tokenizer)
    assert [(row["prompt"], row["completion"]) for row in rows] == [
        (asked(one), f"{one.completion}<eos>") for one in records
    ]


def test_prompts_with_what_rewards_are_given(into: Callable[[str], Converted], tokenizer: Any):
    from datasets import load_dataset

    rows = templated(into("trl"), "prompts", tokenizer)
    assert [row["prompt"] for row in rows] == [asked(one) for one in examples("prompts")]
    assert load_dataset(into("trl").folder, "prompts")["train"]["reference"][:] == ["0", "1", "2", "3"]
