"""Supervised fine-tuning of a tiny T5: what it learns, what its numbers mean, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
import trl_rows
from solon.data.records import Message
from solon.errors import DataError
from solon.models.base import Request
from solon.models.transformers import Transformers, unload
from solon.testing.tiny import tiny_t5
from solon.trainers.base import Lora
from solon.trainers.sft import SFT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch and transformers warn of is theirs
]
LEARN = {"learning_rate": 1e-2, "batch_size": 8, "gradient_accumulation": 1, "epochs": 3}
SHORT = {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "epochs": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A T5 of random weights, stored in bfloat16."""
    return tiny_t5(tmp_path_factory.mktemp("base") / "t5", seed=1, dtype="bfloat16")


def written(folder, rows):
    """A dataset of these prompts and completions, as texts."""
    folder.mkdir()
    table = [{"prompt": prompt, "completion": completion} for prompt, completion in rows]
    pq.write_table(pa.Table.from_pylist(table), folder / "train.parquet")
    return folder


@pytest.mark.parametrize("lora", [None, Lora(r=8)], ids=["full", "lora"])
def test_it_learns_to_answer_as_it_was_shown(lora, base, tmp_path):
    """To a prompt that it was not shown too, the end of the answer included; the checkpoint says how it is loaded."""
    dataset = trl_rows.write(tmp_path / "dataset", "sft")
    out = tmp_path / "out"
    checkpoint, logged = in_process.train(SFT(lora=lora, **LEARN), base, dataset, out)
    steps = [row for row in logged if "loss" in row]
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    assert steps[-1]["entropy"] < steps[0]["entropy"]
    assert checkpoint.metrics["eval_mean_token_accuracy"] == 1.0
    weights = ["config.json", "generation_config.json", "model.safetensors"]
    adapter = ["adapter_config.json", "adapter_model.safetensors"]
    kept = ["README.md", *(weights if lora is None else adapter), "tokenizer.json", "tokenizer_config.json"]
    assert sorted(path.name for path in out.iterdir()) == sorted(kept)
    if lora is None:
        assert json.loads((out / "config.json").read_text()) == json.loads((base / "config.json").read_text())
    else:
        assert json.loads((out / "adapter_config.json").read_text())["task_type"] == "SEQ_2_SEQ_LM"
    card = (out / "README.md").read_text()
    assert "AutoModelForSeq2SeqLM.from_pretrained" in card
    assert "pipeline_tag: text2text-generation" in card
    where = {"model": str(out)} if lora is None else {"model": str(base), "adapter": str(out)}
    asked = Request(messages=(Message(role="user", content="Is 99 a number?"),), max_tokens=8)
    (reply,) = asyncio.run(Transformers(threads=1, **where).complete_batch([asked]))
    unload()
    assert (reply.text, reply.stop) == ("yes", "end")


def test_the_loss_is_the_mean_over_a_whole_step_s_tokens(base, tmp_path):
    """Two batches of two rows make a step; transformers' T5 would give each batch's mean, and their sum."""
    from solon.models.backend.loading import load
    from solon.models.backend.scoring import log_probs

    rows = [("one", "yes"), ("two and more", "no, not in the least"), ("x" * 40, ""), ("what?", "that")]
    dataset = written(tmp_path / "dataset", rows)
    settings = SFT(learning_rate=1e-9, batch_size=2, gradient_accumulation=2, max_steps=1)
    _, (step,) = in_process.train(settings, base, dataset, tmp_path / "out")
    loaded = load(str(base), threads=1)
    pairs = [((Message(role="user", content=prompt),), completion) for prompt, completion in rows]
    tokens = sum(len(completion) + 1 for _, completion in rows)
    assert step["loss"] == pytest.approx(-sum(log_probs(loaded, pairs)) / tokens, abs=1e-4)
    assert 0 <= step["mean_token_accuracy"] <= 1


def test_a_head_of_its_own_outlives_a_training_of_all_weights(base, tmp_path):
    """As flan-t5's: it is no copy of the embeddings, and then the decoder's states are not scaled before it."""
    import torch
    from safetensors.torch import load_file, save_file

    from solon.models.backend.loading import load

    own = Path(shutil.copytree(base, tmp_path / "own"))
    weights = load_file(own / "model.safetensors")
    weights["lm_head.weight"] = weights["shared.weight"].roll(1, dims=0).contiguous()
    save_file(weights, own / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(
        json.dumps({**config, "tie_word_embeddings": False, "scale_decoder_outputs": False})
    )
    dataset = written(tmp_path / "dataset", [("x", "y")])
    in_process.train(SFT(learning_rate=1e-9, max_steps=1), own, dataset, tmp_path / "out")
    tokens = torch.tensor([[5, 6, 7, 1]])
    with torch.no_grad():
        before, after = (
            load(str(folder), threads=1).network(input_ids=tokens, decoder_input_ids=tokens).logits
            for folder in (own, tmp_path / "out")
        )
    assert torch.allclose(before, after, atol=1e-2)
    assert "lm_head.weight" in load_file(tmp_path / "out" / "model.safetensors")


@pytest.mark.parametrize("lora", [None, Lora(r=4, dropout=0.2)], ids=["full", "lora"])
def test_killed_at_several_steps_it_ends_as_if_it_had_not_been(lora, base, tmp_path):
    """Before anything was kept, at the end of an epoch, and within one: every byte, the curve's among them."""
    dataset = trl_rows.write(tmp_path / "dataset", "sft", train=12, test=4)
    settings = SFT(lora=lora, save_every=1, **SHORT)
    checkpoint, whole = in_process.train(settings, base, dataset, tmp_path / "whole")
    assert [row["step"] for row in whole] == [1, 2, 3, 3, 4, 5, 6, 6]
    kept = tmp_path / "kept"
    for number, step in enumerate([1, 3, 5]):
        with pytest.raises(in_process.Killed):
            in_process.train(settings, base, dataset, tmp_path / str(number), kept=kept, stop_at=step)
    again, rest = in_process.train(settings, base, dataset, tmp_path / "again", kept=kept)
    assert [row["step"] for row in rest] == [5, 6, 6]
    assert again.metrics == checkpoint.metrics
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == files
    assert (kept / "metrics.jsonl").read_bytes() == (tmp_path / "whole.kept" / "metrics.jsonl").read_bytes()


def test_prompts_and_responses_longer_than_the_limit_are_counted_and_refused(base, tmp_path):
    """Each has the limit to itself: 15 letters and an end are 16 tokens."""
    rows = [("x" * 15, "y" * 15), ("x" * 16, "y"), ("x", "y" * 20)]
    dataset = written(tmp_path / "dataset", rows)
    with pytest.raises(DataError) as caught:
        in_process.train(SFT(max_length=16, **SHORT), base, dataset, tmp_path / "out")
    (problem,) = caught.value.problems
    assert problem.what == "2 of 3 rows are longer than train.max_length of 16 tokens; the longest has 21"


@pytest.mark.parametrize(
    ("too_long", "left"),
    [("leave_out", {"rows/left_out": 1.0}), ("cut_prompt", {"rows/cut": 1.0})],
)
def test_longer_rows_are_left_out_or_their_prompts_cut_if_asked_and_counted(too_long, left, base, tmp_path):
    """Of two rows one has a prompt of 31 tokens."""
    dataset = written(tmp_path / "dataset", [("x" * 30, "y"), ("x" * 10, "y")])
    settings = SFT(max_length=16, too_long=too_long, max_steps=1, batch_size=2, gradient_accumulation=1)
    checkpoint, _ = in_process.train(settings, base, dataset, tmp_path / "out")
    assert {name: value for name, value in checkpoint.metrics.items() if name.startswith("rows/")} == left


def test_a_row_of_several_turns_is_refused_where_nothing_says_who_speaks(base, tmp_path):
    """The tokenizer has no chat template."""
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    (tmp_path / "dataset").mkdir()
    row = {"prompt": turns, "completion": [{"role": "assistant", "content": "y"}]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "dataset" / "train.parquet")
    with pytest.raises(DataError, match="this one is of user, assistant, user"):
        in_process.train(SFT(**SHORT), base, tmp_path / "dataset", tmp_path / "out")


def test_a_completion_that_is_not_the_assistant_s_is_refused_with_its_row(base, tmp_path):
    """It would be learned as if it were."""
    said = {"prompt": [{"role": "user", "content": "x"}], "completion": [{"role": "assistant", "content": "y"}]}
    odd = said | {"completion": [{"role": "user", "content": "y"}]}
    (tmp_path / "dataset").mkdir()
    pq.write_table(pa.Table.from_pylist([said, odd]), tmp_path / "dataset" / "train.parquet")
    with pytest.raises(DataError, match=r"train, row 2: the completion is of user"):
        in_process.train(SFT(**SHORT), base, tmp_path / "dataset", tmp_path / "out")


def test_the_policy_s_own_dropout_is_off(base):
    """T5 keeps a part of it as numbers of its attention, which no layer shows; it trains as it answers."""
    import torch

    from solon.trainers.backend.trl import load_policy
    from solon.trainers.base import Policy

    network = load_policy(Policy(model=str(base), threads=1), full=True).model
    tokens = torch.tensor([[5, 6, 7, 1]])
    with torch.no_grad():
        answers = [network.train(mode)(input_ids=tokens, decoder_input_ids=tokens).logits for mode in (True, False)]
    assert torch.equal(*answers)
