"""Tests that relate numbers: the code is asked for numbers, and what they have to do is found outside."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from solon.labelers.code_relations import holds, taken_apart
from solon.labelers.code_tests import asserts_of
from solon.sandbox.programs.plain import encoded


@pytest.mark.parametrize(
    ("test", "asked", "relation"),
    [
        ("f(2) > 3", "(f(2),)", "_0 > 3"),
        ("3 <= f(2)", "(f(2),)", "3 <= _0"),
        ("0 < f(2) < -3", "(f(2),)", "0 < _0 < -3"),
        ("abs(f(2) - 1.5) < 10 ** -6", "(f(2),)", "abs(_0 - 1.5) < 10 ** (-6)"),
        ("abs(f(2)) > 4", "(abs(f(2)),)", "_0 > 4"),
        ("abs(abs(f(2)) - 5) < 1e-9", "(abs(f(2)),)", "abs(_0 - 5) < 1e-09"),
        ("abs(f(2) - 1.5) < 1e-6", "(f(2),)", "abs(_0 - 1.5) < 1e-06"),
        ("abs(f(2) - g(2)) <= 1 / 3", "(f(2), g(2))", "abs(_0 - _1) <= 1 / 3"),
        ("-f(2) + 1 > 2 * 3", "(f(2),)", "-_0 + 1 > 2 * 3"),
        ("len(f(2)) > 3", "(len(f(2)),)", "_0 > 3"),
        ("math.isclose(f(2), 1.5, rel_tol=1e-3)", "(f(2),)", "math.isclose(_0, 1.5, rel_tol=0.001)"),
    ],
)
def test_numbers_are_asked_for_and_related_outside(test: str, asked: str, relation: str) -> None:
    """Whatever is arithmetic on numbers that are told."""
    assert taken_apart(ast.parse(test, mode="eval").body) == (asked, relation)
    (read,) = asserts_of(f"import math\nassert {test}")
    assert (read.expression, read.truth, read.relation) == (asked, False, relation)


@pytest.mark.parametrize(
    "test",
    [
        "f(1) > f(2)",
        "f() < 'b'",
        "{1} <= f()",
        "f() + g() > h()",
        "f() in (1, 2)",
        "f() is not 3",
        "f() != 3 != 4",
        "f() < 9 ** 9 ** 9",
        "f() < (9 ** 999) ** 999",
        "f() < 9 ** 9999",
        "f() > True",
        "1 < 2",
    ],
)
def test_what_may_be_anything_is_left_as_it_is(test: str) -> None:
    """Texts and sets have an order too."""
    assert taken_apart(ast.parse(test, mode="eval").body) is None


@pytest.mark.parametrize(
    ("relation", "values", "expected"),
    [
        ("_0 > 3", (4,), True),
        ("_0 > 3", (3,), False),
        ("_0 > 3", (float("nan"),), False),
        ("_0 > 0", (True,), True),
        ("0 < _0 < 3", (2.5,), True),
        ("0 < _0 < 3", (3,), False),
        ("abs(_0 - 1.5) < 1e-06", (1.5000001,), True),
        ("abs(_0 - 1.5) < 10 ** -6", (1.5000001,), True),
        ("abs(_0 - 1.5) < 10 ** -6", (1.51,), False),
        ("abs(_0 - _1) <= 1 / 3", (1, 2), False),
        ("-_0 + 1 > 2 * 3", (-6,), True),
        ("math.isclose(_0, 1.5, rel_tol=0.1)", (1.6,), True),
        ("math.isclose(_0, 1.5)", (1.6,), False),
    ],
)
def test_it_holds_or_not(relation: str, values: tuple[Any, ...], expected: bool) -> None:
    """As Python would have it."""
    assert holds(relation, encoded(values)) is expected


@pytest.mark.parametrize(
    "claim", [True, None, "x", [], ["t"], ["t", ["x"]], ["t", [["l", []]]], ["l", [["i", "4"]]], ["t", [["i", "zz"]]]]
)
def test_what_is_no_number_is_an_error(claim: Any) -> None:
    """And so no pass: it may have been written by the code."""
    with pytest.raises(ValueError, match=r"number|value|int"):
        holds("_0 > 3", claim)
