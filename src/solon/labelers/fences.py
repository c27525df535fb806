"""Fenced blocks of a Markdown text: where a response puts its code or its JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

# nothing is given back once it is matched: a line of any length is read in one pass
_OPENING = re.compile(r" {0,3}(`{3,}+(?!.*`)|~{3,}+)[ \t]*+(\S*+).*+")


@dataclass(frozen=True)
class Fenced:
    """What stands between two fences.

    Attributes:
        language: the first word after the opening fence, in lower case; empty when there is none.
        text: the lines between, each with its line break.
    """

    language: str
    text: str


def fenced_blocks(text: str) -> tuple[Fenced, ...]:
    """Every fenced block, in order, as CommonMark reads them (version 0.31, section 4.5).

    A block ends with a fence of the same character that is at least as long, or with the text.
    """
    blocks = []
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        bare = line.rstrip()
        if opening is None:
            opening = _OPENING.fullmatch(bare)
            lines = []
        elif _closes(bare, opening[1]):
            blocks.append(Fenced(opening[2].lower(), "".join(lines)))
            opening = None
        else:
            lines.append(line)
    if opening is not None:
        blocks.append(Fenced(opening[2].lower(), "".join(lines)))
    return tuple(blocks)


def _closes(line: str, fence: str) -> bool:
    bare = line.strip(" ")
    return len(line) - len(line.lstrip(" ")) <= 3 and len(bare) >= len(fence) and set(bare) == {fence[0]}
