"""The kinds of rules: each is one setting that names it, and says of a text whether it holds.

A rule holds, does not hold, or cannot be applied (a ``Failed``, never a ``False``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    Tag,
    field_validator,
    model_validator,
)

from solon.data.folding import folded
from solon.data.records import Failed
from solon.labelers.answers import AnswerMatch, gives_answer
from solon.labelers.fences import fenced_blocks
from solon.labelers.json_schemas import NotJson, check_schema, strict_json, validator
from solon.labelers.patterns import Regex as Regex
from solon.labelers.patterns import matches_all, search
from solon.labelers.told_apart import ToldApart
from solon.plugins.base import Settings


class RuleKind(Settings):
    """Base of the kinds of rules."""

    def holds(self, text: str, reference: str | None) -> bool | Failed:
        """Whether it holds of a response; ``Failed`` when that cannot be said.

        Raises:
            PatternTimeout: an expression takes too long on it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement holds()")


class Pattern(RuleKind):
    """The response, without white space at its ends, is of a form: ``{pattern: "Answer: .+"}``.

    A dot does not match a line break unless the pattern begins with ``(?s)``; ``(?i)`` ignores case.
    """

    pattern: Regex

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002 - only answers are compared
        """Whether the pattern matches all of the text."""
        return matches_all(self.pattern, text.strip())


class Search(RuleKind):
    """The response has something in it, anywhere: ``{regex: "https?://"}``."""

    regex: Regex

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether the expression is found in the text."""
        return search(self.regex, text) is not None


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
    """The response is one JSON value that follows a JSON Schema: ``{json_schema: {type: object}}``.

    Read strictly: no NaN, no name twice in one object. With ``within: fence``, the last fenced block is looked at, and
    what stands around it is not; a response without one does not follow the rule.
    """

    json_schema: dict[str, Any] | bool
    within: Literal["all", "fence"] = "all"

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | bool) -> dict[str, Any] | bool:
        check_schema(schema)
        return schema

    @cached_property
    def _validator(self) -> Any:
        return validator(self.json_schema)

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether the text is JSON and follows the schema."""
        if self.within == "fence":
            blocks = fenced_blocks(text)
            if not blocks:
                return False
            text = blocks[-1].text
        try:
            return bool(self._validator.is_valid(strict_json(text)))
        except (NotJson, RecursionError, ArithmeticError):
            # nested deeper, or a number larger, than anything a schema is written for
            return False


class Tags(RuleKind):
    """The response is these sections in this order, and nothing else: ``{tags: [think, answer]}``.

    ``<think>...</think> <answer>...</answer>``: each once, none empty, none in another; white space around them aside.
    """

    tags: tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")], ...] = Field(min_length=1)

    @field_validator("tags")
    @classmethod
    def _differ(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(tags)) < len(tags):
            raise ValueError("each tag stands once")
        return tags

    def holds(self, text: str, reference: str | None) -> bool | Failed:  # noqa: ARG002
        """Whether the text is made of these sections."""
        rest = text.strip()
        for tag in self.tags:
            head, _, after = rest.partition(f"</{tag}>")
            if not head.startswith(f"<{tag}>") or not head.removeprefix(f"<{tag}>").strip():
                return False
            rest = after.lstrip()
        return not rest and all(text.count(f"<{tag}>") == text.count(f"</{tag}>") == 1 for tag in self.tags)


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


RULE_KINDS: Mapping[str, type[RuleKind]] = {
    "pattern": Pattern,
    "regex": Search,
    "length": Length,
    "forbidden": Forbidden,
    "json_schema": JsonSchema,
    "tags": Tags,
    "answer": Answer,
}
_KINDS = ToldApart("rule", RULE_KINDS, "{forbidden: [idiot]}")

Rule = Annotated[
    Annotated[Pattern, Tag("Pattern")]
    | Annotated[Search, Tag("Search")]
    | Annotated[Length, Tag("Length")]
    | Annotated[Forbidden, Tag("Forbidden")]
    | Annotated[JsonSchema, Tag("JsonSchema")]
    | Annotated[Tags, Tag("Tags")]
    | Annotated[Answer, Tag("Answer")],
    Discriminator(_KINDS.class_name),
    BeforeValidator(_KINDS.checked),
]
"""A pydantic field type: any rule. Which one it is is told by the key that names it."""


def _folded(text: str) -> str:
    return " ".join(folded(text, "NFC").split())
