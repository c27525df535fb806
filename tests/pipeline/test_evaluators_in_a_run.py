"""Evaluators that bring prompts of their own, in one run from the prompts to the report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_llama

pytest.importorskip("lm_eval")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
RECIPE = """\
constitution: constitution.yaml
prompts: prompts.jsonl
policy: {model: policy, threads: 1}
build: {held_out: 0.5}
train:
  kind: rloo
  reward: {kind: rules, rules: {brief: {length: characters, max: 5}}}
  batch_size: 4
  gradient_accumulation: 1
  num_generations: 4
  max_new_tokens: 4
  max_steps: 1
evaluate:
  max_tokens: 4
  with:
    - {kind: diversity, group_size: 3}
    - {kind: refusals, harmful: [odd]}
    - {kind: rating, judge: {kind: rules, rules: {lower: {regex: "[a-z]"}}}}
    - {kind: safety, data: safe.jsonl, by: {kind: rules, rules: {kind: {forbidden: [bad]}}}, prompts: 6, labelled: 20}
    - {kind: lm_eval, tasks: [hellaswag], data: {hellaswag: hellaswag.jsonl}}
    - {kind: qualitative, prompts: chosen.csv}
"""
MARKS = ("Violence", "Drugs")


def safe(number: int) -> dict[str, object]:
    """A row of PKU-SafeRLHF whose first response is bad."""
    return {
        "prompt": f"harm {number}",
        "response_0": "bad",
        "response_1": "kind",
        "is_response_0_safe": False,
        "is_response_1_safe": True,
        "response_0_harm_category": {name: name == MARKS[number % 2] for name in MARKS},
        "response_1_harm_category": dict.fromkeys(MARKS, False),
        "response_0_severity_level": 2,
        "response_1_severity_level": 0,
        "safer_response_id": 1,
    }


def hellaswag(number: int) -> dict[str, object]:
    """A row of HellaSwag."""
    return {
        "activity_label": "Baking",
        "ctx_a": f"{number} eggs.",
        "ctx_b": "they",
        "endings": ["break", "sing", "wait", "go"],
        "label": str(number % 4),
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A run that is over."""
    project = Project(tmp_path / "project")
    project.folder.mkdir(exist_ok=True)
    tiny_llama(project.folder / "policy", context=256)
    project.write("recipe.yaml", RECIPE)
    project.write("constitution.yaml", CONSTITUTION)
    project.write("prompts.jsonl", jsonl([{"prompt": f"{n}?", "topic": "odd" if n % 2 else "even"} for n in range(24)]))
    project.write("safe.jsonl", jsonl([safe(number) for number in range(30)]))
    project.write("hellaswag.jsonl", jsonl([hellaswag(number) for number in range(4)]))
    project.write("chosen.csv", "prompt,topic\nWhy?,simple\nWho are you?,odd ones\n")
    code, out, err = project.solon("run", "recipe.yaml")
    assert code == 0, out + err
    return project


def test_every_evaluator_leaves_its_numbers_and_grades_come_into_the_report(project: Project) -> None:
    """The form is filled in after the run; `solon report` reads it and does nothing else again."""
    evaluation = project.run_dir / "evaluation"
    names = {metric["name"].partition("/")[0] for metric in json.loads((evaluation / "metrics.json").read_text())}
    assert {"distinct_1", "refusals", "over_refusals", "rating", "safety_judge", "unsafe", "lm_eval"} <= names
    assert len((evaluation / "safety.jsonl").read_text().splitlines()) == 6
    assert len((evaluation / "lm_eval_hellaswag.jsonl").read_text().splitlines()) == 4
    form = project.run_dir / "grades.csv"
    with form.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["prompt"]) for row in rows] == [("simple", "Why?"), ("odd ones", "Who are you?")]
    page = (project.run_dir / "report.html").read_text()
    assert "Side by side" in page
    assert "Grade by people" not in page

    rows[0] |= {"grade_a": "2", "grade_b": "5", "note": "a stranger's <b>note</b>"}
    with form.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    filled = form.read_bytes()
    metrics = (evaluation / "metrics.json").stat()
    code, out, err = project.solon("run", "recipe.yaml")
    assert code == 0, out + err
    page = (project.run_dir / "report.html").read_text()
    assert "Grade by people" in page
    assert "a stranger&#39;s &lt;b&gt;note&lt;/b&gt;" in page
    assert (form.read_bytes(), (evaluation / "metrics.json").stat()) == (filled, metrics)


def test_prompts_that_were_trained_on_are_refused(project: Project) -> None:
    """A chosen prompt that the policy has learned from would show what it remembers."""
    project.write("chosen.csv", "prompt\n" + "".join(f"{n}?\n" for n in range(24)))
    code, _, err = project.solon("run", "recipe.yaml")
    assert code != 0
    assert "that an evaluator brings are trained on too" in " ".join(err.split())
