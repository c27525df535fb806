"""A recipe of prompts and a reward, from the command line: built, trained with a rule and an API judge, evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
RULES = "{kind: rules, rules: {brief: {length: characters, max: 5}}}"
JUDGE = "{kind: rating, judge: {kind: scripted, default: '3', remote: true, price: {input: 1, output: 1}}}"
RECIPE = f"""\
constitution: constitution.yaml
prompts: prompts.jsonl
policy: {{model: policy, threads: 1}}
build: {{held_out: 0.25}}
train:
  kind: grpo
  reward: [{RULES}, {{name: judged, weight: 0.5, labeler: {JUDGE}}}]
  batch_size: 8
  gradient_accumulation: 1
  num_generations: 4
  max_new_tokens: 6
  max_steps: 2
evaluate: {{max_tokens: 6, with: [length]}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """24 prompts with their answers, and a policy of random weights."""
    made = Project(tmp_path / "project")
    tiny_llama(made.folder / "policy", context=64)
    made.write("recipe.yaml", RECIPE)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("prompts.jsonl", jsonl([{"prompt": f"{n}?", "reference": str(n)} for n in range(24)]))
    return made


def stages(project: Project) -> dict[str, dict[str, object]]:
    """What each stage says of itself."""
    found = json.loads((project.run_dir / "run.json").read_text())["stages"]
    return {name: stage["summary"] for name, stage in found.items()}


def test_prompts_and_a_reward_become_a_checkpoint_and_a_report(project: Project) -> None:
    """Nothing is sampled or labeled; what the judge was paid is known, and a second run pays and does nothing."""
    code, out, err = project.solon("run", "recipe.yaml")
    assert code == 0, out + err
    done = stages(project)
    assert list(done) == ["build", "train", "evaluate", "report"]

    tables = {
        side: pq.read_table(project.run_dir / "datasets" / "prompts" / f"{side}.parquet") for side in ("train", "test")
    }
    assert done["build"]["prompts"] == {side: table.num_rows for side, table in tables.items()}
    assert sum(table.num_rows for table in tables.values()) == 24
    assert tables["train"]["principles"].to_pylist()[0] == ["brief"]
    row = tables["test"].to_pylist()[0]
    assert row["prompt"] == [{"role": "user", "content": f"{row['reference']}?"}]
    assert done["evaluate"]["prompts"] == tables["test"].num_rows

    lines = (project.run_dir / "checkpoints" / "grpo" / "metrics.jsonl").read_text().splitlines()
    steps = [step for step in map(json.loads, lines) if "loss" in step]
    assert len(steps) == 2
    for step in steps:
        assert step["rewards/judged"] == 0.5
        assert step["reward"] == pytest.approx(step["rewards/rules"] + 0.25)
        assert step["rewards/missing"] == 0
    assert done["train"]["cost_usd"] == pytest.approx(paid(project))
    assert "prompts" in (project.run_dir / "report.md").read_text()

    before = paid(project)
    code, _, err = project.solon("run", "recipe.yaml")
    assert code == 0, err
    assert err.count("done before, with the same inputs") == 4
    assert paid(project) == before > 0

    # judged under another principle, the same completions earn something else
    project.write("constitution.yaml", CONSTITUTION.replace("as few words", "as many words"))
    code, _, err = project.solon("train", "recipe.yaml")
    assert code == 0, err
    assert "train     done before" not in err
    assert paid(project) > before


def test_a_budget_that_a_reward_uses_up_ends_the_run_with_4_and_more_money_goes_on(project: Project) -> None:
    """A rating costs $0.000124, and $0.0006 at most. What was paid stays paid; the training that goes on pays for the
    rest, and ends as one that had the money.
    """
    code, _, err = project.solon("run", "recipe.yaml", "max_usd=0.0012")
    assert code == 4, err
    assert "is reached" in err
    assert "raise max_usd to go on" in err
    first = paid(project)
    assert 0 < first <= 0.0012
    code, _, err = project.solon("run", "recipe.yaml", "max_usd=1")
    assert code == 0, err
    assert paid(project) > first
    code, _, err = project.solon("run", "recipe.yaml", "--run-dir", "other")
    assert code == 0, err
    ends = [folder / "checkpoints" / "grpo" / "metrics.jsonl" for folder in (project.run_dir, project.folder / "other")]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def paid(project: Project) -> float:
    """What the ledger says that judges were paid."""
    code, out, err = project.solon("ledger", "show", "--json")
    assert code == 0, err
    return sum(float(model["cost_usd"]) for model in json.loads(out)["models"])


def test_a_stage_that_it_does_not_have_is_named(project: Project) -> None:
    """`solon sample` has nothing to do here."""
    code, _, err = project.solon("sample", "recipe.yaml")
    assert code == 2
    assert "this recipe has no stage 'sample'; its stages are build, train, evaluate, report" in err
