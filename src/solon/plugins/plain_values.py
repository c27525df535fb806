"""Values whose text says all of them: texts, numbers, patterns, and lists, sets and mappings of these."""

from __future__ import annotations

from re import Pattern
from typing import Any

_SIMPLE = (str, bytes, int, float, bool, type(None))
_first: dict[int, tuple[Any, str]] = {}
"""Lists, sets and mappings as they were when they were first looked at, by their identity: what is in them later is
state."""


def is_plain(value: Any) -> bool:
    """Whether it is one of these."""
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, (*value, *value.values())))
    return isinstance(value, (*_SIMPLE, Pattern))


def text_of(value: Any) -> str:
    """The same text for equal values, in every process; of what is not plain only its type."""
    if isinstance(value, _SIMPLE):
        return repr(value)
    if id(value) not in _first and not is_plain(value):
        return type(value).__qualname__
    return _first.setdefault(id(value), (value, _written(value)))[1]


def _written(value: Any) -> str:
    match value:
        case Pattern():
            return f"pattern {value.pattern!r} {value.flags}"
        case set() | frozenset():
            return f"set {sorted(map(_written, value))}"
        case list() | tuple():
            return f"{type(value).__name__} {[_written(one) for one in value]}"
        case dict():
            return f"dict {[(_written(key), _written(one)) for key, one in value.items()]}"
        case _:
            return repr(value)
