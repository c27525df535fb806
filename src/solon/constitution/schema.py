"""The JSON Schema of a constitution, for editors. Its descriptions are the docstrings of the records."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import BaseModel

from solon.data.records import Case, Constitution, Principle, RatingScale

_ATTRIBUTE = re.compile(r"^    (\w+): ")


def schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts what ``load`` accepts, except for what spans several values.

    That ids are unique, that cases name a principle, and that a rating scale has a span is left to ``load``.
    """
    result = Constitution.model_json_schema()
    for model in (Principle, Case, RatingScale):
        _describe(result["$defs"][model.__name__], model)
    _describe(result, Constitution)
    result["properties"]["principles"]["minItems"] = 1
    for texts, name in ((result, "name"), (result["$defs"]["Principle"], "text"), (result["$defs"]["Case"], "prompt")):
        texts["properties"][name]["pattern"] = r"\S"
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:solon:schema:constitution",
        "title": "solon constitution",
    }
    return head | {key: value for key, value in result.items() if key != "title"}


def _describe(target: dict[str, Any], model: type[BaseModel]) -> None:
    summary, attributes = described(model)
    target["description"] = summary
    for name, text in attributes.items():
        target["properties"][name]["description"] = text


def described(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """A class's docstring: its first paragraph on one line, and what its section ``Attributes`` says of each field."""
    head, _, section = (inspect.getdoc(model) or "").partition("\nAttributes:\n")
    attributes: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := _ATTRIBUTE.match(line):
            name = match[1]
            attributes[name] = line[match.end() :]
        elif name and line.strip():
            attributes[name] += f" {line.strip()}"
    return " ".join(head.split("\n\n")[0].split()), attributes
