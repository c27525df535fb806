"""The JSON Schema of a recipe, for editors."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any

from solon.recipe import OF_ALL_PHASES, Recipe

_REFERENCE = "#/$defs/"
_PARTIAL = "Partial"


def schema() -> dict[str, Any]:
    """The JSON Schema of a recipe; plugins are mappings with ``kind``, and sets are recipes that may lack anything."""
    result = Recipe.model_json_schema(by_alias=True)
    whole = {key: value for key, value in result.items() if key != "$defs"}
    definitions = {f"{_PARTIAL}{name}": _partial(one) for name, one in result["$defs"].items()}
    result["$defs"] |= {**definitions, "Set": _without(whole, ["sets"]), "Phase": _without(whole, OF_ALL_PHASES)}
    for properties in (result["properties"], result["$defs"]["Set"]["properties"]):
        _holds(properties["phases"], "Phase")
    _holds(result["properties"]["sets"], "Set")
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["title"] = "solon recipe"
    return result


def _without(recipe: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """A recipe that need hold nothing, that never holds ``keys``, and that takes others out with ``null``."""
    partial: dict[str, Any] = _partial(recipe)
    kept = {name: field for name, field in partial["properties"].items() if name not in keys}
    partial["properties"] = {
        name: field if name == "phases" else {"anyOf": [field, {"type": "null"}]} for name, field in kept.items()
    }
    return partial


def _holds(named: dict[str, Any], what: str) -> None:
    """Says what stands under each name of a mapping."""
    named["patternProperties"] = {pattern: {"$ref": f"{_REFERENCE}{what}"} for pattern in named["patternProperties"]}


def _partial(schema: Any) -> Any:
    """A schema that asks for no key, however deep."""
    if isinstance(schema, list):
        return [_partial(one) for one in schema]
    if not isinstance(schema, dict):
        return deepcopy(schema)
    reference = schema.get("$ref")
    loose = {key: _partial(value) for key, value in schema.items() if key != "required" or not isinstance(value, list)}
    if isinstance(reference, str):
        loose["$ref"] = reference.replace(_REFERENCE, f"{_REFERENCE}{_PARTIAL}")
    return loose
