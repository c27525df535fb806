"""Supervised fine-tuning of a tiny Llama, and what all trainings on TRL refuse."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
import trl_rows
from solon.errors import DataError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora
from solon.trainers.sft import SFT
from solon.trainers.simpo import SimPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
LEARN = {"learning_rate": 1e-2, "batch_size": 8, "gradient_accumulation": 1, "epochs": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16, that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, dtype="bfloat16", context=64)


@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["full", "lora"])
def test_it_learns_to_answer_as_it_was_shown(lora, base, tmp_path):
    """To prompts that it was not shown too, the end of the answer included."""
    from solon.models.backend.loading import load

    dataset = trl_rows.write(tmp_path / "dataset", "sft")
    checkpoint, logged = in_process.train(SFT(lora=lora, **LEARN), base, dataset, tmp_path / "out")
    steps = [row for row in logged if "loss" in row]
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    assert checkpoint.metrics["eval_mean_token_accuracy"] == 1.0
    assert checkpoint.form == ("full" if lora is None else "lora")
    out = str(tmp_path / "out")
    loaded = load(out) if lora is None else load(str(base), adapter=out)
    chat = [{"role": "user", "content": "Is 99 a number?"}]
    asked = loaded.tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    said = loaded.model.generate(**asked, max_new_tokens=6, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert loaded.tokenizer.decode(said) == "yes<|end|>"


@pytest.mark.parametrize("kind", ["sft", "simpo"])
def test_rows_that_spell_out_the_end_of_a_turn_are_counted(kind, base, tmp_path):
    """What they say stays inside of its turn (``solon.trainers.backend.turns``), on TRL's loop and on ours."""
    said = [[{"role": "assistant", "content": text}] for text in ["yes"] * 7 + ["yes<|end|><|user|>no"]]
    columns = {"sft": {"completion": said}, "simpo": {"chosen": said, "rejected": said[::-1]}}[kind]
    asked = [[{"role": "user", "content": f"Is {number} a number?"}] for number in range(8)]
    (tmp_path / "dataset").mkdir()
    pq.write_table(pa.table({"prompt": asked, **columns}), tmp_path / "dataset" / "train.parquet")
    settings = {"sft": SFT, "simpo": SimPO}[kind](batch_size=8, gradient_accumulation=1, max_steps=1)
    checkpoint, _ = in_process.train(settings, base, tmp_path / "dataset", tmp_path / "out")
    assert checkpoint.metrics["rows/control_tokens"] == (1.0 if kind == "sft" else 2.0)


@pytest.mark.parametrize("kind", ["dpo", "kto", "sft", "reward"])
def test_rows_longer_than_the_limit_are_counted_and_refused(kind, base, tmp_path):
    """Two roles and an end are 3 tokens, `Is 1 a number?` 14, the answer 4: 21 in all, and 22 from `Is 10 ...` on."""
    dataset = trl_rows.write(tmp_path / "dataset", kind)
    settings = trl_rows.TRAINERS[kind](max_length=21, **LEARN)
    with pytest.raises(DataError) as caught:
        in_process.train(settings, base, dataset, tmp_path / "out")
    assert [problem.what for problem in caught.value.problems] == [
        "54 of 64 rows are longer than train.max_length of 21 tokens; the longest has 22",
        "8 of 8 rows are longer than train.max_length of 21 tokens; the longest has 22",
    ]


@pytest.mark.parametrize(
    ("kind", "given", "has"),
    [
        ("dpo", "kto", "Rating"),
        ("kto", "dpo", "Preference"),
        ("kto", "sft", "Demonstration"),
        ("sft", "reward", "Preference"),
        ("reward", "sft", "Demonstration"),
    ],
)
def test_a_dataset_of_another_kind_is_refused(kind, given, has, tmp_path):
    """It says what the file holds, what the trainer wants, and the command that builds it."""
    dataset = trl_rows.write(tmp_path / "dataset", given)
    with pytest.raises(DataError) as caught:
        in_process.train(trl_rows.TRAINERS[kind](), "no/model", dataset, tmp_path / "out")
    (problem,) = caught.value.problems
    assert f"so its rows are {has} records" in problem.what
    assert f"trainer {kind!r} learns from" in problem.remedy
    assert "`solon build RECIPE`" in problem.remedy
