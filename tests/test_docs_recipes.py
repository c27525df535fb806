"""Every recipe and constitution, and part of one, that a page shows is read as one: what people copy is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from doc_blocks import Block, blocks, everything
from solon.constitution import load
from solon.data.records import Principle, RatingScale
from solon.plugins.base import base_folder
from solon.recipe import Recipe

KEYS = {field.alias or name for name, field in Recipe.model_fields.items()}
REST: dict[str, Any] = {"constitution": "honesty", "prompts": "prompts.jsonl", "policy": "models/policy"}
LABEL = {"kind": "rules", "rules": {"short": {"length": "words", "max": 9}}}


def read(block: Block) -> Any:
    """What a block says. An ellipsis stands for a chat model of the reader's."""
    return yaml.safe_load(re.sub(r"judge: \.\.\.", "judge: scripted", block.text))


def sort_of(block: Block) -> str:
    """What a block is, or is a part of; empty if that cannot be told from it."""
    part = read(block)
    if part is None:
        return "comment"
    if not isinstance(part, dict):
        return ""
    if part.keys() <= KEYS | {"judge", "checks", "rating"}:
        return "recipe"
    return (
        "constitution" if "principles" in part else "principle" if part.keys() <= Principle.model_fields.keys() else ""
    )


def readable(sort: str) -> Iterator[Any]:
    """The blocks of one sort."""
    for block in everything("yaml"):
        try:
            found = sort_of(block)
        except yaml.YAMLError:
            continue  # tests/test_docs_blocks.py says so
        if found == sort and "not run" not in block.notes:
            yield pytest.param(block, id=block.where)


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


@pytest.mark.parametrize("block", list(readable("recipe")))
def test_a_recipe_on_a_page_is_a_recipe(block: Block, tmp_path: Path) -> None:
    """Each plugin's settings are checked too: a renamed one is found on the page that still has its old name."""
    part = read(block)
    if part.keys() == {"rating"}:
        assert RatingScale.model_validate(part["rating"])
        return
    for beside in blocks(block.page):
        if beside.language == "python" and "file" in beside.notes:
            (tmp_path / beside.notes["file"]).write_text(beside.text, "utf-8")
    with base_folder(tmp_path):
        assert Recipe.model_validate(whole(part))


@pytest.mark.parametrize("block", list(readable("constitution")))
def test_a_constitution_on_a_page_is_a_constitution(block: Block, tmp_path: Path) -> None:
    """Its principles, its scale and its cases, each key of them."""
    name = "" if "name" in read(block) else "name: part\n"
    (tmp_path / "constitution.yaml").write_text(name + block.text, "utf-8")
    assert load(tmp_path / "constitution.yaml")


@pytest.mark.parametrize("block", everything("yaml"), ids=lambda block: block.where)
def test_yaml_is_read_as_what_it_is_for(block: Block) -> None:
    """Or it is a file that the page uses, or says why it cannot be read here."""
    assert sort_of(block) or {"file", "not run", "runs in"} & block.notes.keys(), "what is it for?"


def test_pages_show_recipes() -> None:
    """Or the tests above would pass on nothing."""
    assert len(list(readable("recipe"))) > 30
    assert len(list(readable("constitution"))) > 2
