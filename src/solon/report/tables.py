"""Small tables of text beside the facts: the same in HTML and in Markdown. A terminal shows the facts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from solon.data.records import canonical
from solon.report.labeled import Share
from solon.report.text import one_line, shorten_paths

MOST_ROWS = 60
"""Of one table; the rest is in ``run.json``, and the table says so."""

_CELL = 120


@dataclass(frozen=True)
class Fact:
    """A name and what there is to say of it, as plain visible text."""

    name: str
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of plain visible text under their heads; ``note`` says how to read them."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @classmethod
    def of(cls, title: str, heads: Iterable[str], rows: Iterable[Iterable[str]], note: str = "") -> Table:
        """With everything on one line and capped, whoever wrote it, and no folder of anybody's."""
        body = [tuple(one_line(shorten_paths(cell), _CELL) for cell in row) for row in rows]
        if (more := len(body) - MOST_ROWS) > 0:
            note = f"{note} And {more:,} rows more in run.json.".strip()
        return cls(
            one_line(title, _CELL), tuple(one_line(head, _CELL) for head in heads), tuple(body[:MOST_ROWS]), note
        )


@dataclass
class Told:
    """Facts and tables about one thing."""

    facts: list[Fact] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Takes over what another one says."""
        self.facts += other.facts
        self.tables += other.tables


def as_rows(value: JsonValue, name: str = "", depth: int = 4) -> list[tuple[str, str]]:
    """Any JSON value as names and texts: what lies in a mapping or a list goes by the path to it.

    What lies deeper than ``depth`` is left as JSON.
    """
    if isinstance(value, dict) and (measured := _measured(value)) is not None:
        return [(name, measured)]
    if not isinstance(value, dict | list):
        return [(name, _scalar(value))]
    if not any(isinstance(item, dict | list) for item in value) and isinstance(value, list):
        return [(name, ", ".join(map(_scalar, value)) or "none")]
    if not depth:
        return [(name, canonical(value))]
    items = value.items() if isinstance(value, dict) else ((str(n), item) for n, item in enumerate(value, start=1))
    return [row for key, item in items for row in as_rows(item, _below(name, key.replace("_", " ")), depth - 1)]


def _below(name: str, key: str) -> str:
    return f"{name} / {key}" if name else key


def _measured(value: Mapping[str, JsonValue]) -> str | None:
    """A number with its interval and n; ``None`` where it is something else. Nobody knows whether it is a share."""
    if "value" not in value or not value.keys() <= Share.model_fields.keys():
        return None
    try:
        found = Share.model_validate(value)
    except ValidationError:
        return None
    interval = "" if found.interval is None else " [{:g} to {:g}]".format(*found.interval)
    return f"{_scalar(found.value)}{interval}{f' on {found.n:,}' if found.n else ''}"


def _scalar(value: JsonValue) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
