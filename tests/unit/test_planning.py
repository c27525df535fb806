"""What a recipe would ask, counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.planning import Row, plan_of
from solon.recipe import read

RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
policy: policy
label: {kind: pairwise, judge: {kind: scripted, model: labels, remote: true, price: {input: 1, output: 1}}}
train: dpo
evaluate: {prompts: held_out.jsonl, max_tokens: 8}
"""
CONSTITUTION = """\
name: two
principles:
- {id: one, text: A first principle.}
- {id: two, text: Another principle that is rather a little longer than the first.}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four prompts with three responses, and five held-out prompts."""
    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    lines = [f'{{"prompt": "p{n}", "responses": ["a", "b", "c"]}}\n' for n in range(4)]
    (tmp_path / "candidates.jsonl").write_text("".join(lines))
    (tmp_path / "held_out.jsonl").write_text("".join(f'{{"prompt": "h{n}"}}\n' for n in range(5)))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def rows(folder: Path, *overrides: str) -> list[Row]:
    return list(plan_of(read(folder / "recipe.yaml", overrides)).rows)


def requests(folder: Path, *overrides: str) -> list[tuple[str, str, int]]:
    return [(row.stage, row.model, row.requests) for row in rows(folder, *overrides)]


def test_labels_and_answers_are_counted(folder: Path) -> None:
    """A knockout of 3 has 2 matches: 2 orders x 2 principles x 2 matches x 4 prompts. 2 policies answer 5 prompts."""
    assert requests(folder) == [("label", "labels", 32), ("evaluate", "policy", 10)]


def test_a_win_rate_without_a_judge_asks_the_labelers(folder: Path) -> None:
    """It costs what it costs: 2 orders x 2 principles x 1 match x 5 held-out prompts."""
    assert requests(folder, "evaluate.with=[win_rate]")[2:] == [("evaluate", "labels", 20)]


def test_agreement_asks_about_the_labeled_pairs(folder: Path) -> None:
    """2 orders x 2 principles x 1 match for each of the 2 matches of the labels on each of the 4 prompts."""
    other = "{kind: pairwise, judge: {kind: scripted, model: other}}"
    with_other = f"evaluate.with=[{{kind: agreement, with: {other}}}]"
    assert requests(folder, with_other)[2:] == [("evaluate", "other", 32)]


def test_a_judge_that_may_reason_is_planned_with_all_it_may_write(folder: Path) -> None:
    """The estimate errs upwards, so its output is `max_tokens` a question."""
    assert rows(folder)[0].output_tokens == 32 * 16
    assert rows(folder, "label.max_tokens=1000")[0].output_tokens == 32 * 1000


def test_all_principles_in_one_question_are_all_counted(folder: Path) -> None:
    """With `each`, a question shows one principle; with `all`, it shows both, and is longer."""
    each, together = rows(folder)[0], rows(folder, "label.principles=all")[0]
    assert together.requests == each.requests / 2
    assert together.input_tokens / together.requests > each.input_tokens / each.requests


def test_a_recipe_that_begins_at_a_dataset_is_planned_from_its_evaluation(folder: Path) -> None:
    """Its examiners cost money too."""
    text = (folder / "recipe.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("label")]
    (folder / "recipe.yaml").write_text("\n".join(lines).replace("candidates: candidates.jsonl", "dataset: data"))
    judge = "{kind: win_rate, judge: {kind: pairwise, judge: {kind: scripted, model: other}}}"
    assert requests(folder, f"evaluate.with=[{judge}]") == [("evaluate", "policy", 10), ("evaluate", "other", 20)]


def test_judges_of_every_evaluator_are_counted(folder: Path) -> None:
    """Two answers to each of 5 prompts: under each of 2 principles for a rating, and once whether they refuse."""
    judge = "judge: {kind: scripted, model: other}"
    rating = f"{{kind: rating, judge: {{kind: rating, {judge}}}}}"
    assert requests(folder, f"evaluate.with=[{rating}]")[2:] == [("evaluate", "other", 20)]
    assert requests(folder, f"evaluate.with=[{{kind: refusals, {judge}}}]")[2:] == [("evaluate", "other", 10)]
    assert requests(folder, "evaluate.with=[refusals]")[2:] == []


def test_prompts_that_an_evaluator_brings_are_counted(folder: Path) -> None:
    """Of 30 rows 20 are answered by both policies, and the judge reads these 40 answers and 20 that people labelled.

    Twenty prompts for people to read are answered by both.
    """
    marks = {"Violence": False}
    row = {"response_0": "a", "response_1": "b", "is_response_0_safe": False, "is_response_1_safe": True}
    row |= {"safer_response_id": 1, "response_0_severity_level": 1, "response_1_severity_level": 0}
    row |= {"response_0_harm_category": marks, "response_1_harm_category": marks}
    lines = "".join(json.dumps({"prompt": f"s{n}", **row}) + "\n" for n in range(30))
    (folder / "safe.jsonl").write_text(lines)
    judge = "{kind: rating, principles: all, judge: {kind: scripted, model: other}}"
    safety = f"{{kind: safety, data: safe.jsonl, by: {judge}, labelled: 20}}"
    assert requests(folder, f"evaluate.with=[{safety}]")[1:] == [
        ("evaluate", "policy", 10),
        ("evaluate", "policy", 40),
        ("evaluate", "other", 60),
    ]
    assert requests(folder, "evaluate.with=[qualitative]")[1:] == [
        ("evaluate", "policy", 10),
        ("evaluate", "policy", 40),
    ]
