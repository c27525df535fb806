"""Code against tests: what passes, what does not, and what only pretends to."""

import sys
from typing import Any

import pytest

from solon.data.records import Completion, Prompt, Question, Scored
from solon.labelers.verifier import Verifier

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux only"),
]

SQUARES = "assert f(2) == 4\nassert f(3) == 9"
SUMS = '[{"input": "2 3", "output": "5\\n"}, {"input": "1 1\\n", "output": "2"}]'


async def scored(check: dict[str, Any], text: str, reference: str | None) -> tuple[float, str]:
    """Score and rationale."""
    verifier = Verifier.model_validate({"checks": {"it": check}, "workers": 1})
    question = Question(prompt=Prompt.of("p", reference=reference), options=(Completion(text=text, model="m"),))
    judgment = await verifier.label(question)
    assert isinstance(judgment.outcome, Scored), judgment.outcome
    return judgment.outcome.scores[0], judgment.rationale or ""


@pytest.mark.parametrize(
    ("check", "text", "reference", "score"),
    [
        ({}, "```python\ndef f(n): return n * n\n```", SQUARES, 1.0),
        ({}, "def f(n): return n * n", SQUARES, 1.0),
        (
            {},
            "First\n```python\ndef f(n): return 0\n```\nno:\n```py\ndef f(n): return n * n\n```\n```\n9\n```",
            SQUARES,
            1.0,
        ),
        ({}, "```\ndef f(n): return n * n\n```", SQUARES, 1.0),
        ({}, "```python\ndef f(n): return g(n)\n```\n```python\ndef g(n): return n * n\n```", SQUARES, 0.0),
        (
            {"blocks": "all"},
            "```python\ndef f(n): return g(n)\n```\n```python\ndef g(n): return n * n\n```",
            SQUARES,
            1.0,
        ),
        ({}, "```js\nf = n => n * n\n```", SQUARES, 0.0),
        ({}, " ", SQUARES, 0.0),
        ({}, "def f(n): return 4", SQUARES, 0.5),
        ({"credit": "all"}, "def f(n): return 4", SQUARES, 0.0),
        ({"tests": "assert f(2) == 4"}, "def f(n): return 4", "ignored", 1.0),
        ({}, "def f(n): return n * n\nif __name__ == '__main__': input()", SQUARES, 1.0),
        (
            {},
            "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int\ndef f(n): return A(n).n ** 2",
            SQUARES,
            1.0,
        ),
        ({}, "def f(n): return n * n", "x = f(2)\nassert x == 4\nfor n in range(3): assert f(n) == n ** 2", 1.0),
        ({}, "def f(n): return n + 2", "x = f(2)\nassert x == 4\nfor n in range(3): assert f(n) == n ** 2", 0.5),
        ({}, "def f(n): return 'four'", "assert f(2) != 4\nassert f(2) != 'four'\nassert f(2) != None", 2 / 3),
        (
            {},
            "class V:\n    def __sub__(self, other): return self\n    def __abs__(self): return 5.0",
            "assert abs(V()) > 4\nassert abs(abs(V()) - 5) < 1e-9",
            1.0,
        ),
        ({"code": "stdio"}, "```python\nprint(sum(map(int, input().split())))\n```", SUMS, 1.0),
        ({"code": "stdio"}, "import sys\nif __name__ == '__main__':\n    print(5)\n    sys.exit()", SUMS, 0.5),
        ({"code": "stdio"}, "import sys\nprint(5)\nsys.exit(1)", SUMS, 0.0),
        ({"code": "stdio"}, "print('5 ')\nprint()", SUMS, 0.5),
        ({"code": "stdio"}, "import atexit\natexit.register(lambda: print(5))", SUMS, 0.5),
        ({"code": "stdio"}, "import threading\nthreading.Thread(target=lambda: print(5)).start()", SUMS, 0.5),
        ({"code": "stdio", "tests": [{"input": "", "output": "5"}]}, "print(5)", None, 1.0),
    ],
)
async def test_the_score_is_the_share_of_tests_that_pass(
    check: dict[str, Any], text: str, reference: str | None, score: float
) -> None:
    """Each in a process of its own."""
    assert (await scored({"code": "asserts", **check}, text, reference))[0] == score


ALWAYS_EQUAL = """
class Yes:
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __iter__(self): return iter([Yes()])
def f(n): return Yes()
"""
YES = """
class Yes:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = __eq__
    def __sub__(self, other): return self
    def __abs__(self): return self
def f(n): return Yes()
"""
PATCHED = """
import json, builtins, sys
import solon.sandbox.programs.plain as plain, solon.sandbox.programs.python as python
plain.encoded = python.encoded = lambda value: True
plain.equals = lambda *_: True
builtins.eval = lambda *_: 4
def f(n): return 1
"""
WRITES_THE_CLAIM = """
import os
os.write(3, b'{"value": true}')
os._exit(0)
"""
LOOKS_AROUND = """
import gc
def f(n):
    texts = [o for o in gc.get_objects() if isinstance(o, dict) and "expected" in o]
    return texts[0]["expected"] if texts else None
"""


@pytest.mark.parametrize(
    "code",
    [
        ALWAYS_EQUAL,
        PATCHED,
        WRITES_THE_CLAIM,
        LOOKS_AROUND,
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        'print(\'all tests passed\')\nprint(\'{"value": ["i", "4"]}\')',
        "import unittest, sys\nsys.modules['unittest'] = None\ndef f(n): raise SystemExit(0)",
        "def f(n): raise AssertionError",
        "import signal\ndef f(n): signal.raise_signal(signal.SIGKILL)",
        "import sys\nframe = sys._getframe().f_back\ndef f(n): return frame.f_locals.get('expected')",
    ],
)
async def test_code_that_pretends_passes_nothing(code: str) -> None:
    """What is expected is never where the code runs."""
    assert (await scored({"code": "asserts"}, code, SQUARES))[0] == 0


@pytest.mark.parametrize("test", ["f(2) == 4", "f(2) != 3", "f(2) != 'three'", "f(2) > 3", "abs(f(2) - 4) < 1e-6"])
async def test_what_answers_every_question_with_yes_passes_no_comparison_with_a_plain_value(test: str) -> None:
    """For it is none; where it is asked itself, it passes."""
    assert (await scored({"code": "asserts"}, YES, f"assert {test}"))[0] == 0
    assert (await scored({"code": "asserts"}, YES, f"assert bool({test}) or not True"))[0] == 1


async def test_printing_what_a_harness_would_print_is_only_output() -> None:
    """And is compared with what is expected, like any other."""
    assert (await scored({"code": "stdio"}, "print('OK')\nimport os\nos._exit(0)", SUMS))[0] == 0


@pytest.mark.parametrize(
    ("check", "code", "reference", "says"),
    [
        ({}, "def f(n): return n + 2", SQUARES, "1 of 2 tests pass; assert f(3) == 9: is 5"),
        ({}, "def g(n): pass", SQUARES, "0 of 2 tests pass; assert f(2) == 4: \"NameError: name 'f' is not defined\""),
        ({}, "def f(n): return object()", SQUARES, "a object is not a plain value"),
        ({"seconds": 1, "credit": "all"}, "while True: pass", SQUARES, "it: assert f(2) == 4: takes more than 1 s"),
        ({"credit": "all"}, "def f(n): return bytes(10 ** 10)", SQUARES, "assert f(2) == 4: 'MemoryError'"),
        ({}, "import os\nos._exit(0)", SQUARES, "ended too early (exit code 0)"),
        ({"code": "stdio"}, "print(4)", SUMS, "0 of 2 tests pass; input '2 3': prints '4' instead of '5'"),
        ({"code": "stdio"}, "print(input(), input())", SUMS, "input '2 3': 'EOFError: EOF when reading a line'"),
        ({"code": "stdio"}, "while True: print('x' * 1000)", SUMS, "prints more than 1 MiB"),
        ({}, "```js\n```", SQUARES, "no Python code"),
    ],
)
async def test_the_rationale_says_which_test_failed_and_how(
    check: dict[str, Any], code: str, reference: str, says: str
) -> None:
    """The first of them."""
    assert says in (await scored({"code": "asserts", **check}, code, reference))[1]


HUMAN_EVAL_REFERENCE = """
def check(candidate):
    assert candidate([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3) == True
    assert candidate([1.0, 2.0, 5.9, 4.0, 5.0], 0.8) == False

check(has_close_elements)
"""
MBPP_REFERENCE = (
    '["assert set(shared((3, 4, 5, 6), (5, 7, 4, 10))) == set((4, 5))", '
    '"assert set(shared((1, 2), (5, 2))) == set((2,))"]'
)


async def test_the_tests_of_humaneval_and_mbpp_run_as_they_are() -> None:
    """Their columns are the reference; in HumanEval with the call of `check` after them."""
    close = "def has_close_elements(xs, t): return any(abs(a - b) < t for i, a in enumerate(xs) for b in xs[:i])"
    assert (await scored({"code": "asserts"}, close, HUMAN_EVAL_REFERENCE))[0] == 1
    shared = "def shared(a, b): return tuple(set(a) & set(b))"
    assert (await scored({"code": "asserts"}, shared, MBPP_REFERENCE))[0] == 1
    assert (await scored({"code": "asserts"}, "def shared(a, b): return (4, 5)", MBPP_REFERENCE))[0] == 0.5
