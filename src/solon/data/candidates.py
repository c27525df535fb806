"""Existing prompts with their responses: a recipe may begin here, with ``candidates:`` in place of ``sample:``.

The rows are read once, all problems are found, and what was read waits, gathered by prompt; so there may be any number
of rows, and those of one prompt may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from pydantic import ValidationError, field_validator

from solon.data.artifacts import validation_problems
from solon.data.gathering import Gathering
from solon.data.prompts import (
    Problems,
    PromptColumns,
    missing_columns,
    no_column,
    prompt_from,
    prompt_of,
    refuse,
    turns,
)
from solon.data.records import Candidates, Completion, Message, Prompt
from solon.data.responses import Response, last_turn, responses_in
from solon.data.tables import Row, read_rows
from solon.errors import Problem

_USUAL = (("responses", "response"), ("completions", "completion"), ("chosen", "rejected"))


class CandidateColumns(PromptColumns):
    """Which columns hold what.

    Attributes:
        responses: the columns with the responses, one or several. When left out: ``responses`` and ``response``, where
            a row has one of them; else ``completions`` and ``completion``; else ``chosen`` and ``rejected``; else the
            last turn of a conversation that ends with the assistant. Columns that a recipe names must all exist.
        model: what wrote the responses, if a column says so.
    """

    responses: tuple[str, ...] = ()
    model: str = "model"

    @field_validator("responses", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def named(self) -> tuple[str, ...]:
        """The other columns that must exist because the recipe names them."""
        return (*super().named, *self.responses, *((self.model,) if "model" in self.model_fields_set else ()))

    def of_responses(self, values: Mapping[str, Any]) -> list[str]:
        """The columns of a row that hold responses."""
        for columns in (self.responses,) if self.responses else _USUAL:
            if present := [name for name in columns if name in values]:
                return present
        return []


class CandidateSet:
    """Prompts with their responses, in the order of their first rows; its length is how many prompts there are.

    May be read any number of times. What is held is bounded, however many there are.

    Attributes:
        duplicates: how many repeated responses the last reading has dropped.
    """

    def __init__(self, gathered: Gathering) -> None:
        self._gathered = gathered
        self.duplicates = 0

    def __len__(self) -> int:
        return len(self._gathered)

    def __iter__(self) -> Iterator[Candidates]:
        self.duplicates = 0
        for parts in self._gathered:
            given = [completion for part in parts for completion in part.completions]
            if len(parts) == 1 and len({completion.text for completion in given}) == len(given):
                yield parts[0]  # different texts are different completions, whatever their ids
                continue
            unique = tuple(dict.fromkeys(given))
            self.duplicates += len(given) - len(unique)
            missing = sum(part.missing for part in parts)
            yield Candidates(prompt=parts[0].prompt, completions=unique, missing=missing)


@contextmanager
def reading_candidates(
    source: str | Path, columns: CandidateColumns = CandidateColumns(), *, index: Path | None = None
) -> Iterator[CandidateSet]:
    """Reads prompts with responses: one row a prompt with several responses, several rows a prompt, or both.

    A ``candidates.jsonl`` of another run is read as it is. Where a model gave the same response to a prompt twice, the
    first is kept. An empty cell counts as a response that is missing.

    Args:
        source: a file, a folder or ``hf://``, as ``solon.data.tables`` reads them.
        columns: which column holds what.
        index: where the rows wait until the block ends; the system's temporary folder when left out.

    Raises:
        DataError: what was given cannot be read as candidates, or holds none; all problems, each with file and line, up
            to ``MOST_PROBLEMS``.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
        StorageError: the disk is full.
    """
    if index is None:
        with TemporaryDirectory(prefix="solon-") as folder, _gathered(source, columns, Path(folder) / "rows") as found:
            yield found
    else:
        with _gathered(source, columns, index) as found:
            yield found


@contextmanager
def _gathered(source: str | Path, columns: CandidateColumns, index: Path) -> Iterator[CandidateSet]:
    problems = Problems()
    seen: dict[str, None] = {}
    ours = False
    with Gathering.open(index) as gathered:
        for row in read_rows(source):
            if isinstance(row, Problem):
                problems.append(row)
                continue
            seen.update(dict.fromkeys(row.values))
            ours = ours or _is_ours(row.values)
            candidates = candidates_of(row, columns)
            if isinstance(candidates, Problem):
                problems.append(candidates)
            else:
                gathered.add(candidates)
        wanted: list[tuple[str, ...]] = [(name,) for name in columns.named]
        if not len(gathered):
            wanted = [columns.conversation, *wanted]
            if not columns.responses and not columns.of_responses(seen):
                wanted.append(_USUAL[0])
        absent = [] if ours else missing_columns(str(source), seen, wanted)
        refuse(str(source), problems, absent, empty=not len(gathered), what="candidates")
        yield CandidateSet(gathered)


# ---------------------------------------------------------------- one row


def _is_ours(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get("prompt"), dict) and "completions" in values


def candidates_of(row: Row, columns: CandidateColumns) -> Candidates | Problem:
    """The prompt and the responses in a row, or what is wrong with it."""
    if _is_ours(row.values):
        try:
            return Candidates.model_validate(row.values)
        except ValidationError as error:
            return validation_problems(row.where, "Candidates", error)[0]
    present = columns.of_responses(row.values)
    found = _in_columns(row, columns, present) if present else _at_the_end(row, columns)
    if isinstance(found, Problem):
        return found
    prompt, responses = found
    given = [response for response in responses if response is not None]
    if not given:
        return Problem(row.where, "there is no response to the prompt")
    if any(response.before and response.before != prompt.messages for response in given):
        return Problem(row.where, "a response stands in a conversation other than that of the prompt")
    model = row.values.get(columns.model)
    written_by = "given" if model is None else str(model)
    completions = tuple([Completion(text=each.text, model=each.model or written_by) for each in given])
    return Candidates(prompt=prompt, completions=completions, missing=len(responses) - len(given))


_Found: TypeAlias = tuple[Prompt, list[Response | None]]


def _in_columns(row: Row, columns: CandidateColumns, present: list[str]) -> _Found | Problem:
    """Responses in columns of their own. Without a prompt column, the prompt is what all of them answer."""
    responses: list[Response | None] = []
    for name in present:
        cell = responses_in(row.values[name])
        if isinstance(cell, str):
            return Problem(row.where, f"column {name!r}: {cell}")
        responses += cell
    prompt = None
    if columns.present(row) is None and not columns.names_the_prompt:
        answered = {response.before for response in responses if response is not None}
        if len(answered) == 1 and () not in answered:
            prompt = _prompt(answered.pop(), row, columns, present[0])
    if prompt is None:
        prompt = prompt_of(row, columns)
    return prompt if isinstance(prompt, Problem) else (prompt, responses)


def _at_the_end(row: Row, columns: CandidateColumns) -> _Found | Problem:
    """A conversation that ends with the response."""
    column = columns.present(row)
    said = "" if column is None else turns(row.values[column])
    if column is None or isinstance(said, str) or columns.responses or len(said) < 2 or said[-1].role != "assistant":
        prompt = prompt_of(row, columns)  # its problem, if it has one, is told first
        wanted = columns.responses or _USUAL[0]
        return prompt if isinstance(prompt, Problem) else no_column(row.where, wanted, row.values)
    response = last_turn(said)
    prompt = _prompt(response.before, row, columns, column)
    return prompt if isinstance(prompt, Problem) else (prompt, [response])


def _prompt(said: tuple[Message, ...], row: Row, columns: CandidateColumns, column: str) -> Prompt | Problem:
    if said[-1].role != "user":
        what = f"what the response answers ends with {said[-1].role!r}, and not with the user"
        return Problem(row.where, f"column {column!r}: {what}")
    return prompt_from(said, row, columns, column)
