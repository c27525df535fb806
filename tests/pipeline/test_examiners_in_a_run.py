"""Examiners of a policy that was trained on rewards: whether the one who measures is the one who taught."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
BRIEF = "{kind: rules, rules: {brief: {length: characters, max: 5}}}"
LOWER = "{kind: rules, rules: {lower: {regex: '[a-z]'}}}"
RECIPE = f"""\
constitution: constitution.yaml
prompts: prompts.jsonl
policy: {{model: policy, threads: 1}}
build: {{held_out: 0.5}}
train:
  kind: rloo
  reward: {BRIEF}
  held_out_judge: {LOWER}
  batch_size: 4
  gradient_accumulation: 1
  num_generations: 4
  max_new_tokens: 4
  max_steps: 1
evaluate: {{max_tokens: 4, with: [{{kind: win_rate, judge: JUDGE}}]}}
"""


@pytest.mark.parametrize(("judge", "taught"), [(BRIEF, True), (LOWER, False)], ids=["rewarded", "only watched"])
def test_a_judge_that_rewarded_is_no_independent_one(judge: str, taught: bool, tmp_path: Path) -> None:
    """One that watched the training was not learned from."""
    project = Project(tmp_path / "project")
    tiny_llama(project.folder / "policy", context=64)
    project.write("recipe.yaml", RECIPE.replace("JUDGE", judge))
    project.write("constitution.yaml", CONSTITUTION)
    project.write("prompts.jsonl", jsonl([{"prompt": f"{n}?"} for n in range(16)]))
    code, out, err = project.solon("run", "recipe.yaml")
    assert code == 0, out + err
    summary = json.loads((project.run_dir / "run.json").read_text())["stages"]["evaluate"]["summary"]
    assert [warning.partition(":")[0] for warning in summary["warnings"]] == (
        ["win_rate is judged by rules, which also labeled or rewarded"] if taught else []
    )
    metrics = json.loads((project.run_dir / "evaluation" / "metrics.json").read_text())
    said = [metric["method"] for metric in metrics if metric["name"] == "win_rate"]
    assert ["which also labeled or rewarded" in one for one in said] == [taught]
