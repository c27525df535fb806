"""Reads a judge's reply that is one JSON object, strictly: what a schema asked for is checked and not trusted."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any


def json_object(text: str, keys: Collection[str]) -> dict[str, Any] | None:
    """The object that the whole of ``text`` is, or ``None`` when it is anything else.

    Nothing but white space may stand around it: no fence, no second object, no words. Its keys are exactly ``keys``,
    each once: of two verdicts in one object, JSON readers take the last in silence. ``NaN`` and ``Infinity`` are not
    JSON.
    """
    try:
        value = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.keys() == set(keys) else None


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an object with exactly these properties, in this order (strict as providers want it)."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
