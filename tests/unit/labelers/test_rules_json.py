"""JSON that follows a schema, however hostile the JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from solon.labelers.json_schemas import NotJson, strict_json, validator

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, 1.0, 1.5])
    | st.sampled_from(["", "a", "b1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b1", "c"]), inner, max_size=3),
    max_leaves=8,
)
SCHEMAS = [
    {"uniqueItems": True},
    {"items": {"uniqueItems": True}},
    {"patternProperties": {"[0-9]": {"type": "integer"}}},
    {"properties": {"a": True}, "patternProperties": {"1$": True}, "additionalProperties": False},
    {"additionalProperties": {"type": "string"}},
    {"pattern": "^a"},
]


@given(JSON, st.sampled_from(SCHEMAS))
def test_the_bounded_keywords_say_what_the_librarys_own_say(value: object, schema: dict[str, object]) -> None:
    """Ours differ in how long they may take, not in what they mean; 1 is 1.0 and is not true."""
    assert validator(schema).is_valid(value) == Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", '{"a": 1, "a": 2}', '{"b": {"a": 1, "a": 1}}', "[" * 100_000, "1" * 5_000]
)
def test_what_is_not_strictly_json_is_not_json(text: str) -> None:
    """A name that stands twice hides a value from whoever reads the other."""
    with pytest.raises(NotJson):
        strict_json(text)


@pytest.mark.slow
def test_many_different_items_are_told_apart_at_once() -> None:
    """Compared each with each, 30,000 objects would take minutes."""
    items = [{"n": number} for number in range(30_000)]
    assert validator({"uniqueItems": True}).is_valid(items)
    assert not validator({"uniqueItems": True}).is_valid([*items, {"n": 0.0}])
