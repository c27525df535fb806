"""Pydantic's error types in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from solon.document.place import Loc

EXPECTED = {
    **dict.fromkeys(("string_type", "string_sub_type"), "text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"), "a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type", "dict_attributes_type"),
        "a mapping (lines of `key: value`)",
    ),
    "none_required": "left empty",
    "finite_number": "a finite number",
}
"""What a value must be, by the pydantic error that says it is not."""

_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_PATTERNS = {
    r"^[a-z0-9][a-z0-9_-]*$": "lower-case letters, digits, '-' and '_', and begin with a letter or digit",
}


def in_words(path: Loc, details: Any, wanted: Sequence[str] = ()) -> tuple[str, str]:
    """What is wrong with the value at ``path``, and the remedy where there is one.

    Args:
        path: where it stands.
        details: one item of ``ValidationError.errors()``.
        wanted: the error types of every member of a union that refused it.
    """
    kind, value, context = details["type"], details.get("input"), details.get("ctx", {})
    name = named(path)
    if kind in EXPECTED:
        expected = " or ".join(dict.fromkeys(EXPECTED[each] for each in (wanted or [kind]) if each in EXPECTED))
        scalar = isinstance(value, bool | int | float)
        return (
            f"{name} must be {expected}, not {shown(value)}",
            "put it in quotes" if scalar and expected == "text" else "",
        )
    if kind in _LIMITS:
        relation, key = _LIMITS[kind]
        return f"{name} must be {relation} {context[key]:g}, not {shown(value)}", ""
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        return _one_of(name, value, str(context.get("expected") or context.get("expected_tags")))
    if kind == "string_pattern_mismatch":
        words = _PATTERNS.get(context["pattern"])
        rule = f"hold only {words}" if words else f"match the pattern {context['pattern']}"
        return f"{name} must {rule}, not {shown(value)}", ""
    if kind == "string_too_long":
        return f"{name} may have at most {context['max_length']} characters, and has {len(str(value))}", ""
    if kind == "string_too_short":
        return f"{name} must have at least {context['min_length']} characters", ""
    if kind == "too_short":
        return f"{name} must have at least {context['min_length']}, not {context['actual_length']}", ""
    if kind == "too_long":
        return f"{name} may have at most {context['max_length']}, not {context['actual_length']}", ""
    message = str(details["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return (message, "") if kind in {"value_error", "assertion_error"} else (f"{name}: {message}", "")


def named(path: Loc) -> str:
    """A value by its key, an item of a list by its number, counted from 1."""
    match path:
        case ():
            return "the file"
        case (*_, str(key), int(index)):
            return f"item {index + 1} of {key!r}"
        case _:
            return repr(path[-1])


def shown(value: Any) -> str:
    """A value as it would be written in the file, cut when it is long."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            text = repr(value)
            return text if len(text) <= 60 else f"{text[:57]}..."


def _one_of(name: str, value: Any, expected: str) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(str(value), choices, n=1)
    return f"{name} must be {expected}, not {shown(value)}", f"did you mean {near[0]!r}?" if near else ""
