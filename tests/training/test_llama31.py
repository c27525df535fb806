"""What Llama 3.1 has of its own: three ends, no pad token, reserved tokens, a chat format, adapters everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

import in_process
from rewarding import CONSTITUTION
from solon.data.records import Message
from solon.models.backend.generation import Ask, write
from solon.models.backend.loading import load
from solon.testing.llama31 import ORDINARY, SPECIAL, llama_31_tokenizer, special_tokens, tiny_llama_31
from solon.trainers.base import Judging, Lora
from solon.trainers.dpo import DPO
from solon.trainers.grpo import GRPO

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
FIRST = 256
"""Id of the first special token of the tiny model."""
ENDS = (FIRST + 1, FIRST + 8, FIRST + 9)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny folder of that form."""
    return tiny_llama_31(tmp_path_factory.mktemp("base"), spread=0.3)


def test_the_special_tokens_have_the_ids_of_llama_31():
    """As its tokenizer.json lists them."""
    tokenizer = llama_31_tokenizer(ORDINARY)
    assert len(tokenizer) == ORDINARY + SPECIAL == 128_256
    known = {
        "<|begin_of_text|>": 128000,
        "<|end_of_text|>": 128001,
        "<|reserved_special_token_0|>": 128002,
        "<|finetune_right_pad_id|>": 128004,
        "<|reserved_special_token_2|>": 128005,
        "<|start_header_id|>": 128006,
        "<|end_header_id|>": 128007,
        "<|eom_id|>": 128008,
        "<|eot_id|>": 128009,
        "<|python_tag|>": 128010,
        "<|reserved_special_token_247|>": 128255,
    }
    assert {token: tokenizer.convert_tokens_to_ids(token) for token in known} == known
    assert len(set(special_tokens())) == SPECIAL


def test_its_pad_token_is_the_one_made_for_it_and_all_three_ends_count(base):
    """Its tokenizer names no pad token; the ends stand in its generation settings only."""
    loaded = load(str(base))
    assert loaded.tokenizer.pad_token == "<|finetune_right_pad_id|>"
    assert loaded.pad_id == FIRST + 4
    assert loaded.eos_ids == ENDS


def test_a_chat_begins_once_and_ends_every_turn(base):
    """The template writes the beginning, so the tokenizer must not again."""
    chat = load(str(base)).chat
    said = [Message(role="user", content="a"), Message(role="assistant", content="b")]
    (tokens,) = chat.encode([said[:1]])
    header, end = FIRST + 6, FIRST + 7
    assert tokens[:2] == [FIRST, header]
    assert tokens.count(FIRST) == 1
    assert [tokens.count(token) for token in (header, end, FIRST + 9)] == [2, 2, 1]
    ((_, completion),) = chat.encode_answered([(said[:1], "b")])
    assert completion[-1] == FIRST + 9


@pytest.mark.parametrize("end", ENDS, ids=["end_of_text", "eom", "eot"])
def test_each_of_the_three_ends_a_completion(base, end):
    """A head that always gives one of them."""
    loaded = load(str(base))
    head = loaded.network.get_output_embeddings()
    with torch.no_grad():
        head.weight.zero_()
        head.bias = torch.nn.Parameter(torch.zeros(FIRST + SPECIAL))
        head.bias[end] = 100.0
    (tokens,) = loaded.chat.encode([[Message(role="user", content="a")]])
    (reply,) = write(loaded, [Ask(tokens, max_tokens=5)])
    assert (reply.tokens, reply.ended, reply.end) == ([], True, end)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts to answer."""
    folder = tmp_path_factory.mktemp("prompts")
    rows = [{"prompt": [{"role": "user", "content": f"Say {number}."}]} for number in range(8)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    return folder


def test_grpo_sees_a_completion_end_at_any_of_the_three(base, prompts, tmp_path):
    """One that only <|eom_id|> or <|end_of_text|> ended would count as cut off, and go on after its end."""
    folder = tmp_path / "ends"
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"].zero_()  # with all scores alike, each of 512 tokens is as likely
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    settings = GRPO(
        reward={"kind": "rules", "rules": {"any": {"regex": "."}}},
        lora=Lora(r=2),
        max_new_tokens=200,
        max_steps=1,
        batch_size=64,
        gradient_accumulation=1,
        num_generations=8,
    )
    judging = Judging(constitution=CONSTITUTION, ledger=tmp_path / "ledger.sqlite", run="mine", max_failed=1)
    _, rows = in_process.train(settings, folder, prompts, tmp_path / "out", judging=judging)
    # cut off is who met no end in 200 tokens: (509/512)^200 = .31 with three of them, (511/512)^200 = .68 with one
    assert rows[0]["completions/clipped_ratio"] < 0.5


def test_adapters_go_onto_all_linear_layers_and_not_onto_the_head(base, tmp_path):
    """Of every layer; the default of `lora: {}`."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    said = [{"role": "assistant", "content": "yes"}], [{"role": "assistant", "content": "no"}]
    rows = [{"prompt": [{"role": "user", "content": "?"}], "chosen": said[0], "rejected": said[1]} for _ in range(4)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    settings = DPO(lora=Lora(), batch_size=4, gradient_accumulation=1, max_steps=1)
    in_process.train(settings, base, folder, tmp_path / "out")
    names = {name.rsplit(".lora_", 1)[0] for name in load_file(tmp_path / "out" / "adapter_model.safetensors")}
    assert {name.rsplit(".", 1)[1] for name in names} == LINEAR
    assert len(names) == 2 * len(LINEAR)
