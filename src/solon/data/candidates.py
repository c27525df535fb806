"""Existing prompts with their responses: a recipe may begin here, with ``candidates:`` in place of ``sample:``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from solon.data.artifacts import validation_problems
from solon.data.prompts import PromptColumns, missing_columns, no_column, prompt_of, refuse
from solon.data.records import Candidates, Completion, Prompt
from solon.data.tables import Row, read_rows
from solon.errors import Problem


class CandidateColumns(PromptColumns):
    """Which columns hold what.

    Attributes:
        responses: the columns with the responses, one or several; each holds a text or a list of texts. Of the two by
            default, those that exist are read; columns that a recipe names must all exist.
        model: what wrote the responses, if a column says so.
    """

    responses: tuple[str, ...] = ("responses", "response")
    model: str = "model"

    @field_validator("responses", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def named(self) -> tuple[str, ...]:
        """The other columns that must exist because the recipe names them."""
        responses = self.responses if "responses" in self.model_fields_set else ()
        return (*super().named, *responses, *((self.model,) if "model" in self.model_fields_set else ()))


@dataclass(frozen=True)
class CandidateSet:
    """What was read, prompts in the order of their first row, and how many repeated responses were dropped."""

    candidates: tuple[Candidates, ...]
    duplicates: int


def read_candidates(source: str | Path, columns: CandidateColumns = CandidateColumns()) -> CandidateSet:
    """Reads prompts with responses: one row a prompt with several responses, several rows a prompt, or both.

    A ``candidates.jsonl`` of another run is read as it is. Where a model gave the same response to a prompt twice, the
    first is kept. An empty cell counts as a response that is missing.

    Raises:
        DataError: what was given cannot be read as candidates, or holds none; all problems, each with file and line.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
    """
    found: dict[Prompt, list[Completion]] = {}
    missing: dict[Prompt, int] = {}
    problems: list[Problem] = []
    seen: dict[str, None] = {}
    ours = False
    for row in read_rows(source):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        seen.update(dict.fromkeys(row.values))
        ours = ours or _is_ours(row.values)
        candidates = _candidates_of(row, columns)
        if isinstance(candidates, Problem):
            problems.append(candidates)
            continue
        found.setdefault(candidates.prompt, []).extend(candidates.completions)
        missing[candidates.prompt] = missing.get(candidates.prompt, 0) + candidates.missing
    wanted: list[tuple[str, ...]] = [columns.conversation, *((name,) for name in columns.named)]
    if "responses" not in columns.model_fields_set:
        wanted.append(columns.responses)
    absent = [] if ours else missing_columns(str(source), seen, wanted)
    refuse(str(source), problems, absent, empty=not found, what="candidates")
    unique = {prompt: tuple(dict.fromkeys(completions)) for prompt, completions in found.items()}
    return CandidateSet(
        tuple(Candidates(prompt=prompt, completions=unique[prompt], missing=missing[prompt]) for prompt in unique),
        duplicates=sum(len(found[prompt]) - len(unique[prompt]) for prompt in unique),
    )


def _is_ours(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get("prompt"), dict) and "completions" in values


def _candidates_of(row: Row, columns: CandidateColumns) -> Candidates | Problem:
    if _is_ours(row.values):
        try:
            return Candidates.model_validate(row.values)
        except ValidationError as error:
            return validation_problems(row.where, "Candidates", error)[0]
    prompt = prompt_of(row, columns)
    if isinstance(prompt, Problem):
        return prompt
    present = [name for name in columns.responses if name in row.values]
    if not present:
        return no_column(row.where, columns.responses, row.values)
    model = row.values.get(columns.model)
    completions: list[Completion] = []
    missing = 0
    for name in present:
        value = row.values[name]
        for text in value if isinstance(value, list) else [value]:
            if text is None:
                missing += 1
            elif isinstance(text, str):
                completions.append(Completion(text=text, model="given" if model is None else str(model)))
            else:
                return Problem(row.where, f"column {name!r}: a response is a text, or there is a list of texts")
    if not completions:
        return Problem(row.where, "there is no response to the prompt")
    return Candidates(prompt=prompt, completions=tuple(completions), missing=missing)
