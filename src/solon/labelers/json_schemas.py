"""JSON that follows a schema, checked so that neither a text nor a schema can hold up a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from solon.labelers.patterns import compiles, search


class NotJson(ValueError):
    """A text that is not JSON, strictly read."""


def strict_json(text: str) -> Any:
    """The value of a JSON text (RFC 8259): no NaN, no name twice in one object.

    Raises:
        NotJson: it is none, or is nested too deep, or has a number of more digits than Python reads.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def check_schema(schema: dict[str, Any] | bool) -> None:
    """Whether a JSON Schema can be used: any draft that it names with ``$schema``, 2020-12 when it names none.

    Raises:
        ValueError: it is none, or refers to something outside of itself, or its expressions are none.
    """
    import jsonschema
    from jsonschema.validators import validator_for

    try:
        validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(schema)  # type: ignore[arg-type] # a schema may be a bool
    except jsonschema.SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top"
        raise ValueError(f"not a JSON Schema: {error.message} (at {place})") from error
    for key, value in _keywords(schema):
        match key:
            case "$ref" | "$dynamicRef" if isinstance(value, str):
                if not (value == "#" or value.startswith("#/")) or not _resolves(schema, value):
                    raise ValueError(
                        f"a reference in a JSON Schema points into the schema itself, and {value!r} does not"
                    )
            case "pattern" if isinstance(value, str):
                compiles(value)
            case "patternProperties" if isinstance(value, dict):
                for pattern in value:
                    compiles(pattern)
            case _:
                pass
    keys = {key for key, _ in _keywords(schema)}
    if keys >= {"patternProperties", "unevaluatedProperties"}:
        raise ValueError("`unevaluatedProperties` beside `patternProperties` is not supported: name the properties")


def validator(schema: dict[str, Any] | bool) -> Any:
    """What says of a value whether it follows a schema, by ``is_valid(value)``.

    Expressions run with a time limit (``PatternTimeout``), unique items are found in one pass, nothing is ever fetched.
    """
    import jsonschema
    import referencing
    from jsonschema.validators import extend, validator_for

    bounded = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    made = extend(validator_for(schema, default=jsonschema.Draft202012Validator), bounded)  # type: ignore[no-untyped-call]
    return made(schema, registry=referencing.Registry())


def _error(message: str) -> Any:
    import jsonschema

    return jsonschema.ValidationError(message)


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    del validator, schema
    if isinstance(value, str) and not search(pattern, value):
        yield _error("does not match")


def _pattern_properties(validator: Any, patterns: dict[str, Any], value: Any, schema: Any) -> Iterator[Any]:
    del schema
    if isinstance(value, dict):
        for pattern, subschema in patterns.items():
            for name, item in value.items():
                if search(pattern, name):
                    yield from validator.descend(item, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, item in value.items():
        if name not in named and not any(search(pattern, name) for pattern in patterns):
            yield from validator.descend(item, allowed, path=name)


def _unique_items(validator: Any, unique: bool, value: Any, schema: Any) -> Iterator[Any]:
    del validator, schema
    if unique and isinstance(value, list) and len({_key(item) for item in value}) < len(value):
        yield _error("has an item twice")


def _key(value: Any) -> Any:
    """The same for values that are equal in JSON, where 1 is 1.0 and is not true."""
    match value:
        case bool() | None:
            return (repr(value),)
        case list():
            return "list", tuple(map(_key, value))
        case dict():
            return "object", frozenset((name, _key(item)) for name, item in value.items())
        case _:
            return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield key, value
            yield from _keywords(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _keywords(item)


def _resolves(schema: Any, reference: str) -> bool:
    here = schema
    for step in reference.removeprefix("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdigit() and int(key) < len(here):
            here = here[int(key)]
        else:
            return False
    return True
