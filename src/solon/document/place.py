"""A file's data with the line and column of each of its keys and values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from solon.errors import Problem

Loc = tuple[str | int, ...]
"""The way from the root of a document to a value: keys of mappings and indices of lists, as in pydantic's ``loc``."""

Position = tuple[int, int]
"""Line and column, both counted from 1."""


@dataclass(frozen=True)
class Document:
    """What a file says, as plain values, and where it says it.

    Attributes:
        name: the file as the user named it; heads every place.
        data: dicts, lists, strings, numbers, booleans and ``None``.
        values: where each value begins.
        keys: where the key of each value in a mapping begins.
    """

    name: str
    data: Any
    values: Mapping[Loc, Position] = field(default_factory=dict)
    keys: Mapping[Loc, Position] = field(default_factory=dict)

    def place(self, loc: Loc) -> str:
        """``file:line:column`` of the value at ``loc``, or of its nearest ancestor that stands in the file."""
        while loc and loc not in self.values:
            loc = loc[:-1]
        line, column = self.values.get(loc, (1, 1))
        return f"{self.name}:{line}:{column}"

    def key_place(self, loc: Loc) -> str:
        """``file:line:column`` of the key of the value at ``loc``; the value's own place where it has no key."""
        if loc not in self.keys:
            return self.place(loc)
        line, column = self.keys[loc]
        return f"{self.name}:{line}:{column}"

    def at(self, loc: Loc) -> Any:
        """The value at ``loc``; ``KeyError`` when there is none."""
        here = self.data
        for step in loc:
            match here:
                case dict() if step in here:
                    here = here[step]
                case list() if isinstance(step, int) and 0 <= step < len(here):
                    here = here[step]
                case _:
                    raise KeyError(loc)
        return here


_PLACE = re.compile(r":(\d+):(\d+)$")


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, from the top of the file to its end; those without a place come first, in their order."""

    def position(problem: Problem) -> Position:
        match = _PLACE.search(problem.where)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    return sorted(dict.fromkeys(problems), key=position)
