"""Rows of every kind, as solon writes them, for the tests of interchange."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solon.data.layout import row
from solon.data.parquet import write_parquet
from solon.data.records import Demonstration, Message, Preference, Prompt, Provenance, Rating, Task
from solon.data.tables import Row, read_rows
from solon.data.tasks import row as task_row
from solon.interchange.layouts.solon import TARGETS
from solon.interchange.shapes import Example, Holding

ONE_TURN = (Message(role="user", content="Why is the sky blue?"),)
UNDER_A_SYSTEM = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Grüße, 世界 🌍\nund\ttabs"),
)
SEVERAL_TURNS = (
    Message(role="user", content="2 + 2?"),
    Message(role="assistant", content="4"),
    Message(role="user", content="And 3 + 3?"),
)
ALL = (ONE_TURN, UNDER_A_SYSTEM, SEVERAL_TURNS, (UNDER_A_SYSTEM[0], *SEVERAL_TURNS))
NESTED = '[{"role": "user"}] is \u2028 "JSON"'
ANSWERS = (("Light scatters.", "No idea."), ("Hallo — ja", NESTED), ("6", "7"), ("Six.", "Seven."))


def prompt(turns: Sequence[Message], topic: str | None = None) -> Prompt:
    return Prompt(messages=tuple(turns), topic=topic)


def origin(asked: Prompt) -> Provenance:
    return Provenance(prompt_id=asked.id, labelers=("pairwise:judge",), principles=("polite", "true"))


def examples(holding: Holding) -> list[Example]:
    """A row for each shape of prompt: one turn, under a system message, several turns, and both."""
    found: list[Example] = []
    for n, (turns, (better, worse)) in enumerate(zip(ALL, ANSWERS, strict=True)):
        asked = prompt(turns, "sums" if n > 1 else None)
        match holding:
            case "preference":
                found.append(
                    Preference(prompt=asked, chosen=better, rejected=worse, margin=n / 4, provenance=origin(asked))
                )
            case "unpaired" | "reward":
                found.append(
                    Rating(
                        prompt=asked,
                        completion=better if n % 2 else worse,
                        desirable=n % 2 == 1,
                        score=n / 4,
                        provenance=origin(asked),
                    )
                )
            case "sft":
                found.append(Demonstration(prompt=asked, completion=better, provenance=origin(asked)))
            case "prompts":
                asked = asked.model_copy(update={"reference": str(n)})
                found.append(Task(prompt=Prompt.model_validate(asked.model_dump()), principles=("polite",)))
    return found


def solon_row(record: Example) -> dict[str, Any]:
    return task_row(record) if isinstance(record, Task) else row(record)


def written(folder: Path, holding: Holding, records: Sequence[Example], split: str = "train") -> Path:
    """A folder of datasets as ``solon build`` leaves it."""
    path = folder / holding / f"{split}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, [solon_row(record) for record in records], TARGETS[holding].schema())
    return folder


def values(source: str | Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    found = list(read_rows(source))
    assert all(isinstance(one, Row) for one in found), found
    return [one.values for one in found if isinstance(one, Row)]


def said(rows: Sequence[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
    """Rows with these columns alone."""
    return [{column: one[column] for column in columns} for one in rows]


def asked(record: Example) -> str:
    """The prompt under the chat template, with the mark after which the assistant speaks."""
    turns = "".join(f"<|{turn.role}|>{turn.content}<eos>" for turn in record.prompt.messages)
    return f"{turns}<|assistant|>"


def messages(record: Example) -> list[dict[str, str]]:
    """The prompt as messages."""
    return [{"role": turn.role, "content": turn.content} for turn in record.prompt.messages]
