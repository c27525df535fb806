"""Answers to chosen prompts, kept side by side."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluating import CONSTITUTION, said
from solon.data.records import Completion, Prompt
from solon.errors import DataError
from solon.evaluation.base import Decoding, Evidence, Which
from solon.evaluation.qualitative import Qualitative


async def answers(which: Which, prompts: Sequence[Prompt], decoding: Decoding) -> list[Completion | None]:
    """The trained model has nothing to say of adversarial prompts."""
    return [
        None if which == "after" and prompt.topic == "adversarial" else said(f"{which} {decoding}: {prompt.text}")
        for prompt in prompts
    ]


async def test_twenty_prompts_in_three_groups_are_answered_by_both_models() -> None:
    """It measures nothing; what it keeps is for people."""
    kept: dict[str, Any] = {}
    facts = Evidence(constitution=CONSTITUTION, pairs={}, answers=answers, keep=kept.__setitem__)
    assert await Qualitative(decoding="greedy").evaluate(facts) == []
    rows = kept["qualitative"]
    assert Counter(row["group"] for row in rows) == {"simple questions": 7, "thought experiments": 6, "adversarial": 7}
    assert rows[0] == {
        "group": "simple questions",
        "prompt": "Why is the sky blue?",
        "before": "before greedy: Why is the sky blue?",
        "after": "after greedy: Why is the sky blue?",
    }
    assert rows[-1]["after"] is None


async def test_prompts_of_ones_own_take_their_place(tmp_path: Path) -> None:
    """Groups are topics; what the file holds decides whether it is done again, not where it lies."""
    kept: dict[str, Any] = {}
    for name in ("one.csv", "other.csv"):
        (tmp_path / name).write_text("prompt,topic\nWhere am I?,places\nAnd now?,\n")
    facts = Evidence(constitution=CONSTITUTION, pairs={}, answers=answers, keep=kept.__setitem__)
    measure = Qualitative(prompts=str(tmp_path / "one.csv"))
    await measure.evaluate(facts)
    assert [(row["group"], row["prompt"]) for row in kept["qualitative"]] == [
        ("places", "Where am I?"),
        ("prompts", "And now?"),
    ]
    assert measure.effects() == Qualitative(prompts=str(tmp_path / "other.csv")).effects()
    assert measure.effects() != Qualitative().effects()


def test_a_file_that_cannot_be_read_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    """By ``solon check``."""
    assert "none.csv" in Qualitative(prompts=str(tmp_path / "none.csv")).problems()[0]


async def test_without_the_models_it_says_so() -> None:
    """Evidence of answers alone is not enough."""
    with pytest.raises(DataError, match="not at hand"):
        await Qualitative().evaluate(Evidence(constitution=CONSTITUTION, pairs={}))
