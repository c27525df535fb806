"""Every recipe, and every part of one, that a page shows can be read as one: what people copy must not be refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.data.records import RatingScale
from solon.plugins.base import base_folder
from solon.recipe import Recipe

ROOT = Path(__file__).parents[1]
PAGES = [*(ROOT / name for name in ("README.md", "examples/quickstart/README.md"))]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
KEYS = {field.alias or name for name, field in Recipe.model_fields.items()}

REST: dict[str, Any] = {"constitution": "honesty", "prompts": "prompts.jsonl", "policy": "models/policy"}
LABEL = {"kind": "rules", "rules": {"short": {"length": "words", "max": 9}}}


def shown() -> Iterator[Any]:
    """Each part of a recipe on a page, with the page's name and the block's number."""
    for page in PAGES:
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        for number, block in enumerate(blocks, start=1):
            # an ellipsis stands for a chat model of the reader's
            part = yaml.safe_load(re.sub(r"judge: \.\.\.", "judge: scripted", block))
            if isinstance(part, dict) and part.keys() <= KEYS | {"judge", "checks", "rating"}:
                yield pytest.param(part, id=f"{page.relative_to(ROOT)}-{number}")


def whole(part: dict[str, Any]) -> dict[str, Any]:
    """A recipe that has this part."""
    match part:
        case {"judge": judge}:
            return {**REST, "label": {"kind": "pairwise", "judge": judge}}
        case {"checks": checks}:
            return {**REST, "label": {"kind": "verifier", "checks": checks}}
    beginning = {"candidates", "dataset"} & part.keys()
    rest = {name: value for name, value in REST.items() if not beginning or name != "prompts"}
    train = part.get("train")
    if "dataset" not in part and not (isinstance(train, dict) and {"reward", "labeler"} & train.keys()):
        rest["label"] = LABEL
    if "evaluate" in part:
        rest["train"] = {"kind": "dpo"}
    return {**rest, **part}


@pytest.mark.parametrize("part", list(shown()))
def test_a_recipe_on_a_page_is_a_recipe(part: dict[str, Any], tmp_path: Path) -> None:
    """Each plugin's settings are checked too: a renamed one is found on the page that still has its old name."""
    if part.keys() == {"rating"}:
        assert RatingScale.model_validate(part["rating"])
        return
    with base_folder(tmp_path):
        assert Recipe.model_validate(whole(part))


def test_pages_show_recipes() -> None:
    """Or the test above would pass on nothing."""
    assert len(list(shown())) > 30
