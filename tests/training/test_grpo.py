"""GRPO and RLOO on a tiny Llama: what they learn, what a missing reward does, how they go on, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
from opinions import Opinion
from rewarding import CONSTITUTION, digit, judge_at, serving
from solon.data.records import Failed, Question, Scored
from solon.errors import DataError
from solon.testing import FaultServer
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Judging, Lora
from solon.trainers.groups import GroupTrainer
from solon.trainers.grpo import GRPO
from solon.trainers.rloo import RLOO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
EARLY = {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}
"""A letter of the first half of the alphabet, somewhere: one in four untrained completions has one."""
SHORT = {"kind": "rules", "rules": {"short": {"length": "characters", "max": 3}}}
QUICK = {"max_new_tokens": 6, "batch_size": 32, "gradient_accumulation": 1, "warmup_ratio": 0, "schedule": "constant"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, spread=0.3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 prompts to learn from."""
    folder = tmp_path_factory.mktemp("prompts")
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Is {number} a number?"}],
            "topic": "numbers" if number % 2 else None,
            "reference": f"yes {number}",
        }
        for number in range(64)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    return folder


def judging(folder: Path, **settings: Any) -> Judging:
    """Under which labelers judge."""
    context = {"constitution": CONSTITUTION, "ledger": folder / "ledger.sqlite", "run": "mine", **settings}
    return Judging.model_validate(context)


def train(settings: GroupTrainer, base: Path, dataset: Path, out: Path, **more: Any) -> list[dict[str, float]]:
    """Trains in this process; every logged step."""
    more.setdefault("judging", judging(out.parent, max_failed=1))
    return in_process.train(settings, base, dataset, out, **more)[1]


def made(kind: type[GroupTrainer], reward: Any, **settings: Any) -> GroupTrainer:
    """A trainer with quick settings."""
    return kind.model_validate({"reward": reward, **QUICK, **settings})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (GRPO, {}),
        (GRPO, {"loss": "grpo", "beta": 0.01}),
        (GRPO, {"loss": "dr_grpo"}),
        (GRPO, {"loss": "gspo", "num_iterations": 2, "epsilon": 0.2, "max_steps": 20}),
        (GRPO, {"lora": {"r": 16}}),
        (RLOO, {"beta": 0.01}),
        (RLOO, {"lora": {"r": 16}, "normalize_advantages": True}),
    ],
    ids=["dapo", "grpo", "dr_grpo", "gspo", "grpo-lora", "rloo", "rloo-lora"],
)
def test_it_learns_what_is_rewarded(
    kind: type[GroupTrainer], settings: dict[str, Any], base: Path, dataset: Path, tmp_path: Path
) -> None:
    """Of 32 completions a step, a quarter at first and nearly all at the end; the dataset's reference is not seen."""
    settings = {"learning_rate": 2e-2, "max_steps": 14, **settings}
    all_steps = train(made(kind, EARLY, **settings), base, dataset, tmp_path / "out")
    assert len(all_steps) == settings["max_steps"]
    steps = [step for step in all_steps if "reward" in step]
    assert len(steps) == len(all_steps) / settings.get("num_iterations", 1)
    assert steps[0]["reward"] < 0.5
    assert steps[-1]["reward"] > 0.8
    assert steps[-1]["reward"] == pytest.approx(steps[-1]["rewards/rules"])
    assert {"entropy", "frac_reward_zero_std", "completions/mean_length", "completions/clipped_ratio"} <= set(steps[0])
    assert ("kl" in steps[0]) == bool(settings.get("beta", kind.model_fields["beta"].default))


def test_two_rewards_are_weighted_and_have_curves_of_their_own(base: Path, dataset: Path, tmp_path: Path) -> None:
    """The reward is twice the first less the second, at every step."""
    rewards = [{"name": "early", "weight": 2, "labeler": EARLY}, {"name": "short", "weight": -1, "labeler": SHORT}]
    steps = train(made(GRPO, rewards, max_steps=2, learning_rate=1e-3), base, dataset, tmp_path / "out")
    for step in steps:
        assert step["reward"] == pytest.approx(2 * step["rewards/early"] - step["rewards/short"])


def test_topic_and_reference_reach_the_reward(base: Path, dataset: Path, tmp_path: Path) -> None:
    """A verifier compares with the reference answer; principles are chosen by topic."""
    seen = []

    def says(question: Question) -> Scored:
        seen.append((question.prompt.text, question.prompt.topic, question.prompt.reference))
        return Scored(scores=(1.0,))

    train(made(GRPO, Opinion(says=says, shown=1), max_steps=1), base, dataset, tmp_path / "out")
    assert len(set(seen)) == 4  # groups of 8 in a step of 32
    for text, topic, reference in seen:
        number = int(text.split()[1])
        assert (topic, reference) == ("numbers" if number % 2 else None, f"yes {number}")


@pytest.mark.parametrize("kind", [GRPO, RLOO], ids=["grpo", "rloo"])
def test_a_missing_reward_is_not_zero(kind: type[GroupTrainer], base: Path, dataset: Path, tmp_path: Path) -> None:
    """All that could be judged earn 1. Were the others 0 there would be something to learn, and there is nothing."""

    def says(question: Question) -> Scored | Failed:
        return Scored(scores=(1.0,)) if sum(question.options[0].text.encode()) % 2 else Failed(reason="refused")

    settings = made(kind, Opinion(says=says, shown=1), max_steps=3, learning_rate=1e-2, beta=0)
    steps = train(settings, base, dataset, tmp_path / "out")
    assert all(0 < step["rewards/missing"] < 32 for step in steps)
    assert [step["reward"] for step in steps] == [1.0] * 3
    assert [step["grad_norm"] for step in steps] == [0.0] * 3
    assert [step["frac_reward_zero_std"] for step in steps] == [1.0] * 3
    assert in_process.weights(tmp_path / "out") == in_process.weights(base)


def test_a_completion_without_a_reward_leaves_the_kl_term_too(base: Path, dataset: Path, tmp_path: Path) -> None:
    """After three steps, in which the policy has left the reference, the judge fails: no gradient is left."""
    asked: list[str] = []

    def says(question: Question) -> Scored | Failed:
        asked.append(question.prompt.text)
        if len(set(asked)) > 3 * 4:
            return Failed(reason="refused")
        return Scored(scores=(float(any(letter in "abcdefghijklm" for letter in question.options[0].text)),))

    settings = made(GRPO, Opinion(says=says, shown=1), max_steps=5, learning_rate=1e-2, beta=0.5)
    steps = train(settings, base, dataset, tmp_path / "out")
    assert steps[2]["kl"] > 0
    assert steps[2]["grad_norm"] > 0
    for step in steps[3:]:
        assert step["rewards/missing"] == 32
        assert "reward" not in step
        assert step["grad_norm"] == 0.0


def test_the_reference_is_the_policy_with_its_adapter(base: Path, dataset: Path, tmp_path: Path) -> None:
    """With all weights trained from a base and its adapter, the first KL is 0."""
    train(made(GRPO, EARLY, lora={"r": 4}, max_steps=4, learning_rate=0.1), base, dataset, tmp_path / "adapter")
    settings = made(GRPO, EARLY, beta=0.1, max_steps=1)
    steps = train(settings, base, dataset, tmp_path / "out", adapter=str(tmp_path / "adapter"))
    assert steps[0]["kl"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", [GRPO, RLOO], ids=["grpo", "rloo"])
@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["full", "lora"])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    kind: type[GroupTrainer], lora: Lora | None, base: Path, dataset: Path, tmp_path: Path
) -> None:
    """Completions are sampled with the same random numbers, from weights and moments that are the same bit for bit."""
    checked = {"held_out_judge": SHORT, "check_every": 3}
    settings = made(kind, EARLY, lora=lora, max_steps=6, learning_rate=1e-2, save_every=2, beta=0.01, **checked)
    whole = train(settings, base, dataset, tmp_path / "whole")
    assert [step["step"] for step in whole if "gold/rules" in step] == [3, 6]
    kept = tmp_path / "kept"
    with pytest.raises(in_process.Killed):
        train(settings, base, dataset, tmp_path / "killed", kept=kept, stop_at=5)
    rest = train(settings, base, dataset, tmp_path / "again", kept=kept)
    assert [step["step"] for step in rest] == [5, 6]
    assert rest == whole[4:]
    assert in_process.weights(tmp_path / "again") == in_process.weights(tmp_path / "whole")


def test_a_judge_is_not_paid_twice_by_a_training_that_was_killed(base: Path, dataset: Path, tmp_path: Path) -> None:
    """Killed before anything was kept, it begins again, and all that was asked comes from the ledger."""
    server = FaultServer(answer=lambda asked: digit(asked.text))
    with serving(server):
        settings = made(GRPO, judge_at(server, concurrency=32), max_steps=3, learning_rate=1e-2, save_every=9)
        with pytest.raises(in_process.Killed):
            train(settings, base, dataset, tmp_path / "killed", stop_at=2)
        before = len(server.requests)
        train(settings, base, dataset, tmp_path / "again")
        after = len(server.requests)
        train(settings, base, dataset, tmp_path / "third")
        assert len(server.requests) == after
    assert 55 < before <= 64  # two steps of 32 completions, of which some may be the same
    assert before < after <= 96
    assert set(server.asked.values()) == {1}
    assert in_process.weights(tmp_path / "again") == in_process.weights(tmp_path / "third")


@pytest.mark.parametrize("kind", [GRPO, RLOO], ids=["grpo", "rloo"])
def test_what_is_no_prompt_is_named_by_its_row_before_anything_is_asked(
    kind: type[GroupTrainer], base: Path, tmp_path: Path
) -> None:
    """TRL would ask the policy, and the reward fail in the middle of the training."""
    rows = [{"prompt": [{"role": role, "content": "x"}]} for role in ("user", "oracle")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"train\.parquet, row 2: the prompt is none: role: "):
        train(made(kind, EARLY), base, tmp_path / "train.parquet", tmp_path / "out")


def test_prompts_that_leave_no_room_are_counted_and_refused(base: Path, dataset: Path, tmp_path: Path) -> None:
    """Two roles and an end are 3 tokens, `Is 10 a number?` 15 and `Is 1 a number?` 14: with 47 more, 54 do not fit."""
    with pytest.raises(DataError) as caught:
        train(made(GRPO, EARLY, max_new_tokens=47), base, dataset, tmp_path / "out")
    (problem,) = caught.value.problems
    assert problem.what == (
        "54 of 64 prompts leave no room for a completion of train.max_new_tokens 47 within 64 tokens; "
        "the longest has 18"
    )
