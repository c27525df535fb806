"""What the pages say is so: targets exist, links lead somewhere, what is quoted is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from doc_blocks import PAGES, ROOT, each_page, everything, name_of
from doc_blocks import blocks as blocks_of
from solon.recipe import Recipe, read


def blocks(path: Path, language: str) -> list[str]:
    return [block.text for block in blocks_of(path) if block.language == language]


def test_every_make_target_that_a_page_names_exists() -> None:
    """The first command of a newcomer must not be a misprint."""
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shell = [block.text for block in everything("sh", "console")]
    named = {name for text in shell for name in re.findall(r"^make ([a-z][\w-]*)", text, re.MULTILINE)}
    assert named >= {"quickstart", "test"}
    assert named - targets == set()


@pytest.mark.parametrize("path", each_page())
def test_every_link_within_the_project_leads_somewhere(path: Path) -> None:
    """A dead link is a promise that was not kept. Its ``#heading`` is looked at where the site is built."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    """On a code host, where there is no navigation but links. The front page of the site is for the site alone."""
    found, ahead = {ROOT / "README.md"}, [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        links = re.findall(r"\]\(([^)#:\s]+\.md)(?:#[^)]*)?\)", page.read_text("utf-8")) if page.is_file() else []
        new = {(page.parent / link).resolve() for link in links} - found
        found |= new
        ahead += new
    assert [name_of(page) for page in PAGES if page not in found] == ["docs/index.md"]


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


def test_the_labeler_of_the_plugin_guide_works() -> None:
    """It is what a plugin author starts from."""
    (code,) = blocks(ROOT / "docs" / "plugins" / "writing.md", "python")
    namespace: dict[str, object] = {"__name__": "my_package"}
    exec(compile(code, "writing.md", "exec", dont_inherit=True), namespace)  # not our __future__ imports
    brevity = namespace["Brevity"]
    assert brevity(limit=50).settings() == {"kind": "brevity", "limit": 50}  # type: ignore[operator]
