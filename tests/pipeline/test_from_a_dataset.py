"""A recipe that begins at a dataset: trained, evaluated, and evaluated anew when what it is judged by has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
JUDGE = "{kind: scripted, default: A, remote: true, price: {input: 1, output: 1}}"
RECIPE = f"""\
constitution: constitution.yaml
dataset: preference
policy: {{model: policy, threads: 1}}
train: {{kind: dpo, max_steps: 2, batch_size: 2, learning_rate: 0.1, warmup_ratio: 0}}
evaluate:
  prompts: held_out.jsonl
  max_tokens: 8
  with: [{{kind: win_rate, judge: {{kind: pairwise, judge: {JUDGE}}}}}, kl]
"""


def message(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two pairs to learn from, four held-out prompts, and a policy of random weights."""
    made = Project(tmp_path / "project")
    tiny_llama(made.folder / "policy", context=64)
    made.write("recipe.yaml", RECIPE)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("held_out.jsonl", jsonl([{"prompt": f"{n}?"} for n in range(4)]))
    pair = {"prompt": message("user", "Hi"), "chosen": message("assistant", "a"), "rejected": message("assistant", "b")}
    (made.folder / "preference").mkdir()
    pq.write_table(pa.Table.from_pylist([pair, pair]), made.folder / "preference" / "train.parquet")
    return made


def test_it_is_evaluated_again_exactly_when_something_it_rests_on_has_changed(project: Project) -> None:
    """A judge reads the constitution, although nothing was labeled under it; training does not."""

    def said(*words: str) -> dict[str, bool]:
        """For train and evaluate, whether they were skipped."""
        code, _, err = project.solon("run", "recipe.yaml", *words)
        assert code == 0, err
        skipped = [line.split()[0] for line in err.splitlines() if "done before, with the same inputs" in line]
        return {stage: stage in skipped for stage in ("train", "evaluate")}

    def evaluated() -> dict[str, float]:
        """What the evaluation says of itself."""
        stages = json.loads((project.run_dir / "run.json").read_text())["stages"]
        return dict(stages["evaluate"]["summary"])

    assert said() == {"train": False, "evaluate": False}
    cost = evaluated()["cost_usd"]
    assert cost > 0
    assert said() == {"train": True, "evaluate": True}

    project.write("constitution.yaml", CONSTITUTION.replace("- id: brief", "- id: brief\n    weight: 2"))
    assert said() == {"train": True, "evaluate": False}
    assert evaluated()["cost_usd"] == cost  # the judge was asked the same, and not again

    # as a run leaves it in which calls of the judge were unavailable
    state = json.loads((project.run_dir / "run.json").read_text())
    state["stages"]["evaluate"]["summary"]["unavailable"] = 1
    (project.run_dir / "run.json").write_text(json.dumps(state))
    assert said() == {"train": True, "evaluate": False}
    assert evaluated()["unavailable"] == 0
    assert said() == {"train": True, "evaluate": True}


def test_answers_that_do_not_fit_the_model_are_told_apart_from_those_that_may_come(project: Project) -> None:
    """512 tokens of an answer never fit into 64, however often it is run again."""
    code, _, err = project.solon("run", "recipe.yaml", "evaluate.max_tokens=512")
    assert code == 3
    assert "4 of 4 held-out prompts lack an answer of one model or both (prompt too long 8)" in err
    assert "lower max_tokens" in err
    assert "run again" not in err
