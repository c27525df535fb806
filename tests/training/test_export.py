"""From a trained adapter to a model by itself: the command line, the numbers of both, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    LlamaConfig,
    T5Config,
)

from project import CONSTITUTION, Project
from solon.errors import DataError
from solon.exporting import export, merged_weights
from solon.testing.tiny import tiny_llama
from solon.trainers.backend.merging import merge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
RECIPE = """\
constitution: constitution.yaml
dataset: preference
policy: {model: policy, threads: 1}
train:
  kind: dpo
  max_steps: 2
  batch_size: 2
  learning_rate: 0.1
  warmup_ratio: 0
  lora: {r: 2, target_modules: [q_proj, v_proj]}
"""
TRAINED, ALL = 2 * 2 * (32 + 32) * 2, 28_992 + 2 * 2 * (32 + 32) * 2


def said(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose training, of an adapter of rank 2 on a policy in bfloat16, is done."""
    made = Project(tmp_path_factory.mktemp("tmp") / "project")
    tiny_llama(made.folder / "policy", context=64, dtype="bfloat16")
    made.write("recipe.yaml", RECIPE)
    made.write("constitution.yaml", CONSTITUTION)
    pair = {"prompt": said("user", "Hi"), "chosen": said("assistant", "a"), "rejected": said("assistant", "b")}
    (made.folder / "preference").mkdir()
    pq.write_table(pa.Table.from_pylist([pair, pair]), made.folder / "preference" / "train.parquet")
    process = made.start("train", "recipe.yaml", environment={"CUDA_VISIBLE_DEVICES": ""})
    _, err = process.communicate(timeout=800)
    assert process.returncode == 0, err
    made.write("err", err)
    return made


def test_a_training_says_first_how_much_of_the_model_it_moves(project: Project) -> None:
    """And the checkpoint's numbers have it: rank 2 on q and v, 32 wide, in two layers."""
    lines = [line.split() for line in (project.folder / "err").read_text().splitlines() if line.startswith("train ")]
    table = [line[1:] for line in lines]
    assert table[:2] == [
        ["backend", "plain:", "there", "is", "no", "NVIDIA", "GPU", "here"],
        ["parameters", "trainable", "all", "share"],
    ]
    assert ["adapters,", "attention", f"{TRAINED:,}", f"{TRAINED:,}", "100.00%"] in table
    assert ["together", f"{TRAINED:,}", f"{ALL:,}", f"{TRAINED / ALL:.2%}"] in table
    metrics = json.loads((project.run_dir / "run.json").read_text())["stages"]["train"]["summary"]["checkpoint"][
        "metrics"
    ]
    assert (metrics["parameters/trainable"], metrics["parameters/all"]) == (TRAINED, ALL)


def test_merged_weights_answer_as_base_and_adapter_together(project: Project) -> None:
    """But for the rounding to 16 bits, in which the base is stored."""
    code, out, err = project.solon("export", "runs/project", "--to", "merged", "--merge", "--json")
    assert code == 0, err
    exported = json.loads(out)
    assert (exported["form"], exported["dtype"]) == ("merged", "bfloat16")
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= set(exported["files"])
    assert not [name for name in exported["files"] if "adapter" in name or name.endswith(".bin")]
    base = AutoModelForCausalLM.from_pretrained(project.folder / "policy", dtype=torch.float32)
    tokens = torch.arange(6, 26)[None]
    with torch.no_grad():
        before = base(tokens).logits
        together = PeftModel.from_pretrained(base, project.run_dir / "checkpoints" / "dpo")(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(project.folder / "merged", dtype=torch.float32)(tokens).logits
    moved, rounded = (together - before).abs().max(), (together - merged).abs().max()
    assert rounded < 0.05 * moved


def test_an_adapter_for_another_base_is_refused_by_name(project: Project, tmp_path: Path) -> None:
    """Its matrices have another width."""
    other = tiny_llama(tmp_path / "other", hidden_size=16, heads=2)
    with pytest.raises(DataError, match=r"this adapter does not fit .*other: .*--base"):
        export(project.run_dir, tmp_path / "out", merge=True, base=str(other))
    assert not (tmp_path / "out").exists()


T5 = T5Config(vocab_size=37, d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=4, decoder_start_token_id=0)
LLAMA = LlamaConfig(
    vocab_size=37,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=1,
    num_attention_heads=4,
    num_labels=1,
    pad_token_id=0,
)


@pytest.mark.parametrize(
    ("task", "factory", "config"),
    [("SEQ_2_SEQ_LM", AutoModelForSeq2SeqLM, T5), ("SEQ_CLS", AutoModelForSequenceClassification, LLAMA)],
    ids=["encoder-decoder", "reward-model"],
)
def test_an_adapter_is_merged_into_a_model_of_its_own_kind(task, factory, config, tmp_path: Path) -> None:
    """A reward model's head, which is in the adapter's folder, comes along; float32 weights become bfloat16."""
    torch.manual_seed(0)
    base = factory.from_config(config)
    base.save_pretrained(tmp_path / "base")
    adapted = get_peft_model(base, LoraConfig(r=2, task_type=task, init_lora_weights=False)).eval()
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    (tmp_path / "out").mkdir()
    assert merge(tmp_path / "adapter", str(tmp_path / "base"), tmp_path / "out") == "bfloat16"
    expected = adapted.merge_and_unload().state_dict()
    merged = factory.from_pretrained(tmp_path / "out", dtype=torch.float32).state_dict()
    assert merged.keys() == expected.keys()
    off = {name: float((merged[name] - weight).abs().max() / weight.abs().max()) for name, weight in expected.items()}
    assert max(off.values()) < 2**-7  # bfloat16 has 8 binary digits


def test_weights_for_a_further_training_are_merged_once_and_keep_32_bits(tmp_path: Path) -> None:
    """Rounded to 16 bits, a small training would be lost in the next; merged each time, a rerun would take minutes."""
    tiny_llama(tmp_path / "base", dtype="float32")
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), LoraConfig(r=2))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=1e-4)
    adapted.save_pretrained(tmp_path / "sft")
    merged = merged_weights(tmp_path / "sft", str(tmp_path / "base"), of={"adapter": "1"})
    assert merged == tmp_path / "sft-merged"
    expected = adapted.merge_and_unload().state_dict()
    found = AutoModelForCausalLM.from_pretrained(merged, dtype="auto").state_dict()
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert all(torch.allclose(found[name], expected[name], atol=1e-7) for name in found)
    written = [(path.name, path.stat().st_mtime_ns) for path in sorted(merged.iterdir())]
    merged_weights(tmp_path / "sft", str(tmp_path / "base"), of={"adapter": "1"})
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(merged.iterdir())] == written
    merged_weights(tmp_path / "sft", str(tmp_path / "base"), of={"adapter": "2"})
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(merged.iterdir())] != written
