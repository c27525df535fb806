"""SimPO and ORPO on a tiny Llama: what they learn, that they go on after a kill bit for bit, and what they refuse.

Every token of the policy is a byte. At first it finds `yes` likelier than `nay`, and `nay` is what is preferred.
"""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
from solon.errors import DataError, RecipeError, TrainingError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora
from solon.trainers.orpo import ORPO
from solon.trainers.simpo import SimPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]
LEARN = {"learning_rate": 1e-2, "batch_size": 8, "gradient_accumulation": 1, "epochs": 2}
ADAPTER = Lora(r=4, dropout=0.1)
KINDS = {"simpo": SimPO, "orpo": ORPO}


def pairs(numbers):
    """Preferences for `nay` over a `yes` of another length, whatever is asked."""
    return [
        {
            "prompt": [{"role": "user", "content": f"Is {number} a number?"}],
            "chosen": [{"role": "assistant", "content": "nay"}],
            "rejected": [{"role": "assistant", "content": "yes" if number % 2 else "yes, yes"}],
        }
        for number in numbers
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16, that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, dtype="bfloat16", context=64)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """32 pairs to learn from, 8 held out."""
    folder = tmp_path_factory.mktemp("preference")
    pq.write_table(pa.Table.from_pylist(pairs(range(32))), folder / "train.parquet")
    pq.write_table(pa.Table.from_pylist(pairs(range(32, 40))), folder / "test.parquet")
    return folder


@pytest.mark.parametrize("lora", [None, ADAPTER], ids=["full", "lora"])
@pytest.mark.parametrize("kind", ["simpo", "orpo"])
def test_the_chosen_response_becomes_likelier_than_the_rejected_one(base, dataset, tmp_path, kind, lora):
    """Of prompts too that it was not trained on, and for ORPO by learning to give it."""
    checkpoint, logged = in_process.train(KINDS[kind](beta=2, lora=lora, **LEARN), base, dataset, tmp_path / "out")
    steps, held_out = ([row for row in logged if name in row] for name in ("loss", "eval_loss"))
    assert steps[0]["rewards/margins"] < 0
    assert [row["step"] for row in steps] == list(range(1, 9))
    assert [row["step"] for row in held_out] == [4, 8]
    assert steps[-1]["rewards/accuracies"] == held_out[-1]["eval_rewards/accuracies"] == 1.0
    assert held_out[-1]["eval_rewards/margins"] > 1
    if kind == "orpo":
        assert held_out[-1]["eval_logps/chosen"] > steps[0]["logps/chosen"] + 3
    assert checkpoint.form == ("full" if lora is None else "lora")
    assert checkpoint.metrics["loss"] == steps[-1]["loss"]
    assert checkpoint.metrics["eval_loss"] == held_out[-1]["eval_loss"]


@pytest.mark.parametrize("lora", [None, ADAPTER], ids=["full", "lora"])
@pytest.mark.parametrize("kind", ["simpo", "orpo"])
def test_killed_at_every_step_it_ends_with_the_same_bytes(base, dataset, tmp_path, kind, lora):
    """Weights, model card and curve, although dropout of the adapter draws random numbers at every step."""
    settings = KINDS[kind](lora=lora, save_every=2, **LEARN)
    undisturbed, _ = in_process.train(settings, base, dataset, tmp_path / "undisturbed")
    kept = tmp_path / "kept"
    began = []
    for step in range(1, 9):
        with pytest.raises(in_process.Killed):
            in_process.train(settings, base, dataset, tmp_path / f"killed-{step}", kept=kept, stop_at=step)
        began.append(max([0, *(int(folder.name[5:]) for folder in (kept / "trainer").iterdir())]))
    assert began == [0, 0, 2, 2, 4, 4, 6, 6]
    disturbed, logged = in_process.train(settings, base, dataset, tmp_path / "disturbed", kept=kept)
    assert [row["step"] for row in logged] == [7, 8, 8]
    assert in_process.hashes(tmp_path / "disturbed") == in_process.hashes(tmp_path / "undisturbed")
    assert disturbed == undisturbed
    curve = (kept / "metrics.jsonl").read_bytes()
    assert curve == (tmp_path / "undisturbed.kept" / "metrics.jsonl").read_bytes()


def test_simpos_loss_follows_from_its_margin(base, dataset, tmp_path):
    """With one pair a step: log(1 + exp(beta gamma_ratio - margin)), the margin beta times the difference of means."""
    settings = SimPO(beta=2.5, gamma_ratio=0.4, batch_size=1, gradient_accumulation=1, max_steps=3, learning_rate=1e-3)
    _, logged = in_process.train(settings, base, dataset, tmp_path / "out")
    for row in logged[:3]:
        assert row["loss"] == pytest.approx(math.log1p(math.exp(2.5 * 0.4 - row["rewards/margins"])), abs=1e-5)
        assert row["rewards/chosen"] == pytest.approx(2.5 * row["logps/chosen"] / len("nay."), abs=1e-4)


@pytest.mark.parametrize("kind", ["simpo", "orpo"])
def test_accumulated_batches_are_one_batch(base, dataset, tmp_path, kind):
    """The likelihood too is the mean over the tokens of the step, although rejected responses differ in length."""
    extra = {"sft_weight": 0.5} if kind == "simpo" else {"prompt_loss": True}
    losses = []
    for size, accumulation in ((16, 1), (5, 4), (1, 16)):
        cut = {"batch_size": size, "gradient_accumulation": accumulation, "learning_rate": 1e-3}
        settings = KINDS[kind](**(cut | extra))
        _, logged = in_process.train(settings, base, dataset, tmp_path / f"{size}")
        losses.append([row["loss"] for row in logged if "loss" in row])
    assert losses[2] == pytest.approx(losses[0], abs=1e-5)
    assert len(losses[1]) == 2  # 20 rows and 12


def test_the_checkpoint_holds_a_model_and_its_card_and_nothing_else(base, dataset, tmp_path):
    """No optimizer, no pickles, no path of this machine; the configuration as the base's was."""
    out = tmp_path / "out"
    in_process.train(ORPO(**LEARN), base, dataset, out)
    assert sorted(in_process.hashes(out)) == [
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert json.loads((out / "config.json").read_text()) == json.loads((base / "config.json").read_text())
    card = (out / "README.md").read_text()
    assert "trained with orpo" in card
    assert "| beta | 0.1 |" in card
    assert str(tmp_path) not in card


def test_a_policy_that_is_broken_stops_at_the_first_step(base, dataset, tmp_path):
    """And says where to look."""
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    for file in base.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=r"loss is nan at step 1 of 8.*broken weights in policy\.model"):
        in_process.train(SimPO(**LEARN), broken, dataset, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_rows_that_are_too_long_are_counted_and_refused(base, dataset, tmp_path):
    """As for DPO: nothing is cut."""
    with pytest.raises(DataError, match=r"rows are longer than train\.max_length of 21 tokens"):
        in_process.train(ORPO(max_length=21, **LEARN), base, dataset, tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "policy", "says"),
    [
        ({}, {"load_in_4bit": True}, "4-bit weights cannot be trained themselves"),
        ({"lora": {}}, {"adapter": "some/adapter"}, "cannot be trained on top of another"),
    ],
)
def test_a_policy_that_cannot_be_trained_so_is_refused_before_it_is_loaded(settings, policy, says, dataset, tmp_path):
    """It would fail after minutes of loading."""
    with pytest.raises(RecipeError, match=says):
        in_process.train(SimPO(**settings), "no/model", dataset, tmp_path / "out", **policy)
