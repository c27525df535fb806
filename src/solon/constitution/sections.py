"""The little of Markdown that a constitution needs: headings, and fenced blocks in which a ``#`` is no heading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_HEADING = re.compile(r"^ {0,3}(?P<marks>#{1,6})[ \t]+(?P<title>.*?)(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(?P<marks>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^`]*$")


@dataclass(frozen=True)
class Line:
    """One line, counted from 1. ``level`` is its heading's, 0 for text; ``fence`` is the line that opened its block."""

    number: int
    text: str
    level: int = 0
    fence: int | None = None


@dataclass(frozen=True)
class Section:
    """A heading and all below it. ``column`` is where the title begins."""

    title: str
    line: int
    column: int
    body: tuple[Line, ...]


@dataclass(frozen=True)
class Fence:
    """A fenced block from its first line to its last, which are the fences themselves."""

    language: str
    first: int
    last: int
    inside: tuple[Line, ...]

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last


def lines_of(raw: Sequence[str], *, start: int) -> tuple[list[Line], int | None]:
    """The lines from index ``start``, and the number of the line of a fence that is never closed."""
    lines: list[Line] = []
    opened: int | None = None
    marks = ""
    for number, text in enumerate(raw[start:], start + 1):
        fence = _FENCE.match(text)
        if opened is not None:
            lines.append(Line(number, text, fence=opened))
            closes = fence and fence["marks"].startswith(marks) and not text.strip().strip(marks[0])
            opened = None if closes else opened
        elif fence:
            opened, marks = number, fence["marks"]
            lines.append(Line(number, text, fence=opened))
        else:
            heading = _HEADING.match(text)
            lines.append(Line(number, text, level=len(heading["marks"]) if heading else 0))
    return lines, opened


def sections(lines: Sequence[Line], *, level: int, until: int = 0) -> Iterator[Section]:
    """The sections under headings of ``level``; one ends at the next, or at a heading of a level up to ``until``.

    What comes before the first is left out, and so is what stands under a heading that ended one.
    """
    start: int | None = None
    for index, line in enumerate(lines):
        if start is not None and (line.level == level or 0 < line.level <= until):
            yield _section(lines[start], lines[start + 1 : index])
            start = None
        if line.level == level:
            start = index
    if start is not None:
        yield _section(lines[start], lines[start + 1 :])


def _section(heading: Line, body: Sequence[Line]) -> Section:
    match = _HEADING.match(heading.text)
    if match is None:
        raise AssertionError(f"line {heading.number} has a level and is no heading")
    return Section(match["title"], heading.number, match.start("title") + 1, tuple(body))


def fences(lines: Sequence[Line]) -> list[Fence]:
    """The fenced blocks among the lines, in their order."""
    blocks: dict[int, list[Line]] = {}
    for line in lines:
        if line.fence is not None:
            blocks.setdefault(line.fence, []).append(line)
    found = []
    for first, block in blocks.items():
        match = _FENCE.match(block[0].text)
        language = match["language"].lower() if match else ""
        found.append(Fence(language, first, block[-1].number, tuple(block[1:-1])))
    return found
