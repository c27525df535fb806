"""``docs/recipes.md`` shows every recipe that is shipped, and nothing of one that is not in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "recipes.md"


def linked() -> set[Path]:
    """All that the page links to."""
    return {(PAGE.parent / link).resolve() for link in re.findall(r"\]\(([^)#:]+)", PAGE.read_text("utf-8"))}


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of each row of each table."""
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def shown() -> Iterator[Any]:
    """Each recipe with the line that the page shows of it."""
    for row in rows(PAGE):
        lines = [cell.strip("`") for cell in row if cell.startswith("`{")]
        recipes = re.findall(r"\]\(\.\./(examples/[^)]+\.yaml)\)", " ".join(row))
        for recipe in recipes if lines else []:
            yield pytest.param(recipe, lines[0], id=f"{recipe} {lines[0]}")


def holds(whole: Any, part: Any) -> bool:
    """Whether a recipe says what a line says of it: mappings may say more, and lists each item more."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], each) for key, each in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


def test_every_shipped_recipe_is_on_the_page() -> None:
    """A recipe that nobody finds might as well not be there."""
    recipes = {path.resolve() for path in EXAMPLES.rglob("*.yaml") if "constitution" not in path.name}
    recipes = {path for path in recipes if EXAMPLES / "plugins" not in path.parents}  # each in its package's README
    recipes = {
        path for path in recipes if yaml.safe_load(path.read_text("utf-8")).keys() & {"label", "train", "phases"}
    }
    assert len(recipes) > 40
    assert sorted(str(path.relative_to(ROOT)) for path in recipes - linked()) == []


def test_every_folder_of_examples_is_on_the_page() -> None:
    """Those without a recipe, of plugins or of a notebook, are examples too."""
    pages = {path.resolve() for path in [*EXAMPLES.glob("*/README.md"), *EXAMPLES.glob("plugins/*/README.md")]}
    pages.discard(EXAMPLES / "plugins" / "README.md")  # of which each package has a row
    assert sorted(str(path.relative_to(ROOT)) for path in pages - linked()) == []


@pytest.mark.parametrize(("recipe", "line"), list(shown()))
def test_what_the_page_shows_of_a_recipe_is_in_it(recipe: str, line: str) -> None:
    """A renamed setting is found on the page that still has its old name."""
    assert holds(yaml.safe_load((ROOT / recipe).read_text("utf-8")), yaml.safe_load(line))


def test_requests_are_those_that_the_labeling_examples_state() -> None:
    """Which a test of theirs counts."""
    stated = {
        row[0].partition("]")[0].strip("["): row[3]
        for row in rows(EXAMPLES / "labeling" / "README.md")
        if len(row) == 5
    }
    found = {
        name: row[-1]
        for row in rows(PAGE)
        for name in re.findall(r"\[(\w+)\]\(\.\./examples/labeling/\w+\.yaml\)", row[1])
    }
    assert len(found) == 25
    assert found == {name: stated[name] for name in found}


def test_seconds_of_trainers_are_those_that_were_measured() -> None:
    """The results are written anew by a benchmark, and the page would keep the old ones."""
    measured: dict[str, str] = {}
    for row in rows(ROOT / "docs" / "results" / "trainers.md"):
        if len(row) == 8:
            measured.setdefault(row[0], row[-1].split()[0])  # the first table; another one stands beside plain TRL
    page = {
        name: row[-1]
        for row in rows(PAGE)
        for name in re.findall(r"\[(\w+)\]\(\.\./examples/trainers/\w+\.yaml\)", row[1])
        if len(row) == 4 and row[-1]
    }
    of = {name: "ppo, LoRA" if name == "ppo" else name for name in page}
    assert len(page) == 8
    assert page == {name: measured[of[name]] for name in page}
