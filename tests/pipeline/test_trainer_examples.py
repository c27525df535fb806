"""Every recipe of ``examples/trainers``: in the README, ready to run, and at a small size trained to its end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from solon.checking import check_recipe
from solon.data.records import Checkpoint
from solon.pipeline import run, stages_of
from solon.planning import plan_of
from solon.recipe import read

TRAINERS = Path(__file__).parents[2] / "examples" / "trainers"
QUICKSTART = TRAINERS.parent / "quickstart"
EVERY = sorted(path.stem for path in TRAINERS.glob("*.yaml"))
KINDS = ("dpo", "grpo", "kto", "orpo", "ppo", "reward", "rloo", "selfplay", "sft", "simpo")


def test_every_recipe_is_in_the_readme() -> None:
    """Where a user looks first; each row leads to the page of its trainer."""
    readme = (TRAINERS / "README.md").read_text("utf-8")
    told = re.findall(r"^\| \[(\w+)\]\(\1\.yaml\) \|.*\(\.\./\.\./(docs/trainers/\w+\.md)\)", readme, re.MULTILINE)
    assert sorted(name for name, _ in told) == EVERY
    assert all((TRAINERS.parents[1] / page).exists() for _, page in told)
    assert set(KINDS) <= set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_every_recipe_is_ready_to_run_and_costs_nothing(name: str, tmp_path: Path) -> None:
    """A shipped recipe with a problem is a first impression lost. What it costs is told from few of its prompts."""
    opened = read(TRAINERS / f"{name}.yaml")
    found = check_recipe(opened)
    assert (found.problems, found.warnings) == ([], [])
    few = tmp_path / "prompts.jsonl"
    few.write_text("".join(_lines("prompts.jsonl", 24)), "utf-8")
    assert plan_of(read(TRAINERS / f"{name}.yaml", [f"prompts={few}"])).usd == 0
    assert opened.recipe.train is not None
    assert opened.recipe.train.kind == name


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
@pytest.mark.parametrize("name", KINDS)
def test_a_recipe_trains_and_measures(name: str, tmp_path: Path) -> None:
    """As it stands, but for fewer prompts and two steps: every stage gives what the next one reads."""
    prompts, held_out = tmp_path / "prompts.jsonl", tmp_path / "held_out.jsonl"
    prompts.write_text("".join(_lines("prompts.jsonl", 24)), "utf-8")
    held_out.write_text("".join(_lines("held_out.jsonl", 8)), "utf-8")
    small = [f"prompts={prompts}", f"ledger={tmp_path / 'ledger.sqlite'}", "train.max_steps=2", "train.batch_size=8"]
    match name:
        case "grpo" | "rloo" | "ppo":
            small += ["train.max_new_tokens=12"]
        case "selfplay":  # which learns no answer that was cut off
            small += ["train.rounds=2"]
        case _:
            small += ["sample.n=4"]
    small += [] if name == "reward" else [f"evaluate.prompts={held_out}", "evaluate.max_tokens=12"]
    opened = read(TRAINERS / f"{name}.yaml", small)
    folder = run(opened, tmp_path / "run")

    done = json.loads((folder / "run.json").read_text("utf-8"))["stages"]
    assert list(done) == stages_of(opened.recipe)
    checkpoint = Checkpoint.model_validate(done["train"]["summary"]["checkpoint"])
    assert checkpoint.trainer == name
    weights = {"full": "model.safetensors", "lora": "adapter_model.safetensors"}[checkpoint.form]
    assert (folder / checkpoint.path / weights).exists()
    assert (folder / "report.md").exists()
    if name != "reward":
        metrics = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
        assert {"compliance", "accuracy", "accuracy/greedy", "kl"} <= {metric["name"] for metric in metrics}


def _lines(name: str, count: int) -> list[str]:
    return (QUICKSTART / name).read_text("utf-8").splitlines(keepends=True)[:count]
