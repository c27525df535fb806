"""What the pages say is so: targets exist, recipes can be read, links lead somewhere, code runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from solon.recipe import Recipe, read

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_make_target_that_a_page_names_exists() -> None:
    """The first command of a newcomer must not be a misprint."""
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name
        for path in PAGES
        for block in [*blocks(path, "sh"), *re.findall(r"^    (make .*)$", path.read_text("utf-8"), re.MULTILINE)]
        for name in re.findall(r"^make ([a-z][\w-]*)", block, re.MULTILINE)
    }
    assert named >= {"quickstart", "test"}
    assert named - targets == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(path: Path) -> None:
    """A dead link is a promise that was not kept."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_yaml_and_json_block_can_be_read(path: Path) -> None:
    """What people copy must parse."""
    for block in blocks(path, "yaml"):
        yaml.safe_load(block)
    for block in blocks(path, "json"):
        for text in [block] if block.lstrip().startswith("[") or "\n " in block else block.splitlines():
            json.loads(text)  # one value, or one a line


def test_the_readmes_recipe_is_a_recipe(tmp_path: Path) -> None:
    """It names models that are not here, so it is read but not run."""
    (recipe,) = [block for block in blocks(ROOT / "README.md", "yaml") if block.startswith("constitution:")]
    (tmp_path / "recipe.yaml").write_text(recipe, "utf-8")
    assert isinstance(read(tmp_path / "recipe.yaml").recipe, Recipe)


def test_the_readme_shows_the_principle_that_the_quickstart_has() -> None:
    """The second thing to try begins with finding this text in the file."""
    (shown,) = [block for block in blocks(ROOT / "README.md", "yaml") if block.startswith("principles:")]
    constitution = yaml.safe_load((ROOT / "examples" / "quickstart" / "constitution.yaml").read_text("utf-8"))
    assert yaml.safe_load(shown)["principles"][0]["text"] == constitution["principles"][0]["text"]


def test_the_labeler_of_contributing_works() -> None:
    """It is what a plugin author starts from."""
    (code,) = blocks(ROOT / "CONTRIBUTING.md", "python")
    namespace: dict[str, object] = {"__name__": "my_package"}
    exec(compile(code, "CONTRIBUTING.md", "exec", dont_inherit=True), namespace)  # not our __future__ imports
    brevity = namespace["Brevity"]
    assert brevity(limit=50).settings() == {"kind": "brevity", "limit": 50}  # type: ignore[operator]
