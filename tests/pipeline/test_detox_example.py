"""The detox example at a small size: fine-tuned, merged, trained by PPO, evaluated; and its recipes for FLAN-T5."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from solon.checking import check_recipe
from solon.data.records import Checkpoint
from solon.pipeline import run, stages_of
from solon.recipe import read
from solon.trainers.ppo import PPO

EXAMPLE = Path(__file__).parents[2] / "examples" / "detox"
README = (EXAMPLE / "README.md").read_text("utf-8")


def first(name: str, count: int, to: Path) -> Path:
    """A file with the first rows of one of the example's."""
    to.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(parquet.read_table(EXAMPLE / "data" / name).slice(0, count), to)
    return to


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
def test_it_fine_tunes_then_rewards_then_measures(tmp_path: Path) -> None:
    """As README.md says it, with a few dialogues and two steps each."""
    ledger = f"ledger={tmp_path / 'ledger.sqlite'}"
    first("sft/train.parquet", 32, tmp_path / "sft-data" / "train.parquet")
    opened = read(EXAMPLE / "sft.yaml", [ledger, f"dataset={tmp_path / 'sft-data'}", "train.batch_size=16"])
    assert check_recipe(opened).problems == []
    tuned = run(opened, tmp_path / "sft")
    summary = json.loads((tuned / "run.json").read_text("utf-8"))["stages"]["train"]["summary"]
    checkpoint = Checkpoint.model_validate(summary["checkpoint"])
    assert checkpoint.form == "lora"
    # r = 32 on q and v of 2 encoder and 2 x 2 decoder attentions, each 64 x 64
    assert checkpoint.metrics["parameters/trainable"] == 6 * 2 * 32 * (64 + 64)

    merged = tmp_path / "summariser"
    (line,) = [line for line in README.splitlines() if line.startswith("solon export runs/detox-sft ")]
    here = {"runs/detox-sft": str(tuned), "runs/detox-summariser": str(merged)}
    command = [sys.executable, "-m", *(here.get(word, word) for word in shlex.split(line))]
    exported = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLE.parents[1])
    assert exported.returncode == 0, exported.stderr
    opened = read(
        EXAMPLE / "ppo.yaml",
        [
            ledger,
            f"policy.model={merged}",
            f"prompts={first('prompts.parquet', 16, tmp_path / 'prompts.parquet')}",
            f"evaluate.prompts={first('held_out.parquet', 8, tmp_path / 'held_out.parquet')}",
            "train.max_steps=2",
            "train.batch_size=8",
        ],
    )
    checked = check_recipe(opened)
    assert (checked.problems, checked.warnings) == ([], [])
    folder = run(opened, tmp_path / "ppo")
    assert list(json.loads((folder / "run.json").read_text("utf-8"))["stages"]) == stages_of(opened.recipe)
    lines = (folder / "checkpoints" / "ppo" / "metrics.jsonl").read_text("utf-8").splitlines()
    steps = [step for step in map(json.loads, lines) if "alarm" not in step]
    assert len(steps) == 2
    assert steps[0]["objective/kl"] == pytest.approx(0.0, abs=1e-3)  # before the first step it is the reference
    assert {"returns/mean", "advantages/mean"} <= steps[1].keys()
    found = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    assert {"toxicity", "toxicity/deviation", "toxicity/likely", "rating", "kl"} <= {metric["name"] for metric in found}
    assert all(metric["n"] == 8 for metric in found if metric["name"] in {"toxicity", "rating"})
    # the reward of each summary before and after, by which samples are sorted
    items = [json.loads(line)["values"] for line in (folder / "evaluation" / "items.jsonl").read_text().splitlines()]
    (mean,) = [metric["value"] for metric in found if (metric["name"], metric["of"]) == ("rating", "pair")]
    assert sum(row["rating"][1] - row["rating"][0] for row in items) / len(items) == pytest.approx(mean)


def test_the_recipes_for_flan_t5_are_complete(tmp_path: Path) -> None:
    """All that a machine without network can see: with dialogues and a T5 that are here nothing else is missing.

    The settings are the published ones: 16 dialogues a step in mini-batches of 4, for 10 steps, each seen once.
    """
    base = f"policy.model={EXAMPLE / 'models' / 'base'}"
    first("sft/train.parquet", 8, tmp_path / "sft" / "train.parquet")
    tuning = read(EXAMPLE / "flan_t5_sft.yaml", [base, f"dataset={tmp_path / 'sft'}"])
    rewarding = read(
        EXAMPLE / "flan_t5_ppo.yaml",
        [
            base,
            f"prompts={first('prompts.parquet', 8, tmp_path / 'prompts.parquet')}",
            f"evaluate.prompts={first('held_out.parquet', 8, tmp_path / 'held_out.parquet')}",
        ],
    )
    for opened in (tuning, rewarding):
        checked = check_recipe(opened)
        assert (checked.problems, checked.warnings) == ([], [])
    trainer = rewarding.recipe.train
    assert isinstance(trainer, PPO)
    assert (trainer.rollouts, trainer.batch_size, trainer.max_steps, trainer.passes) == (16, 4, 10, 1)
    assert trainer.learning_rate == 1.41e-5
