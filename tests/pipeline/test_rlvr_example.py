"""The examples of verifiable rewards at a small size: the share that is right rises on prompts nobody trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.checking import check_recipe
from solon.data.records import Metric
from solon.pipeline import run, stages_of
from solon.recipe import Opened, read
from solon.trainers.grpo import GRPO

EXAMPLE = Path(__file__).parents[2] / "examples" / "rlvr"
METRICS = {"arithmetic": "accuracy", "programs": "rating"}
slow = pytest.mark.slow


def small(name: str, folder: Path) -> Opened:
    """The recipe with 16 of its steps, 100 of its held-out prompts, and what tells how many are right."""
    some = (EXAMPLE / "data" / f"{name}_held_out.jsonl").read_text("utf-8").splitlines()[:100]
    (folder / "held_out.jsonl").write_text("\n".join(some) + "\n", "utf-8")
    measure = json.dumps(read(EXAMPLE / f"{name}.yaml").data["evaluate"]["with"][:1])
    return read(
        EXAMPLE / f"{name}.yaml",
        [
            f"ledger={folder / 'ledger.sqlite'}",
            f"evaluate.prompts={folder / 'held_out.jsonl'}",
            f"evaluate.with={measure}",
            "train.max_steps=16",
            "train.batch_size=64",
        ],
    )


@slow
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
@pytest.mark.parametrize("name", ["arithmetic", "programs"])
def test_more_answers_are_right_after_grpo(name: str, tmp_path: Path) -> None:
    """By values, and by tests in the sandbox: the paired difference is above 5 points, interval and all."""
    opened = small(name, tmp_path)
    checked = check_recipe(opened)
    assert (checked.problems, checked.warnings) == ([], [])
    folder = run(opened, tmp_path / "run")
    assert list(json.loads((folder / "run.json").read_text("utf-8"))["stages"]) == stages_of(opened.recipe)
    rows = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    found = {metric.of: metric for metric in map(Metric.model_validate, rows) if metric.name == METRICS[name]}
    assert found["pair"].n == 100
    assert found["pair"].failed == 0
    assert 0.05 < found["before"].value < 0.75
    assert found["pair"].low > 0.05
    assert found["pair"].p_value is not None
    assert found["pair"].p_value < 0.01
    steps = [json.loads(line) for line in (folder / "checkpoints" / "grpo" / "metrics.jsonl").read_text().splitlines()]
    rewards = [step["rewards/verifier"] for step in steps if "rewards/verifier" in step]
    assert len(rewards) == 16
    assert sum(rewards[-6:]) > sum(rewards[:6])


@pytest.mark.parametrize("name", ["arithmetic", "programs"])
def test_groups_are_of_sixteen_and_a_verifier_rewards(name: str) -> None:
    """In the recipe as it is run here and in its set for Llama 3.1 8B, which differs in model, data and rates."""
    for sets in ([], ["llama"]):
        recipe = read(EXAMPLE / f"{name}.yaml", sets=sets).recipe
        trainer = recipe.train
        assert isinstance(trainer, GRPO)
        assert trainer.num_generations == 16
        assert [reward.labeler.kind for reward in trainer.reward] == ["verifier"]
        assert recipe.evaluate is not None
        assert {"kl", "length", "diversity"} < {measure.kind for measure in recipe.evaluate.measures}


def test_the_rows_of_gsm8k_and_mbpp_are_read_by_the_set_for_llama(tmp_path: Path) -> None:
    """In the columns and forms that the datasets have: with files and a model that are here nothing else is missing."""
    gsm8k = {"question": "How much is 2 + 3?", "answer": "2 + 3 is <<2+3=5>>5.\n#### 5"}
    mbpp = {"prompt": "Write f.", "reference": json.dumps(["import math", "assert f(1) == 2"])}
    for name, row in (("arithmetic", gsm8k), ("programs", mbpp)):
        for file in ("train.jsonl", "test.jsonl"):
            numbered = [{**row, key: f"{number}. {row[key]}"} for number in range(20) for key in list(row)[:1]]
            (tmp_path / file).write_text("".join(json.dumps(one) + "\n" for one in numbered))
            # of another split are other prompts
            row = {**row, next(iter(row)): f"Again: {next(iter(row.values()))}"}
        opened = read(
            EXAMPLE / f"{name}.yaml",
            [
                f"policy.model={EXAMPLE / 'models' / name}",
                "policy.load_in_4bit=false",
                f"prompts={tmp_path / 'train.jsonl'}",
                f"evaluate.prompts={tmp_path / 'test.jsonl'}",
                "train.max_new_tokens=64",
            ],
            ["llama"],
        )
        assert check_recipe(opened).problems == []
