"""Prompts as users have them: a text or a conversation a row, in any file that ``solon.data.tables`` reads.

Every problem is found before anything is spent, and each is named with its file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import model_validator

from solon.data.artifacts import is_text, why_not_json
from solon.data.records import Message, Prompt
from solon.data.tables import Row, read_rows
from solon.errors import DataError, Problem
from solon.plugins.base import Settings

MOST_PROBLEMS = 20
"""Problems of one file that are listed; the rest are counted."""

_ROLES = get_args(Message.model_fields["role"].annotation)


class PromptColumns(Settings):
    """Which columns hold what. Columns that are named in a recipe must exist; the others are read where they do.

    Attributes:
        prompt: the prompt as a text, or as a list of messages with ``role`` and ``content``.
        messages: the same, looked at when there is no ``prompt`` column. Name one of the two at most.
        topic: what the prompt is about, for principles that apply to some topics only.
        reference: the right answer. Judges never see it.
    """

    prompt: str = "prompt"
    messages: str = "messages"
    topic: str = "topic"
    reference: str = "reference"

    @model_validator(mode="after")
    def _one_conversation(self) -> Self:
        if {"prompt", "messages"} <= self.model_fields_set:
            raise ValueError("name one of prompt and messages: either column can hold a text or a conversation")
        return self

    @property
    def conversation(self) -> tuple[str, ...]:
        """The columns that may hold the prompt, the first that exists being the one."""
        if "prompt" in self.model_fields_set:
            return (self.prompt,)
        if "messages" in self.model_fields_set:
            return (self.messages,)
        return (self.prompt, self.messages)

    @property
    def names_the_prompt(self) -> bool:
        """Whether the recipe says which column holds it."""
        return bool({"prompt", "messages"} & self.model_fields_set)

    def present(self, row: Row) -> str | None:
        """The column of this row that holds the prompt, if there is one."""
        for name in self.conversation:
            if name in row.values:
                return name
        return None

    @property
    def named(self) -> tuple[str, ...]:
        """The other columns that must exist because the recipe names them."""
        return tuple(getattr(self, field) for field in ("topic", "reference") if field in self.model_fields_set)


@dataclass(frozen=True)
class Prompts:
    """What was read: the prompts in their order, and how many exact duplicates of an earlier one were dropped."""

    prompts: tuple[Prompt, ...]
    duplicates: int


def read_prompts(source: str | Path, columns: PromptColumns = PromptColumns()) -> Prompts:
    """Reads the prompts of a file, a folder or a dataset on the hub; of exact duplicates the first is kept.

    Raises:
        DataError: what was given cannot be read as prompts, or holds none; all problems up to ``MOST_PROBLEMS``, each
            with its file and line.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
    """
    found: list[Prompt] = []
    problems = Problems()
    seen: dict[str, None] = {}
    for row in read_rows(source):
        prompt = row if isinstance(row, Problem) else prompt_of(row, columns)
        if isinstance(row, Row):
            seen.update(dict.fromkeys(row.values))
        if isinstance(prompt, Problem):
            problems.append(prompt)
        else:
            found.append(prompt)
    wanted = [columns.conversation, *((name,) for name in columns.named)]
    refuse(str(source), problems, missing_columns(str(source), seen, wanted), empty=not found, what="prompts")
    unique = tuple(dict.fromkeys(found))
    return Prompts(unique, duplicates=len(found) - len(unique))


# ---------------------------------------------------------------- one row


def prompt_of(row: Row, columns: PromptColumns) -> Prompt | Problem:
    """The prompt in a row, or what is wrong with it."""
    column = columns.present(row)
    if column is None:
        return no_column(row.where, columns.conversation, row.values)
    said = turns(row.values[column])
    if isinstance(said, str):
        return Problem(row.where, f"column {column!r}: {said}")
    if said[-1].role != "user":
        what = f"the last message is from {said[-1].role!r}: leave out what follows the user's last"
        return Problem(row.where, f"column {column!r}: {what}")
    return prompt_from(said, row, columns, column)


def prompt_from(said: tuple[Message, ...], row: Row, columns: PromptColumns, column: str) -> Prompt | Problem:
    """A conversation that stands in a column of a row, with the row's topic and reference answer."""
    if not all(is_text(message.content) for message in said):
        return Problem(
            row.where, f"column {column!r}: the text holds half of a surrogate pair, which no tokenizer reads"
        )
    details = {}
    for field in ("topic", "reference"):
        name = getattr(columns, field)
        value = row.values.get(name)
        if value is None or value == "":  # an empty cell says that there is none
            continue
        if isinstance(value, bool | list | dict):
            return Problem(
                row.where,
                f"column {name!r}: a {field} is a text or a number, not {json.dumps(value, default=str)[:40]}",
            )
        details[field] = str(value)
    return Prompt(messages=said, **details)


def turns(value: Any) -> tuple[Message, ...] | str:
    """The conversation in a cell, which may end with any role; a text says what is wrong with it."""
    if value is None:
        return "the prompt is empty"
    if isinstance(value, str) and value.lstrip().startswith('[{"role"'):
        # a conversation in a CSV cell; nobody asks that of a model in earnest
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            return f"looks like a conversation, and is not valid JSON at character {error.pos + 1}: {error.msg}"
        except (ValueError, RecursionError) as error:
            return f"looks like a conversation, and is {why_not_json(error)}"
    if isinstance(value, str):
        return (Message(role="user", content=value),) if value.strip() else "the prompt is empty"
    if not isinstance(value, list):
        return "a prompt is a text, or a list of messages with role and content"
    found: list[Message] = []
    for number, turn in enumerate(value, 1):
        message = _message(turn)
        if isinstance(message, str):
            return f"message {number}: {message}"
        found.append(message)
    return tuple(found) or "the prompt is empty"


def _message(turn: Any) -> Message | str:
    if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
        return "it needs role and content"
    role, content = turn["role"], turn["content"]
    if role not in _ROLES:
        return f"role {role!r} is unknown: it is one of {', '.join(_ROLES)}"
    if not isinstance(content, str):
        return "its content is not a text"
    if not content.strip() and role != "assistant":  # models do say nothing
        return "its content is empty"
    if more := [key for key, item in turn.items() if key not in {"role", "content"} and item is not None]:
        return f"{more[0]!r} is not supported: a message has role and content"
    return Message(role=role, content=content)


# ---------------------------------------------------------------- all problems at once


class Problems:
    """Problems as they are found: the first ``MOST_PROBLEMS`` of them, and how many there are."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self._count = 0

    def append(self, problem: Problem) -> None:
        """One more."""
        self._count += 1
        if len(self.first) < MOST_PROBLEMS:
            self.first.append(problem)

    def __len__(self) -> int:
        return self._count


def no_column(where: str, wanted: Sequence[str], present: Iterable[str]) -> Problem:
    """Says which column is missing, which one may be meant, and which there are."""
    names = list(present)
    near = next((close[0] for name in wanted if (close := get_close_matches(name, names, n=1))), None)
    what = f"there is no column {' or '.join(repr(name) for name in wanted)}"
    shown = ", ".join(repr(name) for name in names[:12]) or "none"
    return Problem(where, what, (f"did you mean {near!r}? " if near else "") + f"columns: {shown}")


def missing_columns(where: str, seen: Iterable[str], wanted: Iterable[Sequence[str]]) -> list[Problem]:
    """One problem for each column (with its alternatives) that no row has."""
    names = list(seen)
    missing = [alternatives for alternatives in wanted if names and not set(alternatives) & set(names)]
    return [no_column(where, alternatives, names) for alternatives in missing]


def refuse(
    where: str, problems: Sequence[Problem] | Problems, missing: Sequence[Problem], *, empty: bool, what: str
) -> None:
    """Raises if anything is wrong. A column that no row has is one problem, not one a row.

    Raises:
        DataError: with every problem, up to ``MOST_PROBLEMS``.
    """
    if missing:
        raise DataError(missing)
    first = (problems.first if isinstance(problems, Problems) else problems)[:MOST_PROBLEMS]
    if rest := len(problems) - len(first):
        raise DataError([*first, Problem(where, f"and {rest} more problem{'s' * (rest > 1)}")])
    if first:
        raise DataError(first)
    if empty:
        raise DataError([Problem(where, f"there are no {what} in it")])
