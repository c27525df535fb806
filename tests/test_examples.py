"""Every recipe and constitution that we ship can be read, checked and planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.checking import check_recipe
from solon.constitution import lint, load
from solon.phases import problems_of_sets
from solon.planning import plan_of
from solon.recipe import Opened, read

EXAMPLES = Path(__file__).parents[1] / "examples"


def opened(path: Path) -> Opened:
    """A recipe as it runs on any machine: one for a GPU and an API has its tiny twin in a set of that name."""
    found = read(path)
    return read(path, sets=["tiny"]) if "tiny" in found.recipe.sets else found


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("recipe*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_every_recipe_is_ready_to_run(path: Path) -> None:
    """A shipped recipe with a problem, or a constitution with a remark, is a first impression lost."""
    found = check_recipe(opened(path))
    assert found.problems == []
    assert found.warnings == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("recipe*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_every_recipe_can_be_planned(path: Path) -> None:
    """What it would cost is known before it costs it; the examples cost nothing."""
    plan = plan_of(opened(path))
    assert plan.rows
    assert plan.usd == 0


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("recipe*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_the_settings_of_every_set_are_valid(path: Path) -> None:
    """Those for large models are not run here, and would rot unseen."""
    assert problems_of_sets(read(path)) == []


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("constitution*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_every_constitution_is_clean(path: Path) -> None:
    """Each principle has a case, and none repeats another."""
    assert lint(load(path)) == []
