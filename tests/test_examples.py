"""Every recipe and constitution that we ship can be read, checked and planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.checking import check_recipe
from solon.constitution import lint, load
from solon.planning import plan_of
from solon.recipe import read

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("recipe*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_every_recipe_is_ready_to_run(path: Path) -> None:
    """A shipped recipe with a problem, or a constitution with a remark, is a first impression lost."""
    found = check_recipe(read(path))
    assert found.problems == []
    assert found.warnings == []


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("recipe*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_every_recipe_can_be_planned(path: Path) -> None:
    """What it would cost is known before it costs it; the examples cost nothing."""
    plan = plan_of(read(path))
    assert plan.rows
    assert plan.usd == 0


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("constitution*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_every_constitution_is_clean(path: Path) -> None:
    """Each principle has a case, and none repeats another."""
    assert lint(load(path)) == []
