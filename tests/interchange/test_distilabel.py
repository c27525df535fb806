"""distilabel's own steps read what is written for it, and what they write is read."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from interchanged import ONE_TURN, examples, messages, said, values
from solon.data.artifacts import write_json
from solon.data.records import Demonstration, Preference
from solon.interchange.converting import Converted, convert

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(
        find_spec("distilabel") is None, reason="distilabel is not installed: see `make interchange-tests`"
    ),
]


def batch(converted: Converted, holding: str) -> list[dict[str, Any]]:
    """The first batch of the step that the printed code makes."""
    code = converted.needs.removeprefix("```python\n").removesuffix("\n```")
    made: dict[str, Any] = {}
    exec(code, made)  # the code that a user is told to write
    step = made[holding]
    step.load()
    rows, last = next(step.process())
    assert last
    return list(rows)


def test_preferences_are_what_its_own_step_writes(into: Callable[[str], Converted]):
    """Byte for byte ``FormatChatGenerationDPO`` of the same conversation and the two responses with ratings."""
    from distilabel.steps import FormatChatGenerationDPO

    rows = batch(into("distilabel"), "preference")
    records = [one for one in examples("preference") if isinstance(one, Preference)]
    raw = [{"messages": messages(one), "generations": [one.rejected, one.chosen], "ratings": [1, 2]} for one in records]
    step = FormatChatGenerationDPO()
    step.load()
    theirs = next(step.process(raw))
    columns = ("prompt", "prompt_id", "chosen", "rejected")
    assert said(rows, *columns) == said(theirs, *columns)


def test_demonstrations_are_what_its_own_step_writes(into: Callable[[str], Converted]):
    from distilabel.steps import FormatChatGenerationSFT

    rows = batch(into("distilabel"), "sft")
    records = [one for one in examples("sft") if isinstance(one, Demonstration)]
    step = FormatChatGenerationSFT()
    step.load()
    theirs = next(step.process([{"messages": messages(one), "generation": one.completion} for one in records]))
    assert said(rows, "prompt", "prompt_id", "messages") == said(theirs, "prompt", "prompt_id", "messages")


def test_prompts_are_what_its_chat_generation_reads(into: Callable[[str], Converted]):
    rows = batch(into("distilabel"), "prompts")
    assert [row["messages"] for row in rows] == [messages(one) for one in examples("prompts")]


def test_its_rated_generations_are_read_as_its_own_step_reads_them(tmp_path: Path):
    """Best against worst, the first of equals: of ratings 3, 5, 5, 1 the second against the fourth."""
    from distilabel.steps import FormatTextGenerationDPO

    raw = {
        "instruction": ONE_TURN[0].content,
        "system_prompt": "Be brief.",
        "generations": ["a", "b", "c", "d"],
        "ratings": [3, 5, 5, 1],
    }
    write_json(tmp_path / "rated.json", [raw])
    convert(tmp_path / "rated.json", "distilabel", tmp_path / "ours")
    step = FormatTextGenerationDPO()
    step.load()
    theirs = next(step.process([raw]))
    columns = ("prompt", "prompt_id", "chosen", "rejected")
    assert said(values(tmp_path / "ours" / "preference" / "train.parquet"), *columns) == said(theirs, *columns)
