"""A reply that has to be one object is read as that, or not at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.labelers.json_text import json_object, object_schema


@pytest.mark.parametrize(
    "text", ['{"verdict": "A"}', ' \t\r\n{"verdict":"A"}\n', '{\n  "verdict": "A"\n}', '{"\\u0076erdict": "A"}']
)
def test_an_object_with_exactly_its_keys_is_read(text: str) -> None:
    """White space is the one thing that may vary; an escape is the same letter."""
    assert json_object(text, ("verdict",)) == {"verdict": "A"}


NOT_THE_OBJECT = [
    "",
    "A",
    '"A"',
    "null",
    '["verdict", "A"]',
    '[{"verdict": "A"}]',
    "{}",
    '{"verdict": "A", "verdict": "B"}',
    '{"verdict": "A", "verdict": "A"}',
    '{"verdict": "A", "confidence": 1}',
    '{"Verdict": "A"}',
    '{"verdict ": "A"}',
    '{"verdict": "A",}',
    "{'verdict': 'A'}",
    '{verdict: "A"}',
    '{"verdict": "A"}\u200b',
    '\ufeff{"verdict": "A"}',
    '\xa0{"verdict": "A"}',
    '\x0c{"verdict": "A"}',
    '```json\n{"verdict": "A"}\n```',
    'Here it is: {"verdict": "A"}',
    '{"verdict": "A"}\n{"verdict": "B"}',
    '{"verdict": "A"}{"verdict": "A"}',
    '{"verdict": "A"} I hope that helps.',
    '{"verdict": NaN}',
    '{"verdict": -Infinity}',
    '{"verdict": "A"',
    '{"verdict": "A',
    '{"verdict": "A"} // because',
    '{"verdict": "A\n"}',
    '{"verdict": "A\x00"}',
    '{"verdict": ' + "[" * 100_000,
    '{"verdict": ' + "9" * 5_000 + "}",
    '{"reasoning": {"verdict": "A"}}',
]


@pytest.mark.parametrize("text", NOT_THE_OBJECT)
def test_nothing_else_is(text: str) -> None:
    """Fences, second objects, keys that stand twice (readers keep the last in silence), words around it."""
    assert json_object(text, ("verdict",)) is None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters()), st.text(st.characters()))
def test_words_around_an_object_make_it_no_object(before: str, after: str) -> None:
    """Nothing is ever searched for."""
    text = before + '{"verdict": "A"}' + after
    alone = not (before + after).strip(" \t\n\r")
    assert (json_object(text, ("verdict",)) is not None) == alone


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["reasoning", "verdict", "x"]), inner),
    )
)
def test_of_all_json_only_objects_with_these_keys_are_read(value: object) -> None:
    """Neither fewer keys nor more."""
    given_keys = value.keys() if isinstance(value, dict) else None
    found = json_object(json.dumps(value), ("reasoning", "verdict"))
    assert (found is not None) == (given_keys == {"reasoning", "verdict"})


def test_a_schema_names_every_key_and_allows_no_other() -> None:
    """As providers want it for structured output."""
    assert object_schema({"a": {"type": "string"}, "b": {"type": "integer"}}) == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
