"""Tests taken apart: what is asked of the code, and what only we know."""

import pytest

from solon.labelers.code_tests import AssertTest, Case, asserts_of, cases_of


def asked(source: str) -> list[tuple[str, bool, object]]:
    """Expression, whether its truth is asked for, and what is expected, of each test."""
    return [(test.expression, test.truth, test.expected) for test in asserts_of(source)]


@pytest.mark.parametrize(
    ("source", "expression", "expected"),
    [
        ("assert f(2) == 4", "f(2)", 4),
        ("assert 4 == f(2)", "f(2)", 4),
        ("assert f() == [1, (2.5, 'a'), {3: None}], 'why'", "f()", [1, (2.5, "a"), {3: None}]),
        ("assert set(f()) == set((3, 4))", "set(f())", {3, 4}),
        ("assert f() == float('-inf')", "f()", float("-inf")),
        ("assert f() == -3", "f()", -3),
        ("assert f() is None", "f()", None),
    ],
)
def test_what_is_compared_with_a_plain_value_is_asked_for_without_it(
    source: str, expression: str, expected: object
) -> None:
    """Code that does not know what is expected cannot pretend to have found it."""
    assert asked(source) == [(expression, False, expected)]


@pytest.mark.parametrize(
    "condition",
    [
        "f(1) == f(2)",
        "f(1) < f(2)",
        "set('a') <= f()",
        "math.isclose(f(1), f(2))",
        "not f()",
        "f()",
        "f() == 1 and g() == 2",
        "f() is True",
        "f() == range(3)",
    ],
)
def test_of_any_other_condition_the_truth_is_asked_for(condition: str) -> None:
    """It has to be found where the code runs."""
    assert asked(f"assert {condition}") == [(condition, True, True)]


def test_each_assert_is_a_test_after_the_statements_before_it() -> None:
    """So that one that fails does not hide the others."""
    source = "import math\nx = f(1)\nassert x == 1\ny = 2\nassert math.isclose(f(y), 2.0)"
    assert [test.setup for test in asserts_of(source)] == ["import math\nx = f(1)", "import math\nx = f(1)\ny = 2"]


def test_the_lists_of_mbpp_are_read_as_they_are() -> None:
    """Its column `test_list` is a list of statements."""
    assert asked('["assert f(1) == 1", "assert f(2) == 4"]') == [("f(1)", False, 1), ("f(2)", False, 4)]


HUMAN_EVAL = """
METADATA = {'author': 'jt'}

def check(candidate):
    assert candidate([1, 2]) == 3
    n = 7
    assert candidate([n]) == 7, "one"
    assert True
    for k in range(3):
        assert candidate([k]) == k

check(total)
"""


def test_the_check_function_of_humaneval_becomes_its_asserts() -> None:
    """Two of them and a loop, which is one test; `assert True` is none. Its names stay apart from the code's."""
    assert asked(HUMAN_EVAL) == [("total([1, 2])", False, 3), ("total([_test_n])", False, 7), ("True", True, True)]
    last = asserts_of(HUMAN_EVAL)[-1]
    assert "_test_n = 7" in last.setup
    assert last.setup.endswith("for _test_k in range(3):\n    assert total([_test_k]) == _test_k")


def test_a_function_of_asserts_that_cannot_be_unfolded_is_one_test() -> None:
    """One that returns early would not run what follows."""
    (test,) = asserts_of("def check(f):\n    if f(0):\n        return\n    assert f(1)\ncheck(g)")
    assert test == AssertTest(test.setup, "True", truth=True, expected=True, source="the rest of the tests")
    assert test.setup.endswith("check(g)")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("assert f(", "the tests are not Python"),
        ("x = 1", "the tests hold no assert"),
        ("assert True", "the tests hold no assert"),
        ("", "the tests hold no assert"),
        ("42 apples", "the tests are not Python"),
        ("\x00", "the tests are not Python"),
        ("(" * 1000, "the tests are not Python"),
        (f"assert f({'-' * 900}1) == 1", "the tests are not Python: maximum recursion depth exceeded"),
        (f"assert f(0x{'f' * 4000}) == 1", "the tests are not Python: Exceeds the limit"),
    ],
)
def test_what_tests_nothing_is_an_error(source: str, says: str) -> None:
    """And not tests that every response passes."""
    with pytest.raises(ValueError, match=says):
        asserts_of(source)


def test_cases_are_what_is_read_and_what_must_be_printed() -> None:
    """A list of objects with two texts."""
    assert cases_of('[{"input": "2 3", "output": "5"}]') == (Case(input="2 3", output="5"),)


@pytest.mark.parametrize("source", ["", "5", "[]", '[{"input": "2"}]', '[{"input": 2, "output": "5"}]', "[" * 100_000])
def test_cases_of_another_form_are_an_error(source: str) -> None:
    """And not cases that every response passes."""
    with pytest.raises(ValueError, match="the tests are"):
        cases_of(source)
