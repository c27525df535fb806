"""Plain values as a child says them, and how they are compared without becoming values."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.sandbox.programs.plain import encoded, equals, shown

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5)
)
KEYS = st.booleans() | st.integers(-3, 3) | st.text(max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(KEYS, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=10,
)


def said(value: object) -> object:
    """As it comes through the pipe."""
    return json.loads(json.dumps(encoded(value)))


@given(VALUES, VALUES)
def test_a_claim_equals_exactly_what_python_says_is_equal(value: object, other: object) -> None:
    """Whole numbers and floats alike, lists and tuples apart."""
    assert equals(said(value), value)
    assert equals(said(value), other) == (value == other)


@pytest.mark.parametrize(
    ("value", "expected", "same"),
    [
        (1, True, True),
        (1.0, 1, True),
        (Fraction(1, 2), 0.5, True),
        (Decimal("0.5"), 0.5, True),
        ([1, 2], (1, 2), False),
        ({1, 2}, frozenset({2, 1}), True),
        ({1: "a"}, {1.0: "a"}, True),
        (2 + 0j, 2, True),
        ("1", 1, False),
        (None, False, False),
        (float("nan"), float("nan"), False),
        (2**4000, 2**4000, True),
    ],
)
def test_values_of_different_types_compare_as_in_python(value: object, expected: object, same: bool) -> None:
    """At the edges."""
    assert equals(said(value), expected) is same


class EqualToAll:
    """What a hostile function may return."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize("value", [EqualToAll(), [EqualToAll()], {1: object()}, iter([1])])
def test_what_is_not_plain_is_not_said(value: object) -> None:
    """It could be equal to everything."""
    with pytest.raises(TypeError, match="is not a plain value"):
        encoded(value)


@pytest.mark.parametrize(
    "claim", [{}, [], [1], ["i"], ["i", "5", "6"], ["i", 5], ["q", "1", "0"], ["l", 5], ["d", [[1]]], ["z", []], 5]
)
def test_a_claim_that_no_child_of_ours_makes_is_refused(claim: object) -> None:
    """Code may write what it likes in our child's place."""
    with pytest.raises(ValueError, match=r"a number|a value|values|a fraction|a pair|no value"):
        equals(claim, {1: 2} if claim == ["d", [[1]]] else 5)
    assert isinstance(shown(claim), str)


@pytest.mark.parametrize("claim", [["f", "0x1p999999"], ["c", "nan", "0x1p999999"], ["y"], ["d", [["a", "b", "c"]]]])
def test_a_claim_that_is_no_value_is_unequal_to_a_text_and_can_be_shown(claim: object) -> None:
    """Nobody looks into a claim that is no text where one is expected: to show it must not end a run."""
    assert not equals(claim, "text")
    assert shown(claim) == repr(claim)


def test_many_equal_hashes_cost_nothing() -> None:
    """2 ** 61 - 1 is the modulus of hashes: a set of its multiples would take the square of their number."""
    modulus = 2**61 - 1
    claim = ["s", [["i", format(number * modulus, "x")] for number in range(10_000)]]
    assert not equals(claim, {1, 2, 3})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "3"),
        ([1, (2,)], "[1, (2,)]"),
        ({"a": None}, "{'a': None}"),
        ("x" * 100, "'" + "x" * 56 + "..."),
        (b"a", "b'a'"),
    ],
)
def test_values_are_shown_as_python_writes_them_and_short(value: object, words: str) -> None:
    """People read them in rationales."""
    assert shown(said(value)) == words
