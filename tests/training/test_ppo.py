"""PPO on a tiny Llama and a tiny T5: what it learns, what it reports and leaves, and what it refuses.

The policy knows bytes only and writes them at random: one in ten is a small letter, for which it is rewarded.
"""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
from solon.constitution.library import strict_format
from solon.errors import DataError, TrainingError
from solon.testing.tiny import tiny_llama, tiny_t5
from solon.trainers.base import Judging, Lora
from solon.trainers.ppo import PPO
from solon.trainers.rewards import Rewarded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]
RULES = {"kind": "rules", "rules": {"letters": {"pattern": "[a-z]+"}}}
FAST = {"max_new_tokens": 6, "batch_size": 16, "gradient_accumulation": 1, "missing_end_penalty": 0.0}
LEARN = {
    "learning_rate": 2e-2,
    "value_learning_rate": 2e-2,
    "value_head_rate": 0.1,
    "kl_coefficient": 0.01,
    "minibatches": 4,
    "passes": 2,
    "max_steps": 10,
    **FAST,
}
BRIEF = {"learning_rate": 1e-2, "minibatches": 2, "passes": 2, "max_steps": 7, "save_every": 2, **FAST}


class Rewarding(PPO):
    """PPO under a plain function as its reward."""

    def train(self, job):
        """As PPO's, but for where rewards come from."""
        from solon.trainers.backend.ppo.loop import train_ppo

        return train_ppo(self, job, type(self).score)

    @staticmethod
    def score(prompts, completions):
        """Share of small letters."""
        shares = tuple(
            sum("a" <= letter <= "z" for letter in text) / len(text) if text else 0.0 for text in completions
        )
        return Rewarded(shares, {"letters": shares})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16, that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, dtype="bfloat16", context=64)


@pytest.fixture(scope="module")
def encoder_decoder(tmp_path_factory):
    """A T5 of random weights."""
    return tiny_t5(tmp_path_factory.mktemp("t5"), seed=1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """20 prompts, fewer than a round answers, with topics and reference answers."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Is {number} a number?"}],
            "topic": "numbers",
            "reference": str(number),
        }
        for number in range(20)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    return folder


@pytest.fixture(scope="module")
def trained(base, dataset, tmp_path_factory):
    """One training that several tests look at."""
    out = tmp_path_factory.mktemp("trained") / "out"
    return out, *in_process.train(Rewarding(reward=RULES, **LEARN), base, dataset, out)


def test_it_learns_what_is_rewarded_and_what_to_expect(trained):
    """From one letter in ten to nearly all; and at the end the values explain some of the returns."""
    _, checkpoint, steps = trained
    assert [row["step"] for row in steps] == list(range(1, 11))
    assert steps[0]["objective/rewards"] < 0.25
    assert steps[-1]["objective/rewards"] > 0.8
    assert steps[-1]["value/explained_variance"] > 0
    assert checkpoint.metrics["objective/rewards"] == steps[-1]["objective/rewards"]


def test_it_reports_what_a_reader_of_the_papers_looks_for(trained):
    """The same names in every round; before the first step the policy is its own reference."""
    _, _, steps = trained
    names = {
        "loss",
        "grad_norm",
        "learning_rate",
        "objective/kl",
        "objective/kl_k3",
        "objective/kl_coefficient",
        "objective/entropy",
        "objective/rewards",
        "rewards/letters",
        "rewards/missing",
        "returns/mean",
        "advantages/mean",
        "value/explained_variance",
        "value/loss",
        "value/grad_norm",
        "policy/loss",
        "policy/clip_fraction",
        "policy/approx_kl",
        "policy/ratio_first",
        "policy/steps",
        "lengths/mean",
        "completions/clipped",
    }
    for row in steps:
        assert set(row) >= names
        assert row["policy/ratio_first"] == pytest.approx(1, abs=1e-3)
        assert row["rewards/missing"] == 0
        assert 0 < row["lengths/mean"] <= 6
    assert steps[0]["objective/kl"] == pytest.approx(0, abs=1e-4)
    assert steps[-1]["objective/kl"] > 1
    assert 0 < steps[0]["objective/entropy"] <= math.log(261)
    rates = [row["learning_rate"] for row in steps]
    assert rates == pytest.approx([2e-2 * (10 - step) / 10 for step in range(10)])


def test_the_checkpoint_holds_the_policy_and_nothing_else(trained, base):
    """No value head, no optimizer, no pickles."""
    out, checkpoint, _ = trained
    always = ["README.md", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(in_process.hashes(out)) == sorted(
        [*always, "config.json", "generation_config.json", "model.safetensors"]
    )
    assert (checkpoint.path, checkpoint.trainer, checkpoint.form) == (".", "ppo", "full")
    assert json.loads((out / "config.json").read_text()) == json.loads((base / "config.json").read_text())
    assert str(out.parent) not in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("network", "settings", "stop_at"),
    [
        ("base", {}, 3),
        ("base", {"lora": Lora(r=4)}, 6),
        ("base", {"lora": Lora(r=4), "value_rank": None}, 5),
        ("encoder_decoder", {"lora": Lora(r=4, target_modules=("q", "v"))}, 4),
    ],
    ids=["full", "lora", "value on the policy", "encoder-decoder"],
)
def test_a_training_that_was_killed_ends_in_the_same_bytes(request, dataset, tmp_path, network, settings, stop_at):
    """Weights of policy and value, optimizer, random numbers, KL controller and running moments are kept every second
    round.
    """
    base = request.getfixturevalue(network)
    settings = Rewarding(reward=RULES, kl_target=0.5, normalise_rewards=True, **settings, **BRIEF)
    _, whole = in_process.train(settings, base, dataset, tmp_path / "whole")
    kept = tmp_path / "kept"
    with pytest.raises(in_process.Killed):
        in_process.train(settings, base, dataset, tmp_path / "killed", kept=kept, stop_at=stop_at)
    _, rest = in_process.train(settings, base, dataset, tmp_path / "again", kept=kept)
    assert [row["step"] for row in rest] == list(range((stop_at - 1) // 2 * 2 + 1, 8))
    assert rest == whole[-len(rest) :]
    assert in_process.hashes(tmp_path / "again") == in_process.hashes(tmp_path / "whole")
    assert len({row["objective/kl_coefficient"] for row in whole}) > 1
    assert ("adapter_model.safetensors" in in_process.hashes(tmp_path / "again")) == (settings.lora is not None)


def test_an_encoder_decoder_learns_what_is_rewarded(encoder_decoder, dataset, tmp_path):
    """Its checkpoint is an adapter for its kind, without the value's."""
    settings = Rewarding(reward=RULES, lora=Lora(r=8), **LEARN)
    checkpoint, steps = in_process.train(settings, encoder_decoder, dataset, tmp_path / "out")
    assert steps[0]["objective/rewards"] < 0.35
    assert steps[-1]["objective/rewards"] > steps[0]["objective/rewards"] + 0.3
    assert steps[0]["objective/kl"] == pytest.approx(0, abs=1e-4)
    assert checkpoint.form == "lora"
    adapter = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (adapter["task_type"], adapter["r"]) == ("SEQ_2_SEQ_LM", 8)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "pipeline_tag: text2text-generation" in card
    assert "base = AutoModelForSeq2SeqLM.from_pretrained(" in card
    assert not any(path.is_dir() for path in (tmp_path / "out").iterdir())


def test_epochs_count_how_often_each_prompt_is_answered(base, dataset, tmp_path):
    """20 prompts three times at 32 a round are 60 / 32, so two rounds."""
    settings = Rewarding(reward=RULES, **(BRIEF | {"max_steps": None, "epochs": 3}))
    _, steps = in_process.train(settings, base, dataset, tmp_path / "out")
    assert [row["step"] for row in steps] == [1, 2]


def test_a_missing_reward_is_counted_and_its_completion_not_learned_from(base, dataset, tmp_path):
    """Every third is missing; prompts with topic and reference come to the reward as records."""

    class Gaps(Rewarding):
        @staticmethod
        def score(prompts, completions):
            assert all(prompt.reference in prompt.text and prompt.topic == "numbers" for prompt in prompts)
            totals = tuple(None if number % 3 == 0 else float(number) for number in range(len(completions)))
            return Rewarded(totals, {"letters": totals})

    _, steps = in_process.train(Gaps(reward=RULES, **(BRIEF | {"max_steps": 1})), base, dataset, tmp_path / "out")
    assert steps[0]["rewards/missing"] == 11  # of 32
    present = [number for number in range(32) if number % 3]
    assert steps[0]["objective/rewards"] == pytest.approx(sum(present) / len(present))


def test_a_round_without_any_reward_ends_the_training(base, dataset, tmp_path):
    """There is nothing to learn from, and the judge is likely down."""

    class Silent(Rewarding):
        @staticmethod
        def score(prompts, completions):
            return Rewarded((None,) * len(completions), {"letters": (None,) * len(completions)})

    with pytest.raises(TrainingError, match="none of the 32 completions of round 1 of 7 could be rewarded"):
        in_process.train(Silent(reward=RULES, **BRIEF), base, dataset, tmp_path / "out")


def test_scores_are_normalised_then_clipped_then_fined_for_not_ending(base, dataset, tmp_path):
    """1 and 3 are -1 and 1 deviations from their mean; clipped at 0.5; less 2 where a completion did not end."""
    from solon.trainers.backend.ppo.algorithm import RunningMoments
    from solon.trainers.backend.ppo.loop import Loop

    loop = Loop.__new__(Loop)
    loop.settings = PPO(reward=RULES, normalise_rewards=True, reward_clip=0.5, missing_end_penalty=2.0)
    loop.moments = RunningMoments()
    assert loop._scores([1.0, 3.0], [True, False]) == [-0.5, -1.5]


def test_labelers_reward_it_in_a_training_as_recipes_have_it(base, dataset, tmp_path):
    """The rule gives 1 to completions of small letters only, through the ledger's own way of asking."""
    judging = Judging(constitution=strict_format(), ledger=tmp_path / "ledger.sqlite", run="test")
    settings = PPO(reward=RULES, **(BRIEF | {"max_steps": 2}))
    _, steps = in_process.train(settings, base, dataset, tmp_path / "out", judging=judging)
    assert [row["step"] for row in steps] == [1, 2]
    assert all(0 <= row["rewards/rules"] <= 1 for row in steps)


def test_the_value_begins_as_a_reward_model_says_or_as_what_the_first_round_earned(base, dataset, tmp_path):
    """A head of ones gives every state another value; without one all have the same, so nothing is explained."""
    import torch
    from safetensors.torch import save_file

    judge = tmp_path / "judge"
    judge.mkdir()
    save_file({"score.weight": torch.ones(1, 32)}, judge / "model.safetensors")
    one_round = BRIEF | {"max_steps": 1}
    _, alike = in_process.train(Rewarding(reward=RULES, **one_round), base, dataset, tmp_path / "a")
    settings = Rewarding(reward=RULES, value_from=str(judge), **one_round)
    _, told_apart = in_process.train(settings, base, dataset, tmp_path / "b")
    assert alike[0]["value/explained_variance"] == pytest.approx(0, abs=1e-5)
    assert abs(told_apart[0]["value/explained_variance"]) > 0.1


def test_prompts_without_room_for_a_completion_are_counted_and_refused(base, dataset, tmp_path):
    """Two roles and an end are 3 tokens, `Is 1 a number?` 14, so 17, and 18 from 10 on; 64 - 17 = 47 to write."""
    with pytest.raises(DataError, match=r"10 of 20 prompts leave no room .*max_new_tokens 47 within 64 tokens; .* 18"):
        in_process.train(
            Rewarding(reward=RULES, **(BRIEF | {"max_new_tokens": 47})), base, dataset, tmp_path / "context"
        )
    with pytest.raises(DataError, match=r"20 of 20 prompts leave no room .*max_new_tokens 6 within 20 tokens"):
        in_process.train(Rewarding(reward=RULES, max_length=20, **BRIEF), base, dataset, tmp_path / "limit")


@pytest.mark.parametrize(
    ("network", "sizes", "settings"),
    [("base", (55, 56), {}), ("encoder_decoder", (14, 15), {"max_length": 15})],
    ids=["decoder", "encoder-decoder"],
)
def test_texts_are_counted_as_they_are_asked_and_left_out_where_they_leave_no_room(
    request, tmp_path, network, sizes, settings
):
    """Two roles and an end make 58 tokens of 55 letters, and 6 more fill 64; an encoder adds an end, and no answer."""
    rows = [{"prompt": "x" * size} for size in sizes]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    settings = Rewarding(reward=RULES, **(BRIEF | {"max_steps": 1, "too_long": "leave_out"} | settings))
    checkpoint, _ = in_process.train(
        settings, request.getfixturevalue(network), tmp_path / "train.parquet", tmp_path / "out"
    )
    assert checkpoint.metrics["rows/left_out"] == 1


def test_what_is_no_prompt_is_named_by_its_row(base, tmp_path):
    """A role that no chat has."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    rows = [{"prompt": [{"role": role, "content": "x"}]} for role in ("user", "oracle")]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    with pytest.raises(DataError, match=r"train\.parquet, row 2"):
        in_process.train(Rewarding(reward=RULES, **BRIEF), base, folder, tmp_path / "out")
