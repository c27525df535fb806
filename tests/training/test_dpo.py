"""DPO on a tiny Llama: what it learns, what its losses are, what it leaves on disk, and what it refuses.

The policy knows bytes only, so `yes` and `nay` are four tokens each with the end token: sums and means over a response
differ by the factor 4.
"""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
from solon.errors import DataError, RecipeError, TrainingError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora, Policy
from solon.trainers.dpo import DPO
from solon.trainers.launch import run_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
TOKENS = 4
LEARN = {"learning_rate": 1e-2, "batch_size": 8, "gradient_accumulation": 1, "epochs": 2}
ONE_PAIR = {"learning_rate": 1e-3, "batch_size": 1, "gradient_accumulation": 1, "max_steps": 4}


def pairs(numbers):
    """Preferences for `yes` over `nay`, whatever is asked."""
    return [
        {
            "prompt": [{"role": "user", "content": f"Is {number} a number?"}],
            "chosen": [{"role": "assistant", "content": "yes"}],
            "rejected": [{"role": "assistant", "content": "nay"}],
        }
        for number in numbers
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16, that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, dtype="bfloat16", context=64)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """64 pairs to learn from, 8 held out."""
    folder = tmp_path_factory.mktemp("preference")
    pq.write_table(pa.Table.from_pylist(pairs(range(64))), folder / "train.parquet")
    pq.write_table(pa.Table.from_pylist(pairs(range(64, 72))), folder / "test.parquet")
    return folder


def train(settings, base, dataset, out, *, seed=3, **policy):
    """Trains in this process; returns the checkpoint, the logged training steps, and the held-out numbers."""
    checkpoint, logged = in_process.train(settings, base, dataset, out, seed=seed, **policy)
    return checkpoint, [row for row in logged if "loss" in row], [row for row in logged if "eval_loss" in row]


@pytest.fixture(scope="module")
def trained(base, dataset, tmp_path_factory):
    """One full training that several tests look at."""
    out = tmp_path_factory.mktemp("trained") / "out"
    return out, *train(DPO(**LEARN), base, dataset, out)


def test_it_learns_what_is_preferred(trained):
    """On prompts it was not trained on too: the loss falls from log 2, at which policy and reference are the same."""
    _, checkpoint, steps, held_out = trained
    assert [row["step"] for row in steps] == list(range(1, 17))
    assert {row["steps"] for row in steps} == {16}
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert steps[-1]["loss"] < 0.1
    assert steps[-1]["rewards/accuracies"] == 1.0
    assert [row["step"] for row in held_out] == [8, 16]
    assert held_out[-1]["eval_loss"] < 0.1
    assert held_out[-1]["eval_rewards/accuracies"] == 1.0
    assert checkpoint.metrics["loss"] == steps[-1]["loss"]
    assert checkpoint.metrics["eval_loss"] == held_out[-1]["eval_loss"]


def test_no_times_are_among_the_numbers(trained):
    """Two equal trainings must log the same bytes."""
    _, _, steps, held_out = trained
    names = {name for row in steps + held_out for name in row}
    assert not [name for name in names if "runtime" in name or "per_second" in name]


def test_the_checkpoint_holds_a_model_and_nothing_else(trained, base):
    """No optimizer, no pickles; the weights in the type of the base, and its configuration as it was."""
    out, checkpoint, _, _ = trained
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
    assert (checkpoint.form, checkpoint.path, checkpoint.trainer) == ("full", ".", "dpo")
    assert str(out.parent) not in (out / "README.md").read_text()


def test_the_checkpoint_answers_as_it_was_taught(trained):
    """What is on disk is what was trained."""
    import torch

    from solon.models.backend.loading import load

    loaded = load(str(trained[0]))
    assert next(loaded.model.parameters()).dtype is torch.float32  # how a CPU takes bfloat16 from disk
    chat = [{"role": "user", "content": "Is 99 a number?"}]
    asked = loaded.tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        logits = loaded.model(**asked).logits[0, -1]
    yes, nay = (logits[loaded.tokenizer.encode(word)[0]] for word in ("yes", "nay"))
    assert yes > nay + 1


def test_the_sigmoid_loss_is_minus_log_sigmoid_of_the_margin(base, dataset, tmp_path):
    """With one pair a batch the logged margin is beta times d, so the loss follows from it: log(1 + exp(-margin))."""
    _, steps, _ = train(DPO(beta=0.5, **ONE_PAIR), base, dataset, tmp_path / "out")
    for row in steps:
        assert row["loss"] == pytest.approx(math.log1p(math.exp(-row["rewards/margins"])), abs=1e-5)
    assert steps[-1]["rewards/margins"] != pytest.approx(0, abs=1e-3)


def test_the_ipo_loss_is_the_squared_distance_from_its_margin(base, dataset, tmp_path):
    """Per token: margin / (beta * 4) is d', and with beta 0.5 the aim is 1 / (2 * 0.5) = 1; untrained it is 1 away."""
    _, steps, _ = train(DPO(loss="ipo", beta=0.5, **ONE_PAIR), base, dataset, tmp_path / "out")
    assert steps[0]["loss"] == pytest.approx(1.0, abs=1e-5)
    for row in steps:
        assert row["loss"] == pytest.approx((row["rewards/margins"] / (0.5 * TOKENS) - 1) ** 2, abs=1e-5)


def test_the_sft_term_adds_the_chosen_tokens_mean_negative_log_likelihood(base, dataset, tmp_path):
    """Untrained, the preference term is log 2; the rest is the weight times -log p(chosen) / 4."""
    _, steps, _ = train(DPO(sft_weight=0.7, **ONE_PAIR), base, dataset, tmp_path / "out")
    expected = math.log(2) + 0.7 * -steps[0]["logps/chosen"] / TOKENS
    assert steps[0]["loss"] == pytest.approx(expected, abs=1e-4)


def test_the_sft_term_keeps_the_chosen_responses_likely(base, dataset, tmp_path, trained):
    """That is what it is for."""
    _, _, with_sft = train(DPO(sft_weight=1.0, **LEARN), base, dataset, tmp_path / "out")
    assert with_sft[-1]["eval_logps/chosen"] > trained[3][-1]["eval_logps/chosen"]


def test_a_reference_asked_at_every_step_gives_the_same_losses(base, dataset, tmp_path):
    """Only the padding of its batches differs, so the numbers are the same but for rounding."""
    settings = LEARN | {"epochs": 1}
    _, before, _ = train(DPO(**settings), base, dataset, tmp_path / "a")
    _, always, _ = train(DPO(precompute_reference=False, **settings), base, dataset, tmp_path / "b")
    assert [row["loss"] for row in always] == pytest.approx([row["loss"] for row in before], abs=1e-4)


def test_lora_trains_an_adapter_and_leaves_the_base_as_it_was(base, dataset, tmp_path):
    """The reference is the base without its adapter, so the first loss is log 2; the base's files are untouched."""
    import torch

    from solon.models.backend.loading import load

    untouched = in_process.hashes(base)
    out = tmp_path / "out"
    checkpoint, steps, _ = train(DPO(lora=Lora(r=4, dropout=0.1), **LEARN), base, dataset, out)
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert steps[-1]["rewards/accuracies"] == 1.0
    assert checkpoint.form == "lora"
    assert in_process.hashes(base) == untouched
    assert sorted(in_process.hashes(out)) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)

    tokens = torch.tensor([[1, 2, 3]])
    adapted, plain = load(str(base), adapter=str(out)).model, load(str(base)).model
    with torch.no_grad(), adapted.disable_adapter():
        assert torch.equal(adapted(tokens).logits, plain(tokens).logits)
    with torch.no_grad():
        assert not torch.allclose(adapted(tokens).logits, plain(tokens).logits, atol=1e-2)


def test_all_weights_are_trained_from_the_base_and_its_adapter_together(base, dataset, tmp_path):
    """An adapter of the policy is part of where training starts, and of the reference."""
    train(DPO(lora=Lora(r=4), **LEARN), base, dataset, tmp_path / "adapter")
    settings = DPO(precompute_reference=False, **(LEARN | {"epochs": 1, "learning_rate": 1e-3}))
    checkpoint, steps, _ = train(settings, base, dataset, tmp_path / "out", adapter=str(tmp_path / "adapter"))
    assert checkpoint.form == "full"
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert steps[0]["logps/chosen"] > steps[0]["logps/rejected"] + 5  # it knows already


def test_a_loss_that_is_not_a_number_stops_at_its_step_and_keeps_nothing(base, dataset, tmp_path):
    """Broken weights in the policy; transformers would go on and log the last good loss."""
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    for file in base.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        TrainingError, match="loss is nan at step 1 of 16, so training stopped and nothing of that step was kept"
    ):
        train(DPO(**LEARN), broken, dataset, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_rows_longer_than_the_limit_are_counted_and_refused(base, dataset, tmp_path):
    """Two roles and an end are 3 tokens, `Is 1 a number?` 14, the answer 4: 21 in all, and 22 from `Is 10 ...` on."""
    with pytest.raises(DataError) as caught:
        train(DPO(max_length=21, **LEARN), base, dataset, tmp_path / "out")
    where = [problem.where for problem in caught.value.problems]
    assert where == [str(dataset / "train.parquet"), str(dataset / "test.parquet")]
    assert [problem.what for problem in caught.value.problems] == [
        "54 of 64 rows are longer than train.max_length of 21 tokens; the longest has 22",
        "8 of 8 rows are longer than train.max_length of 21 tokens; the longest has 22",
    ]


def test_rows_longer_than_the_context_are_refused_without_being_asked(base, tmp_path):
    """Cut in silence, they would teach to stop in the middle of a sentence."""
    folder = tmp_path / "long"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(pairs([1, 10**60])), folder / "train.parquet")
    with pytest.raises(DataError, match="1 of 2 rows are longer than the model's context of 64 tokens"):
        train(DPO(**LEARN), base, folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "policy", "says"),
    [
        ({}, {"load_in_4bit": True}, "4-bit weights cannot be trained themselves"),
        ({"lora": {}}, {"adapter": "some/adapter"}, "cannot be trained on top of another"),
    ],
)
def test_a_policy_that_cannot_be_trained_so_is_refused_before_it_is_loaded(settings, policy, says, dataset, tmp_path):
    """It would fail after minutes of loading, with a message of another library."""
    with pytest.raises(RecipeError, match=says):
        train(DPO(**settings), "no/model", dataset, tmp_path / "out", **policy)


def test_running_out_of_memory_says_what_to_lower():
    """2^50 numbers of 4 bytes are more than any machine has."""
    import torch

    from solon.trainers.backend.runtime import memory_boundary

    with (
        pytest.raises(TrainingError, match=r"memory ran out \(.*DefaultCPUAllocator.*\): lower it; or buy some"),
        memory_boundary(["lower it", "buy some"]),
    ):
        torch.empty(2**50)


@pytest.mark.parametrize("lora", [None, Lora(r=4, dropout=0.1)], ids=["full", "lora"])
def test_two_processes_write_the_same_bytes(base, dataset, tmp_path, lora):
    """Weights, curve, card and configuration, from the same seed: what a rerun after a kill must give."""
    written = []
    for name in ("a", "b"):
        run_dir = tmp_path / name
        run_dir.mkdir()
        run_training(
            DPO(lora=lora, **(LEARN | {"epochs": 1})),
            Policy(model=str(base), threads=1),
            dataset=dataset,
            seed=3,
            run_dir=run_dir,
            out=run_dir / "out",
            on_step=lambda step, steps, metrics: None,
        )
        written.append(in_process.hashes(run_dir / "out"))
    assert "metrics.jsonl" in written[0]
    assert written[0] == written[1]


def test_another_seed_shuffles_otherwise(base, dataset, tmp_path):
    """The seed is what decides; the same one in the same process gives the same losses."""
    settings = DPO(**(LEARN | {"epochs": 1}))
    losses = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _, steps, _ = train(settings, base, dataset, tmp_path / name, seed=seed)
        losses.append([row["loss"] for row in steps])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
