"""How many entries train at a time."""

from pathlib import Path
from typing import Any

import pytest

from solon.comparison.running import at_once
from solon.recipe import Opened, Recipe
from solon.trainers.backends import GPU, Machine


def _recipe(threads: int | None) -> Opened:
    data: dict[str, Any] = {
        "constitution": "c.yaml",
        "prompts": "p.jsonl",
        "policy": {"model": "m", "threads": threads},
    }
    data |= {"label": {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}}
    return Opened(Recipe.model_validate(data), Path("recipe.yaml"), data)


@pytest.mark.parametrize(
    ("threads", "cores", "expected"), [(1, 4, 3), (2, 4, 2), (4, 4, 1), (8, 4, 1), (None, 4, 1), (1, 2, 2)]
)
def test_a_policy_s_threads_say_how_many_the_cores_carry(
    threads: int | None, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that states none takes all cores; never more than there are entries."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert at_once(_recipe(threads), 3, Machine()) == expected


def test_each_entry_has_a_gpu_to_itself() -> None:
    """Two on one card would take each other's memory."""
    cards = tuple(GPU(name="card", gib=24.0) for _ in range(2))
    assert at_once(_recipe(1), 5, Machine(gpus=cards)) == 2
    assert at_once(_recipe(1), 5, Machine(gpus=cards[:1])) == 1
