"""A recipe on a T5, from the command line: sampled, labeled, built, trained with `sft`, evaluated, exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_t5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch and transformers warn of is theirs
]
RECIPE = """\
constitution: constitution.yaml
prompts: prompts.jsonl
policy: {model: policy, threads: 1}
sample: {n: 4, max_tokens: 8}
label: {kind: rules, rules: {brief: {length: characters, max: 5}}}
build: {held_out: 0.25}
train:
  kind: sft
  lora: {r: 4}
  learning_rate: 1.0e-2
  batch_size: 8
  gradient_accumulation: 1
  epochs: 3
evaluate: {max_tokens: 8, with: [{kind: compliance, rules: {brief: {length: characters, max: 5}}}, length, kl]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """24 prompts, and a T5 of random weights, stored in bfloat16."""
    made = Project(tmp_path / "project")
    tiny_t5(made.folder / "policy", dtype="bfloat16")
    made.write("recipe.yaml", RECIPE)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("prompts.jsonl", jsonl([{"prompt": f"What is {n} and {n}?"} for n in range(24)]))
    return made


def test_a_whole_recipe_runs_on_an_encoder_decoder(project: Project) -> None:
    """Every stage leaves its numbers; the merged export is a model of the base's kind that loads and answers."""
    from solon.data.records import Message
    from solon.models.backend.generation import Ask, write
    from solon.models.backend.loading import load

    code, out, err = project.solon("run", "recipe.yaml")
    assert code == 0, out + err
    done = json.loads((project.run_dir / "run.json").read_text())["stages"]
    assert list(done) == ["sample", "label", "build", "train", "evaluate", "report"]
    metrics = done["train"]["summary"]["checkpoint"]["metrics"]
    assert metrics["loss"] > 0
    # rank 4 on q, k, v, o (32 x 32) of 2 encoder and 4 decoder attentions, and on wi and wo (32 x 64) of 4 blocks
    assert metrics["parameters/trainable"] == 6 * 4 * 4 * (32 + 32) + 4 * 2 * 4 * (32 + 64)
    assert metrics["parameters/all"] == 49_952 + metrics["parameters/trainable"]
    found = json.loads((project.run_dir / "evaluation" / "metrics.json").read_text())
    named = {metric["name"]: metric["value"] for metric in found}
    assert named["kl"] > 0

    code, out, err = project.solon("export", "runs/project", "--to", "merged", "--merge")
    assert code == 0, out + err
    assert "AutoModelForSeq2SeqLM.from_pretrained" in (project.folder / "merged" / "README.md").read_text()
    loaded = load(str(project.folder / "merged"), threads=1)
    prompts = loaded.chat.encode([[Message(role="user", content="What is 3 and 3?")]])
    assert loaded.apart
    assert len(write(loaded, [Ask(prompt, 8) for prompt in prompts])) == 1


def test_a_trainer_that_takes_no_encoder_decoder_is_found_by_check(project: Project) -> None:
    """Before anything was sampled and paid for."""
    code, out, err = project.solon("check", "recipe.yaml", "train.kind=dpo")
    assert code == 2
    assert "trainer 'dpo' trains causal language models, and this is an encoder-decoder" in out + err


def test_the_doctor_counts_what_a_training_of_it_needs(project: Project) -> None:
    """From its configuration alone; of a trainer that takes none it says so."""
    code, out, err = project.solon("doctor", "--model", "policy", "--trainer", "dpo")
    assert code != 0
    assert "trainer 'dpo' trains causal language models" in out + err
    code, out, err = project.solon("doctor", "--model", "policy", "--trainer", "sft", "--json")
    assert code == 0, err
    assert json.loads(out)["parameters"] > 49_952
