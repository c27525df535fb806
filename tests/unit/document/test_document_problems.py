"""Pydantic's errors in words and at their places, through unions, plugins and nested validations."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from solon.data.records import Constitution
from solon.document import parse, problems_of
from solon.errors import ConstitutionError, Problem
from solon.plugins.registry import AnyLabeler


class Closed(BaseModel):
    """As all settings are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Inner(Closed):
    """Settings below others."""

    alpha: float = Field(gt=0)
    betas: tuple[int, ...] = ()
    mode: Literal["soft", "hard"] = "soft"


class Outer(Closed):
    """A field of each sort."""

    inner: Inner | None = None
    many: dict[str, Inner] = {}
    either: int | list[int] = 0
    short: str | Inner = ""
    flag: bool = False
    under: str = Field(default="", alias="with")
    limit: int = Field(default=1, ge=1, le=9)
    word: str = Field(default="abc", min_length=2, max_length=4)


def problems(text: str, model: type[BaseModel] = Outer) -> list[str]:
    document, found = parse(text, "f")
    assert found == []
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document.data)
    return [str(problem) for problem in problems_of(caught.value, document, model)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inner: {alpha: -1}", ["f:1:16: 'alpha' must be above 0, not -1"]),
        ("inner: {alpha: x}", ["f:1:16: 'alpha' must be a number, not 'x'"]),
        ("inner: {}", ["f:1:8: missing key 'alpha'"]),
        ("inner: 5", ["f:1:8: 'inner' must be a mapping (lines of `key: value`), not 5"]),
        ("inner: {alpha: 1, betas: 3}", ["f:1:26: 'betas' must be a list, not 3"]),
        ("inner: {alpha: 1, betas: [1, a]}", ["f:1:30: item 2 of 'betas' must be a whole number, not 'a'"]),
        ("many: {x: {alpha: 0}}", ["f:1:19: 'alpha' must be above 0, not 0"]),
        ("flag: maybe", ["f:1:7: 'flag' must be true or false, not 'maybe'"]),
        ("with: 3", ["f:1:7: 'with' must be text, not 3 (put it in quotes)"]),
        ("with:", ["f:1:1: 'with' must be text, not empty"]),
        ("limit: 10", ["f:1:8: 'limit' must be at most 9, not 10"]),
        ("limit: 1.5", ["f:1:8: 'limit' must be a whole number, not 1.5"]),
        ("word: a", ["f:1:7: 'word' must have at least 2 characters"]),
        ("word: abcde", ["f:1:7: 'word' may have at most 4 characters, and has 5"]),
        (
            "inner: {alpha: 1, mode: hrad}",
            ["f:1:25: 'mode' must be 'soft' or 'hard', not 'hrad' (did you mean 'hard'?)"],
        ),
        ("[1]", ["f:1:1: the file must be a mapping (lines of `key: value`), not a list"]),
    ],
)
def test_errors_are_in_words_and_at_their_place(text, expected):
    """The names of pydantic's types mean nothing to a person who writes YAML."""
    assert problems(text) == expected


def test_all_errors_come_at_once_from_top_to_bottom():
    """One round of corrections, not one for each error."""
    assert problems("limit: 0\ninner:\n  alpah: 1\nflag: maybe\n") == [
        "f:1:8: 'limit' must be at least 1, not 0",
        "f:3:3: missing key 'alpha'",
        "f:3:3: unknown key 'alpah' (did you mean 'alpha'? the keys here are alpha, betas, mode)",
        "f:4:7: 'flag' must be true or false, not 'maybe'",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [("many:\n  x:\n    alpha: 1\n    alpa: 1", "f:4:5"), ("short:\n  alpha: 1\n  alpa: 1", "f:3:3")],
)
def test_unknown_keys_get_the_nearest_name_through_dicts_and_unions(text, place):
    """Whatever the field is wrapped in, the model below is found."""
    expected = f"{place}: unknown key 'alpa' (did you mean 'alpha'? the keys here are alpha, betas, mode)"
    assert problems(text) == [expected]


def test_an_unknown_key_unlike_any_other_still_learns_the_valid_ones():
    """With the names as they are written in a file, not as the class spells them."""
    (problem,) = problems("zzz: 1")
    assert problem == "f:1:1: unknown key 'zzz' (the keys here are inner, many, either, short, flag, with, limit, word)"


def test_the_same_keys_are_listed_once():
    """Of a wholly different file, the list would stand on every line; who is near is still said of each."""
    assert problems("inner:\n  alpha: 1\n  zzz: 1\n  btas: 1\nyyy: 1\n") == [
        "f:3:3: unknown key 'zzz' (the keys here are alpha, betas, mode)",
        "f:4:3: unknown key 'btas' (did you mean 'betas'?)",
        "f:5:1: unknown key 'yyy' (the keys here are inner, many, either, short, flag, with, limit, word)",
    ]


def test_a_value_that_fits_no_member_of_a_union_is_one_problem():
    """Pydantic reports one error a member."""
    assert problems("either: x") == ["f:1:9: 'either' must be a whole number or a list, not 'x'"]


def test_of_a_union_only_the_member_that_fits_the_form_speaks():
    """A list with one wrong item is not also told that it is no whole number."""
    assert problems("either: [1, x]") == ["f:1:13: item 2 of 'either' must be a whole number, not 'x'"]


class Nest(Closed):
    """Validates its part with another model, in the ways that plugins are."""

    plain: Any = None
    wrapped: Any = None
    refused: Any = None

    @field_validator("plain", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return Inner.model_validate(value)

    @field_validator("wrapped", mode="before")
    @classmethod
    def _wrapped(cls, value: Any) -> Any:
        try:
            return Inner.model_validate(value)
        except ValidationError as error:
            raise PydanticCustomError("nested", "not valid", {"error": error, "model": Inner}) from error

    @field_validator("refused", mode="before")
    @classmethod
    def _refused(cls, value: Any) -> Any:
        error = ConstitutionError([Problem("", "nowhere"), Problem("g:1:1", "elsewhere", "look there")])
        raise PydanticCustomError("nested", "not valid", {"error": error})


def test_nested_validation_errors_are_taken_apart_under_their_own_place():
    """So that a plugin's settings are checked as closely as the recipe itself."""
    assert problems("plain: {alpha: 0}\nwrapped:\n  alpha: 1\n  btas: [1]\nrefused: 5\n", Nest) == [
        "g:1:1: elsewhere (look there)",
        "f:1:16: 'alpha' must be above 0, not 0",
        "f:4:3: unknown key 'btas' (did you mean 'betas'? the keys here are alpha, betas, mode)",
        "f:5:10: nowhere",
    ]


class Rewriting(Closed):
    """Takes a list as short for a mapping, as a recipe does."""

    items: tuple[int, ...] = Field(alias="with")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"with": value} if isinstance(value, list) else value


class Holder(Closed):
    """Has a part that may be written short."""

    evaluate: Annotated[Rewriting, BeforeValidator(lambda value: value)]


def test_a_short_form_is_reported_where_it_stands():
    """The key that the validator puts in stands in no file."""
    assert problems("evaluate:\n  - 1\n  - x\n", Holder) == [
        "f:3:5: item 2 of 'evaluate' must be a whole number, not 'x'"
    ]


def test_an_id_with_forbidden_characters_is_told_the_allowed_ones():
    """A regular expression is no help to most authors of constitutions."""
    text = "name: x\nprinciples:\n  - {id: Be Nice, text: be nice}\n"
    rule = "lower-case letters, digits, '-' and '_', and begin with a letter or digit"
    assert problems(text, Constitution) == [f"f:3:10: 'id' must hold only {rule}, not 'Be Nice'"]


def test_a_validators_own_words_are_kept():
    """What our models say in a ValueError is already in words."""
    assert problems("name: x\nprinciples: [{id: a, text: ' '}]", Constitution) == ["f:2:28: a principle needs a text"]


class WithPlugin(Closed):
    """Holds a plugin, as a recipe does."""

    label: AnyLabeler


def test_an_unknown_key_of_a_plugin_gets_the_nearest_of_that_plugins_own():
    """The field says only that it is a labeler; ``kind`` says which, and so which keys it has."""
    *_, problem = problems("label:\n  kind: rules\n  ruls: []\n", WithPlugin)
    assert problem.startswith("f:3:3: unknown key 'ruls' (did you mean 'rules'? the keys here are kind, rules")
