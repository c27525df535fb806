"""The kinds of rules: each is one setting that names it, and says of a text whether it holds.

A rule holds, does not hold, or cannot be applied (a ``Failed``, never a ``False``).
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    Tag,
    field_validator,
    model_validator,
)

from solon.data.records import Failed
from solon.labelers.answers import AnswerMatch, gives_answer
from solon.plugins.base import Settings

MAX_CHARACTERS = 20_000
"""The longest text that rules look at; a longer one is ``Failed("too_long")``. Python cannot interrupt a regular
expression, and the time of an unlucky one grows much faster than the text. The cap bounds it for all patterns but those
with a repeat inside a repeat, such as ``(a+)+``: do not write these."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


Regex = Annotated[str, AfterValidator(_compiles)]
"""A pydantic field type: a regular expression of Python's ``re``, checked when the settings are read."""


class RuleKind(Settings):
    """Base of the kinds of rules."""

    def holds(self, text: str, reference: str | None) -> bool | Failed:
        """Whether it holds of a response; ``Failed`` when that cannot be said."""
        raise NotImplementedError(f"{type(self).__name__} does not implement holds()")


class Pattern(RuleKind):
    """The response, without white space at its ends, is of a form: ``{pattern: "Answer: .+"}``.

    A dot does not match a line break unless the pattern begins with ``(?s)``; ``(?i)`` ignores case.
    """

    pattern: Regex

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002 - only answers are compared
        """Whether the pattern matches all of the text."""
        return re.fullmatch(self.pattern, text.strip()) is not None


class Search(RuleKind):
    """The response has something in it, anywhere: ``{regex: "https?://"}``."""

    regex: Regex

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether the expression is found in the text."""
        return re.search(self.regex, text) is not None


class Length(RuleKind):
    """The response is neither too short nor too long: ``{length: words, max: 50}``. Both ends are allowed values."""

    length: Literal["words", "characters"]
    min: NonNegativeInt = 0
    max: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Length:
        if self.max is None and self.min == 0:
            raise ValueError("a length rule needs `min`, `max` or both")
        if self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is above `max` {self.max}, so that no response could follow the rule")
        return self

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether the number of words (what white space separates) or characters is within the bounds."""
        size = len(text.split()) if self.length == "words" else len(text)
        return self.min <= size and (self.max is None or size <= self.max)


class Forbidden(RuleKind):
    """The response has none of these words or phrases in it, in any case: ``{forbidden: [idiot, duh]}``."""

    forbidden: tuple[str, ...] = Field(min_length=1)

    @field_validator("forbidden")
    @classmethod
    def _says_something(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if not all(word.strip() for word in words):
            raise ValueError("a forbidden word is empty")
        return words

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether no forbidden word is a whole word of the text: ``duh`` is not in ``duhka``."""
        words = "|".join(re.escape(_folded(word)) for word in self.forbidden)
        return re.search(rf"(?<!\w)(?:{words})(?!\w)", _folded(text)) is None


class JsonSchema(RuleKind):
    """The whole response is one JSON value that follows a JSON Schema: ``{json_schema: {type: object}}``."""

    json_schema: dict[str, Any] | bool

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | bool) -> dict[str, Any] | bool:
        import jsonschema
        from jsonschema.validators import validator_for

        try:
            validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(schema)  # type: ignore[arg-type] # a schema may be a bool
        except jsonschema.SchemaError as error:
            place = "/".join(map(str, error.absolute_path)) or "its top"
            raise ValueError(f"not a JSON Schema: {error.message} (at {place})") from error
        for reference in _references(schema):
            if not (reference == "#" or reference.startswith("#/")) or not _resolves(schema, reference):
                raise ValueError(
                    f"a reference in a JSON Schema points into the schema itself, and {reference!r} does not"
                )
        return schema

    @cached_property
    def _validator(self) -> Any:
        import jsonschema
        import referencing
        from jsonschema.validators import validator_for

        validator = validator_for(self.json_schema, default=jsonschema.Draft202012Validator)
        # an empty registry: nothing is ever fetched
        return validator(self.json_schema, registry=referencing.Registry())

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether the text is JSON (strictly: no NaN, no fence around it) and follows the schema."""
        try:
            return bool(self._validator.is_valid(json.loads(text, parse_constant=_no_constant)))
        except (ValueError, RecursionError):
            # not JSON, or nested deeper than anything a schema is written for
            return False


class Answer(RuleKind):
    """The response gives the prompt's reference answer: ``{answer: contains}`` or ``{answer: exact}``.

    With ``extract``, what the expression's first group finds is compared in place of the whole response.
    """

    answer: AnswerMatch
    extract: Regex | None = None

    def holds(self, text: str, reference: str | None) -> bool | Failed:
        """Whether the text gives the reference answer (see ``solon.labelers.answers``)."""
        if reference is None:
            return Failed(reason="error", raw="the prompt has no reference answer")
        try:
            return gives_answer(text, reference, self.answer, self.extract)
        except ValueError as error:
            return Failed(reason="error", raw=str(error))


_KINDS: Mapping[str, type[RuleKind]] = {
    "pattern": Pattern,
    "regex": Search,
    "length": Length,
    "forbidden": Forbidden,
    "json_schema": JsonSchema,
    "answer": Answer,
}


def _class_name(value: Any) -> str | None:
    """Which kind a rule is of, by the key that names it. The name of a class, and so never that of a key."""
    if isinstance(value, RuleKind):
        return type(value).__name__
    return next((kind.__name__ for key, kind in _KINDS.items() if key in value), None)


def _of_one_kind(value: Any) -> Any:
    if isinstance(value, RuleKind):
        return value
    known = ", ".join(_KINDS)
    if not isinstance(value, Mapping):
        raise ValueError(f"a rule is a mapping with one of {known}, for example {{forbidden: [idiot]}}")
    named = [key for key in _KINDS if key in value]
    if len(named) > 1:
        raise ValueError(f"this rule is of several kinds ({', '.join(named)}): write one rule for each")
    if not named:
        near = [match for key in value for match in difflib.get_close_matches(str(key), _KINDS, n=1)]
        raise ValueError(f"a rule has one of {known}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return value


Rule = Annotated[
    Annotated[Pattern, Tag("Pattern")]
    | Annotated[Search, Tag("Search")]
    | Annotated[Length, Tag("Length")]
    | Annotated[Forbidden, Tag("Forbidden")]
    | Annotated[JsonSchema, Tag("JsonSchema")]
    | Annotated[Answer, Tag("Answer")],
    Discriminator(_class_name),
    BeforeValidator(_of_one_kind),
]
"""A pydantic field type: any rule. Which one it is is told by the key that names it."""


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in {"$ref", "$dynamicRef"} and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)


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
