"""JSON as RFC 8259 has it, in rows of bounded length: what other readers take in silence is refused.

Python's own reader keeps the last of two values under one name, and takes ``NaN`` and ``Infinity``, which are no JSON;
a file without line ends is one line of any length.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from solon.errors import Problem

MAX_ROW = 128_000_000
"""Bytes of the longest row that is read: several responses of 10 MB fit."""


class Unusable(ValueError):
    """JSON that readers understand in different ways, or not at all; the text says why."""


def loads(text: str, *, numbers_only: bool = True) -> Any:
    """The value of a JSON text.

    Args:
        text: to be read.
        numbers_only: whether ``NaN`` and ``Infinity`` are refused, which libraries write where a training has failed.

    Raises:
        ValueError: it is no JSON (``json.JSONDecodeError``), a number has too many digits, or ``Unusable``: a name
            stands twice in one object, or a number is not finite.
        RecursionError: it nests too deep.
    """
    return (_STRICT if numbers_only else _ANY_NUMBER).decode(text)


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unusable(f"the name {twice[:60]!r} stands twice in one object: keep one of the two")
    return made


def _no_constant(name: str) -> Any:
    raise Unusable(f"{name} is no JSON: write null where there is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Unusable(f"{digits[:60]} is larger than any number that can be read")
    return number


# made once: json.loads makes one for each call when its settings are not the default
_STRICT = json.JSONDecoder(object_pairs_hook=_each_name_once, parse_constant=_no_constant, parse_float=_finite)
_ANY_NUMBER = json.JSONDecoder(object_pairs_hook=_each_name_once)


def too_large(where: str) -> Problem:
    """What is said of a row that is longer than ``MAX_ROW``."""
    return Problem(where, f"the row is larger than {MAX_ROW // 1_000_000} MB", "leave it out, or split it")


def lines_of(file: BufferedReader) -> Iterator[bytes | None]:
    """The lines of a file with their ends; ``None`` for one that is longer than ``MAX_ROW``, which is passed over."""
    while line := file.readline(MAX_ROW + 1):
        if len(line) <= MAX_ROW:
            yield line
            continue
        yield None
        while line and not line.endswith(b"\n"):
            line = file.readline(1 << 20)
