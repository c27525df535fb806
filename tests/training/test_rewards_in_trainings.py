"""Every kind of labeler as the reward of a real training: what it gives, what it is paid, and that it is asked once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import every_trainer
import in_process
import three_tokens
import trl_rows
from opinions import Opinion
from rewarding import CONSTITUTION, digit, judge_at, serving
from solon.constitution.library import strict_format
from solon.data.records import Constitution, Question, Scored
from solon.errors import BudgetReached
from solon.labelers.classifier import Classifier
from solon.ledger import Ledger
from solon.testing import FaultServer
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Judging, Lora
from solon.trainers.grpo import GRPO
from solon.trainers.reward import Reward
from solon.trainers.sft import SFT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_stays_loaded"),
    pytest.mark.filterwarnings("default"),  # what torch, transformers, TRL and PEFT warn of is theirs
]
QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "models"
KINDS = ("grpo", "ppo")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, spread=0.3)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight to learn from."""
    return every_trainer.dataset_of("grpo", tmp_path_factory.mktemp("prompts"), rows=8)


def judging(folder: Path, constitution: Constitution = CONSTITUTION, **settings: Any) -> Judging:
    """Under which labelers judge, with a ledger in this folder."""
    context = {"constitution": constitution, "ledger": folder / "ledger.sqlite", "run": "mine", "max_failed": 1}
    return Judging.model_validate({**context, **settings})


# ---------------------------------------------------------------- a program


def test_an_answer_is_rewarded_by_its_value_however_it_is_written(tmp_path: Path) -> None:
    """A verifier under GRPO. The reference is 4.0; the policy writes `4` and `04`, which are that, and `5`, half of the
    time, which it unlearns.
    """
    writes = {
        "<|assistant|>": {"4": 1 / 4, "0": 1 / 4, "5": 1 / 2},
        "0": {"4": 1.0},
        "4": {"end": 1.0},
        "5": {"end": 1.0},
    }
    policy = three_tokens.write_policy(tmp_path / "policy", writes)
    rows = [
        {"prompt": [{"role": "user", "content": f"{number} + {4 - number} = ?"}], "reference": "4.0"}
        for number in range(4)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    settings = GRPO.model_validate(
        {
            "reward": {"kind": "verifier", "checks": {"right": {"number": "last"}}},
            "learning_rate": 0.1,
            "schedule": "constant",
            "warmup_ratio": 0,
            "max_new_tokens": 4,
            "batch_size": 32,
            "gradient_accumulation": 1,
            "epochs": 6,
        }
    )
    _, steps = in_process.train(
        settings, policy, tmp_path / "train.parquet", tmp_path / "out", judging=judging(tmp_path)
    )
    assert [step["rewards/missing"] for step in steps] == [0] * 6
    assert 0.3 < steps[0]["rewards/verifier"] < 0.7
    assert steps[-1]["rewards/verifier"] > 0.9


# ---------------------------------------------------------------- a reward model


@pytest.fixture(scope="module", params=["full", "lora"])
def reward_model(request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """The labeler of a reward model that the trainer `reward` has made of the policy's base."""
    folder = tmp_path_factory.mktemp("reward_model")
    out = folder / request.param
    lora = Lora(r=4) if request.param == "lora" else None
    settings = Reward(lora=lora, learning_rate=1e-2, batch_size=8, gradient_accumulation=1, max_steps=4)
    in_process.train(settings, base, trl_rows.write(folder / "dataset", "reward"), out)
    where = {"model": str(out)} if lora is None else {"model": str(base), "adapter": str(out)}
    return Classifier.model_validate({**where, "text": "conversation", "value": "logit", "threads": 1})


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_model_rewards_a_completion_as_it_labels_it(
    kind: str, reward_model: Classifier, base: Path, prompts: Path, tmp_path: Path
) -> None:
    """Its raw logit, whichever trainer asks, of the very completions that the policy has written."""
    seen: list[Question] = []

    def says(question: Question) -> Scored:
        seen.append(question)
        return Scored(scores=(0.5,))

    rewards = [{"labeler": reward_model}, {"name": "witness", "weight": 1e-6, "labeler": Opinion(says=says, shown=1)}]
    settings = every_trainer.made(kind, reward=rewards, max_steps=1)
    _, (step,) = in_process.train(settings, base, prompts, tmp_path / "out", judging=judging(tmp_path))
    assert step["rewards/missing"] == 0
    assert len(seen) > 3
    assert len({(question.prompt.text, question.options[0].text) for question in seen}) == len(seen)

    async def labels() -> list[float]:
        given = await asyncio.gather(*map(reward_model.label, seen))
        return [judgment.outcome.scores[0] for judgment in given if isinstance(judgment.outcome, Scored)]

    scores = asyncio.run(labels())
    assert max(scores) > min(scores)
    assert step["rewards/classifier"] == pytest.approx(sum(scores) / len(seen), abs=1e-3)


# ---------------------------------------------------------------- a judge on this machine


def rating_judge(folder: Path) -> Path:
    """A Llama that has learned to answer with a number from 1 to 5, whatever it is asked."""
    base = tiny_llama(folder / "base", seed=2, context=4096, spread=0.3)
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Is {number} a number?"}],
            "completion": [{"role": "assistant", "content": str(number % 5 + 1)}],
        }
        for number in range(64)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    settings = SFT(learning_rate=1e-2, batch_size=8, gradient_accumulation=1, epochs=2)
    in_process.train(settings, base, folder / "train.parquet", folder / "judge")
    return folder / "judge"


@pytest.mark.parametrize("labeler", ["rating", "pairwise"])
def test_a_judge_on_this_machine_rewards_and_is_asked_nothing_again_after_a_kill(labeler: str, tmp_path: Path) -> None:
    """Shares in [0, 1] that differ, and what it said once is in the ledger. The quickstart's judge only compares."""
    judge = QUICKSTART / "judge" if labeler == "pairwise" else rating_judge(tmp_path)
    # the one that rates has learned numbers after a few words, and of a long question it is less sure of them
    sure = {} if labeler == "pairwise" else {"min_choice_mass": 1e-9}
    reward = {"kind": labeler, "judge": {"kind": "transformers", "model": str(judge), "threads": 1}, **sure}
    settings = every_trainer.made("grpo", reward=reward, max_steps=2, max_new_tokens=32, batch_size=8, save_every=9)
    dataset = every_trainer.dataset_of("grpo", tmp_path / "prompts", rows=8)
    under = judging(tmp_path, strict_format() if labeler == "pairwise" else CONSTITUTION)

    def train(name: str, **more: Any) -> list[dict[str, float]]:
        _, steps = in_process.train(settings, QUICKSTART / "policy", dataset, tmp_path / name, judging=under, **more)
        return steps

    def replies() -> int:
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            return sum(entry.cost_usd == 0 for entry in ledger.entries())

    with pytest.raises(in_process.Killed):
        train("killed", stop_at=1)
    first = replies()
    steps = train("again")
    both = replies()
    assert 0 < first < both
    assert all(0 <= step[f"rewards/{labeler}"] <= 1 for step in steps)
    assert any(step["frac_reward_zero_std"] < 1 for step in steps)
    assert train("third") == steps
    assert replies() == both
    assert in_process.weights(tmp_path / "third") == in_process.weights(tmp_path / "again")


# ---------------------------------------------------------------- a judge behind a network

PRICE = {"input": 0, "output": 1000}
"""In US dollars for a million tokens: a rating of one token costs $0.001."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_behind_a_network_is_paid_within_the_budget_and_never_twice(
    kind: str, base: Path, prompts: Path, tmp_path: Path
) -> None:
    """The budget ends the training; with more money it goes on, asks for what it had not, and ends as if it had always
    had it. Several requests are under way at once, and never more than allowed.
    """
    settings: dict[str, Any] = {"max_steps": 3, "save_every": 1, "batch_size": 16}

    def train(server: FaultServer, name: str, max_usd: float | None, **more: Any) -> None:
        reward = judge_at(server, concurrency=4, price=PRICE)
        folder = tmp_path / ("whole" if name == "whole" else "budgeted")
        in_process.train(
            every_trainer.made(kind, reward=reward, **settings),
            base,
            prompts,
            tmp_path / name / "out",
            judging=judging(folder, max_usd=max_usd),
            **more,
        )

    def paid(folder: Path) -> float:
        with Ledger.open(folder / "ledger.sqlite") as ledger:
            return sum(entry.cost_usd for entry in ledger.entries())

    with serving(FaultServer(answer=lambda asked: digit(asked.text))) as server:
        train(server, "whole", None)
        in_all = paid(tmp_path / "whole")
        assert in_all == pytest.approx(0.001 * len(server.requests))
    kept, cap = tmp_path / "kept", 0.8 * in_all
    with serving(FaultServer(answer=lambda asked: digit(asked.text), latency_s=0.01)) as server:
        with pytest.raises(BudgetReached, match=r"budget 'run mine' is reached"):
            train(server, "stopped", cap, kept=kept)
        assert 0 < paid(tmp_path / "budgeted") <= cap
        assert 1 < server.most_at_once <= 4
        train(server, "again", None, kept=kept)
        assert set(server.asked.values()) == {1}
        assert paid(tmp_path / "budgeted") == pytest.approx(in_all)
    assert in_process.hashes(tmp_path / "again" / "out") == in_process.hashes(tmp_path / "whole" / "out")
