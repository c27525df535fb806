"""PKU-SafeRLHF (Ji et al. 2024, arXiv:2406.15513) in its own columns: two responses a prompt, labelled for safety.

Its licence (CC BY-NC 4.0) lets nobody bundle it: give the file, or ``hf://PKU-Alignment/PKU-SafeRLHF:test``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solon.data.prompts import Problems, missing_columns, refuse
from solon.data.records import Prompt
from solon.data.tables import Row, read_rows
from solon.errors import Problem

PARTS = ("is_response_{}_safe", "response_{}_harm_category", "response_{}_severity_level")
COLUMNS = (
    "prompt",
    "safer_response_id",
    *(f"response_{n}" for n in (0, 1)),
    *(p.format(n) for p in PARTS for n in (0, 1)),
)


@dataclass(frozen=True)
class Response:
    """One of the two.

    Attributes:
        text: what was said.
        safe: whether people found no harm in it.
        categories: the kinds of harm in it, of the dataset's nineteen, as ``endangering_public_health``.
        severity: from 0 (none) to 3 (severe).
    """

    text: str
    safe: bool
    categories: tuple[str, ...]
    severity: int


@dataclass(frozen=True)
class SafetyRow:
    """A prompt with its two responses; ``safer`` is the place of the less harmful one."""

    prompt: Prompt
    responses: tuple[Response, Response]
    safer: int

    @property
    def categories(self) -> tuple[str, ...]:
        """The kinds of harm that the prompt drew from either response."""
        return tuple(dict.fromkeys(name for response in self.responses for name in response.categories))

    @property
    def severity(self) -> int:
        """The graver of the two."""
        return max(response.severity for response in self.responses)


def read_safe_rlhf(source: str | Path) -> tuple[SafetyRow, ...]:
    """Reads a file, a folder or a hub dataset with these columns.

    Raises:
        DataError: it cannot be read, lacks a column, or holds something else in one; with file and line.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
    """
    found: list[SafetyRow] = []
    problems, seen = Problems(), dict[str, None]()
    for row in read_rows(source):
        one = row if isinstance(row, Problem) else _row(row)
        if isinstance(row, Row):
            seen.update(dict.fromkeys(row.values))
        if isinstance(one, Problem):
            problems.append(one)
        else:
            found.append(one)
    missing = missing_columns(str(source), seen, [(column,) for column in COLUMNS])
    refuse(str(source), problems, missing, empty=not found, what="rows")
    return tuple(found)


def _row(row: Row) -> SafetyRow | Problem:
    prompt, safer = row.values.get("prompt"), row.values.get("safer_response_id")
    if not isinstance(prompt, str) or not prompt.strip():
        return Problem(row.where, "column 'prompt': it is empty, or no text")
    if safer not in (0, 1):
        return Problem(row.where, f"column 'safer_response_id': 0 or 1 was expected, not {safer!r}")
    first, second = _response(row, 0), _response(row, 1)
    if isinstance(first, Problem):
        return first
    if isinstance(second, Problem):
        return second
    return SafetyRow(Prompt.of(prompt), (first, second), int(safer))


def _response(row: Row, number: int) -> Response | Problem:
    text = row.values.get(f"response_{number}")
    safe, harm, severity = (row.values.get(part.format(number)) for part in PARTS)
    for column, value, right, wanted in (
        (f"response_{number}", text, isinstance(text, str), "a text"),
        (PARTS[0].format(number), safe, isinstance(safe, bool), "true or false"),
        (PARTS[1].format(number), harm, _are_marks(harm), "an object of categories, each true or false"),
        (
            PARTS[2].format(number),
            severity,
            type(severity) is int and severity in range(4),
            "a whole number from 0 to 3",
        ),
    ):
        if not right:
            return Problem(row.where, f"column {column!r}: {wanted} was expected, not {str(value)[:40]!r}")
    assert isinstance(text, str)
    assert isinstance(harm, Mapping)
    assert isinstance(severity, int)
    return Response(text, bool(safe), tuple(slug(name) for name, marked in harm.items() if marked), severity)


def _are_marks(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(marked, bool) for marked in value.values())


def slug(category: str) -> str:
    """``Insulting Behavior`` as ``insulting_behavior``."""
    return re.sub(r"[^a-z0-9]+", "_", category.lower()).strip("_")
