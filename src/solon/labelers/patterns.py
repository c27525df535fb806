"""Regular expressions that stop: Python's own syntax and meaning, run with a time limit.

Python's ``re`` cannot be interrupted, and an unlucky expression takes longer than anybody lives on a text of 40
characters. The package ``regex`` takes a time limit. It reads some expressions in another way than ``re``, so these are
rewritten first.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any

import regex
from pydantic import AfterValidator

SECONDS = 1.0
"""How long one expression may take on one text."""

_ESCAPE = re.compile(r"\\(?:N\{[^}]*\}|.)", re.DOTALL)
_REPEAT = re.compile(r"\{\d*,\d*\}|\{\d+\}")


class PatternTimeout(Exception):
    """An expression took longer than it may on a text. The message says which, and what to do."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"the expression {pattern!r} took more than {SECONDS:g} s: it can match the same text in too many ways. "
            "Let no two parts of a repeat match the same text, as in (a|aa)+ or (.*,)*: write a+, or ([^,]*,)*"
        )


def compiles(pattern: str) -> str:
    """The expression itself.

    Raises:
        ValueError: it is none.
    """
    try:
        re.compile(pattern)
        _compiled(pattern)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


Regex = Annotated[str, AfterValidator(compiles)]
"""A pydantic field type: a regular expression of Python's ``re``, checked when the settings are read."""


def search(pattern: str, text: str) -> Any | None:
    """The first match anywhere in a text, as ``re.search``.

    Raises:
        PatternTimeout: it takes too long.
    """
    try:
        return _compiled(pattern).search(text, timeout=SECONDS)
    except TimeoutError:
        raise PatternTimeout(pattern) from None


def matches_all(pattern: str, text: str) -> bool:
    """Whether it matches all of a text, as ``re.fullmatch``.

    Raises:
        PatternTimeout: it takes too long.
    """
    try:
        return _compiled(pattern).fullmatch(text, timeout=SECONDS) is not None
    except TimeoutError:
        raise PatternTimeout(pattern) from None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return regex.compile(_as_python_reads_it(pattern), regex.VERSION0)


def _as_python_reads_it(pattern: str) -> str:
    """The expression with what only ``regex`` would take for an operator escaped: ``x{e}``, ``[[:alpha:]]``."""
    out = []
    place = 0
    # where the set of characters that is open began: there a closing bracket is one of them
    set_began: int | None = None
    while place < len(pattern):
        if escape := _ESCAPE.match(pattern, place):
            out.append(escape[0])
            place = escape.end()
            continue
        char = pattern[place]
        if set_began is not None:
            if char == "]" and place > set_began:
                set_began = None
            out.append("\\[" if char == "[" else char)
            place += 1
        elif char == "[":
            negated = pattern.startswith("[^", place)
            set_began = place + 1 + negated
            out.append(pattern[place:set_began])
            place = set_began
        elif char == "{" and (repeat := _REPEAT.match(pattern, place)):
            out.append(repeat[0])
            place = repeat.end()
        else:
            out.append("\\{" if char == "{" else char)
            place += 1
    return "".join(out)
