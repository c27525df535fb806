"""What the RLVR benchmark says of an answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def rlvr(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program, which stands beside one that it imports."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import rlvr

    yield rlvr
    for name in ("rlvr", "pages"):
        sys.modules.pop(name, None)


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
