"""What the RLVR benchmark says of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from benchmark_programs import program


@pytest.fixture
def rlvr() -> Iterator[ModuleType]:
    """The program."""
    with program("rlvr") as module:
        yield module


@pytest.mark.parametrize(
    ("name", "text", "way"),
    [
        ("arithmetic", "7 + 5 = 12, 6 + 8 + 1 = 15, 4 + 3 + 1 = 8, so 852.", "digit by digit"),
        ("arithmetic", "It is 852.", "from memory"),
        ("arithmetic", "About 900.", "roughly"),
        ("programs", "def f(x): return x", "code that returns"),
        ("programs", "```python\ndef f(x): return x\n```", "code that returns"),
        ("programs", "def f(x): print(x)", "code that prints"),
        ("programs", "Here it is: def f(x): print(x)", "code behind a sentence"),
        ("programs", "That depends on x.", "an excuse"),
    ],
)
def test_the_way_of_an_answer_is_told_by_its_words(rlvr: ModuleType, name: str, text: str, way: str) -> None:
    """Those are the ways in which the bases have read answers."""
    assert rlvr._way(name, text) == way


@pytest.mark.parametrize(
    ("asked", "text", "mistake"),
    [
        ("all of x less than 8, added up", "def f(x): print(sum(n for n in x if n < 8))", "prints"),
        (
            "all of x less than 8, added up",
            "def f(x): return sum(n for n in x if n <= 8) # untested",
            "counts the limit in, or leaves it out, wrongly",
        ),
        ("how many of x are at most 8", "def f(x): return sum(n for n in x if n <= 8)", "adds up something else"),
        (
            "the squares of all of x divisible by 8, added up",
            "```python\ndef f(x): return sum(n for n in x if n % 8 == 0)\n```",
            "adds up something else",
        ),
        ("all of x at least 8, added up", "def f(x): return sum(n for n in x if n >= 9)", "takes other elements"),
        (
            "all of x at least 8, added up",
            "Here it is: def f(x): return sum(n for n in x if n > 8)",
            "broken, of another form, or no code",
        ),
        (
            "how many of x are at most 8",
            "def f(x): return sum(n for n in x if n <in(sum(1 for n in x if n <= 8))",
            "broken, of another form, or no code",
        ),
        ("how many of x are at most 8", "You could use a loop.", "broken, of another form, or no code"),
    ],
)
def test_a_wrong_program_on_lists_is_told_by_what_differs_from_the_task(
    rlvr: ModuleType, asked: str, text: str, mistake: str
) -> None:
    """What is added up first, then the limit; code that is no Python is not compared at all."""
    assert rlvr._mistake(f"Write f(x): {asked}.", text) == mistake
