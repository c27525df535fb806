"""How nouns look in a notebook: the text of each on a line, and a table of those that are better read as one.

Whatever a model or a user wrote is data here too: control characters are spelled out, markup is escaped, long texts
are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from solon.data.records import Candidates, Completion, Constitution, Judgment, Preference, Prompt, Rating
    from solon.data.results import Metric

LONGEST = 80
"""Characters of a text on a line."""
LONGEST_IN_TABLE = 1_000
"""Characters of a text in a cell."""
MOST = 4
"""Items of a list on a line; of a longer one it says how many there are."""


def settings_shown(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """The fields of a model that are not as they are by default, each short enough for a line."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if field.is_required() or value != field.get_default(call_default_factory=True):
            yield name, short(value)


def short(value: Any) -> Any:
    """A value whose repr fits on a line."""
    if isinstance(value, str):
        return Quoted(value)
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, tuple | list | dict) and len(value) > MOST:
        return Said(f"<{len(value):,} items>")
    if isinstance(value, tuple):
        return tuple(map(short, value))
    if isinstance(value, list):
        return list(map(short, value))
    return {key: short(each) for key, each in value.items()} if isinstance(value, dict) else value


class Said:
    """Shown as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class Quoted(Said):
    """A text in quotes, cut where it is long."""

    def __init__(self, text: str) -> None:
        super().__init__(repr(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"))


# ---------------------------------------------------------------- tables


def html_table(names: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table whose cells are texts, whatever they hold. Without a style of its own, so that a notebook's applies."""
    heads = "".join(f"<th>{html_text(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    above = f"<caption>{html_text(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def html_text(value: object) -> str:
    """Inert in HTML: markup is escaped, invisible characters are spelled out, lines stay lines."""
    text = str(value)
    text = text if len(text) <= LONGEST_IN_TABLE else f"{text[: LONGEST_IN_TABLE - 1]}…"
    seen = "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)
    # a dollar begins a formula where a notebook typesets what a cell shows
    return escape(seen).replace("$", "&#36;").replace("\n", "<br>")


def text_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The same for a terminal: columns two spaces apart."""
    lines = [[_plain(cell) for cell in row] for row in (names, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def _plain(value: object) -> str:
    text = str(value)
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


# ---------------------------------------------------------------- nouns

_OURS = ("solon.data.records", "solon.data.results")


def line_of(noun: BaseModel) -> Iterator[tuple[str | None, Any]]:
    """What the repr of a noun holds: what a person looks for first, and no ids where there is more to say."""
    own = _LINES.get(type(noun).__name__) if type(noun).__module__ in _OURS else None
    yield from own(noun) if own is not None else settings_shown(noun)


def table_of(noun: BaseModel) -> str | None:
    """A noun as HTML, where that shows more than its repr."""
    own = _TABLES.get(type(noun).__name__) if type(noun).__module__ in _OURS else None
    return own(noun) if own is not None else None


def _constitution_line(shown: Constitution) -> Iterator[tuple[str | None, Any]]:
    yield None, Quoted(shown.name)
    yield "version", shown.version
    yield "principles", short(tuple(Said(one.id) for one in shown.principles))
    if shown.cases:
        yield None, Said(f"{len(shown.cases)} cases")


def _constitution_table(shown: Constitution) -> str:
    rows = [
        (one.id, one.text, one.severity if one.severity == "hard" else f"{one.weight:g}", ", ".join(one.topics))
        for one in shown.principles
    ]
    cases = f", {len(shown.cases)} cases" if shown.cases else ""
    caption = f"{shown.name}, version {shown.version} ({shown.id}{cases})"
    return html_table(("principle", "asks", "weight", "topics"), rows, caption)


def _prompt_line(shown: Prompt) -> Iterator[tuple[str | None, Any]]:
    yield None, Quoted(shown.text)
    yield from (pair for pair in settings_shown(shown) if pair[0] != "messages")


def _completion_line(shown: Completion) -> Iterator[tuple[str | None, Any]]:
    yield None, Quoted(shown.text)
    yield from (pair for pair in settings_shown(shown) if pair[0] in ("model", "stop"))


def _candidates_line(shown: Candidates) -> Iterator[tuple[str | None, Any]]:
    yield None, Quoted(shown.prompt.text)
    count = len(shown.completions)
    yield None, Said(f"{count} completion{'' if count == 1 else 's'}")
    if shown.missing:
        yield None, Said(f"{shown.missing} missing")


def _candidates_table(shown: Candidates) -> str:
    missing = f" ({shown.missing} missing)" if shown.missing else ""
    rows = [(one.text, one.model, one.stop) for one in shown.completions]
    return html_table(("response", "model", "stop"), rows, f"{shown.prompt.text}{missing}")


def _judgment_line(shown: Judgment) -> Iterator[tuple[str | None, Any]]:
    yield None, shown.outcome
    yield "labeler", Quoted(shown.labeler)
    yield "principles", short(shown.principles)
    if shown.rationale:
        yield "rationale", Quoted(shown.rationale)
    yield "prompt", shown.prompt
    yield "options", short(shown.options)


def _row_line(shown: Preference | Rating) -> Iterator[tuple[str | None, Any]]:
    return (pair for pair in settings_shown(shown) if pair[0] != "provenance")


def _preference_table(shown: Preference) -> str:
    caption = f"{shown.prompt.text} (margin {shown.margin:.2f})"
    return html_table(("chosen", "rejected"), [(shown.chosen, shown.rejected)], caption)


def _metric_line(shown: Metric) -> Iterator[tuple[str | None, Any]]:
    failed = f", {shown.failed:,} failed" if shown.failed else ""
    p_value = f", p={shown.p_value:.2g}" if shown.p_value is not None else ""
    interval = f"{shown.value:.4g} [{shown.low:.4g}, {shown.high:.4g}] {shown.unit}"
    yield None, Said(f"{_plain(shown.name)}, {shown.of}: {interval}, n={shown.n:,}{failed}{p_value}")


_LINES: dict[str, Callable[[Any], Iterator[tuple[str | None, Any]]]] = {
    "Candidates": _candidates_line,
    "Completion": _completion_line,
    "Constitution": _constitution_line,
    "Demonstration": _row_line,
    "Judgment": _judgment_line,
    "Metric": _metric_line,
    "Preference": _row_line,
    "Prompt": _prompt_line,
    "Rating": _row_line,
}
_TABLES: dict[str, Callable[[Any], str]] = {
    "Candidates": _candidates_table,
    "Constitution": _constitution_table,
    "Preference": _preference_table,
}
