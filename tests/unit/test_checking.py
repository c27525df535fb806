"""What can be known to be wrong before anything is spent."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.checking import check_recipe
from solon.recipe import read

RECIPE = """\
constitution: honesty
prompts: prompts.jsonl
sample: {model: {kind: scripted, default: a}}
policy: org/model
label: {kind: rules, rules: {short: {length: words, max: 1}}}
train: dpo
evaluate: {prompts: held_out.jsonl, with: [length]}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Two prompts to train on and one other to evaluate on."""
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    (tmp_path / "held_out.jsonl").write_text('{"prompt": "three"}\n')
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


def problems(recipe: Path, *overrides: str) -> list[str]:
    return [problem.what for problem in check_recipe(read(recipe, overrides)).problems]


def test_a_recipe_in_order_has_no_problems(recipe: Path) -> None:
    """What the others are compared with."""
    assert problems(recipe) == []


def test_a_held_out_prompt_that_is_trained_on_is_found_before_training(recipe: Path) -> None:
    """After it, all would have been paid for in vain. Spelling does not hide it."""
    (recipe.parent / "held_out.jsonl").write_text('{"prompt": "three"}\n{"prompt": " TWO "}\n')
    (only,) = problems(recipe)
    assert only.startswith("1 of 2 prompts in held_out.jsonl are trained on too, the first being ' TWO '")


def test_an_evaluation_without_a_held_out_prompt_is_found_before_training(recipe: Path) -> None:
    """A share of 0 holds out nothing."""
    (only,) = problems(recipe, "evaluate.prompts=null", "build.held_out=0")
    assert only.startswith("no prompt is held out to evaluate on")


def test_prompts_that_cannot_be_read_do_not_hide_what_else_is_wrong(recipe: Path) -> None:
    """All problems at once."""
    (recipe.parent / "prompts.jsonl").unlink()
    (recipe.parent / "held_out.jsonl").unlink()
    assert problems(recipe) == ["there is no such file", "there is no such file"]


def test_a_held_out_prompt_of_a_given_dataset_is_found_too(recipe: Path) -> None:
    """A recipe that begins at a dataset can leak its own test as well as any other."""
    rows = [{"prompt": [{"role": "user", "content": text}], "chosen": [], "rejected": []} for text in ("a?", "b?")]
    folder = recipe.parent / "preference"
    folder.mkdir()
    schema = pa.schema(
        [(name, pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))) for name in rows[0]]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "train.parquet")
    (recipe.parent / "leaked.jsonl").write_text('{"prompt": "b?"}\n{"prompt": "c?"}\n')
    recipe.write_text(
        "constitution: strict-format\ndataset: preference\npolicy: policy\ntrain: dpo\n"
        "evaluate: {prompts: leaked.jsonl, with: [length]}\n"
    )
    (only,) = [problem for problem in problems(recipe) if "leaked" in problem]
    assert "1 of 2 prompts in leaked.jsonl are trained on too, the first being 'b?'" in only
