"""Each alarm is raised by a training of its own making, at its default limit unless the test says otherwise.

The training process itself is run here, in the process of the test: what it answers is what is shown live.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import three_tokens
from every_trainer import REWARD, dataset_of, judging, made
from solon.errors import TrainingError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Policy
from solon.trainers.gradient import GradientTrainer
from solon.trainers.protocol import Assignment, Event, Warned
from solon.trainers.worker import _train as work

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
ALWAYS = {"kind": "rules", "rules": {"any": {"length": "characters", "max": 1000}}}
"""Every completion has this."""
LATE = {"kind": "rules", "rules": {"late": {"regex": "^[^a-m]*$"}}}
"""The opposite of what is rewarded."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, spread=0.3)


def watched(settings: GradientTrainer, base: Path, dataset: Path, folder: Path) -> tuple[dict[str, int], list[Any]]:
    """The step at which each alarm was first shown, and every line of the curve."""
    said: list[Event] = []
    (folder / "kept" / "trainer").mkdir(parents=True, exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    assignment = Assignment.of(
        settings,
        Policy(model=str(base), threads=1),
        base=None,
        dataset=dataset,
        out=folder / "out",
        kept=folder / "kept",
        seed=3,
        judging=judging(folder),
    )
    try:
        work(assignment, said.append)
    finally:
        lines = [json.loads(line) for line in (folder / "kept" / "metrics.jsonl").read_text().splitlines()]
        first: dict[str, int] = {}
        for event in said:
            if isinstance(event, Warned):
                first.setdefault(event.alarm.name, event.alarm.step)
        written = {line["alarm"]: line["step"] for line in reversed(lines) if isinstance(line.get("alarm"), str)}
        assert written == first  # what is shown is in the curve, and the other way round
    return first, lines


ONLINE = {"batch_size": 32, "schedule": "constant"}
LEARNING = {**ONLINE, "num_generations": 8, "max_steps": 14}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "kl": ("ppo", {**ONLINE, "learning_rate": 0.05, "kl_coefficient": 0.0, "max_steps": 6}),
    "reward_hacking": (
        "grpo",
        {
            **ONLINE,
            "num_generations": 8,
            "learning_rate": 0.02,
            "max_steps": 14,
            "held_out_judge": LATE,
            "check_every": 2,
        },
    ),
    "no_spread": ("grpo", {"reward": ALWAYS, "max_steps": 5}),
    "clipped": ("rloo", {"max_new_tokens": 2, "max_steps": 1}),
    "length": ("ppo", {**ONLINE, "max_new_tokens": 2, "max_steps": 1}),
    "clip_ratio": ("ppo", {**ONLINE, "learning_rate": 0.1, "passes": 4, "max_steps": 2}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_alarm_is_raised_by_a_training_that_deserves_it(name: str, base: Path, tmp_path: Path) -> None:
    """What is done to it is in the case: a rate far too high, a reward that all earn, completions cut at two tokens."""
    kind, settings = CASES[name]
    dataset = dataset_of(kind, tmp_path / "dataset", rows=32)
    first, lines = watched(made(kind, **settings), base, dataset, tmp_path)
    assert name in first
    (line,) = [line for line in lines if line.get("alarm") == name and line["step"] == first[name]]
    assert {"metric", "value", "limit", "text"} <= set(line)


def test_a_ppo_whose_loss_is_not_a_number_shows_the_alarm_before_it_ends(base: Path, tmp_path: Path) -> None:
    """Rewards of 1e38 are numbers, and no single-precision number is their square: the round's numbers are shown."""
    reward = {"weight": 1e38, "labeler": REWARD}
    settings = made("ppo", **ONLINE, reward=[reward], reward_clip=None, max_steps=2)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step 1 of 2, so training stopped"):
        watched(settings, base, dataset_of("ppo", tmp_path / "dataset", rows=32), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "kept" / "metrics.jsonl").read_text().splitlines()]
    (shown,) = [line for line in lines if "loss" in line]
    assert (shown["step"], shown["value/loss"]) == (1, None)
    (alarm,) = [line for line in lines if line.get("alarm") == "nan"]
    assert alarm["step"] == 1
    assert "value/loss" in alarm["metric"]


def test_a_policy_that_always_writes_the_same_is_an_alarm(tmp_path: Path) -> None:
    """That of ``three_tokens``, certain of every letter: `a` after `q`, then `b`, then `a` again."""
    certain = {"q": {"a": 1.0}, "a": {"b": 1.0}, "b": {"a": 1.0}}
    policy = three_tokens.write_policy(tmp_path / "policy", certain)
    pq.write_table(pa.Table.from_pylist([{"prompt": "q"}] * 4), tmp_path / "train.parquet")
    first, _ = watched(made("grpo", max_steps=1), policy, tmp_path / "train.parquet", tmp_path)
    assert first["entropy"] == 1


def pairs(folder: Path, rows: list[tuple[str, str]]) -> Path:
    """A file of preferences, chosen and rejected, in this order."""
    table = [
        {
            "prompt": [{"role": "user", "content": f"Is {number} a number?"}],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        for number, (chosen, rejected) in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(table), folder / "train.parquet")
    return folder / "train.parquet"


def test_a_gradient_that_leaps_is_an_alarm(base: Path, tmp_path: Path) -> None:
    """One pair of 64 is the wrong way round: when it comes again in the second epoch, all others have been learned."""
    dataset = pairs(tmp_path, [("yes", "nay")] * 63 + [("nay", "yes")])
    settings = made("dpo", beta=1.0, epochs=2, schedule="constant", learning_rate=5e-3)
    first, _ = watched(settings, base, dataset, tmp_path)
    assert "grad_norm" in first


def test_chosen_responses_that_become_unlikely_are_an_alarm(base: Path, tmp_path: Path) -> None:
    """Chosen and rejected share their letters, so that making the one unlikely makes the other so."""
    dataset = pairs(tmp_path, [("abcabcabcabcabcabcab", "bcabcabcabcabcabcabca")] * 64)
    settings = made("simpo", beta=10.0, gamma_ratio=2.0, epochs=3, schedule="constant", learning_rate=2e-2)
    first, _ = watched(settings, base, dataset, tmp_path)
    assert "chosen_logps" in first


def test_an_alarm_that_stops_ends_the_training_and_leaves_the_policy_of_the_step_before(
    base: Path, tmp_path: Path
) -> None:
    """Every completion earns the same, which is an alarm at the fifth step: four were kept."""
    dataset = dataset_of("grpo", tmp_path / "dataset", rows=7)
    settings = made("grpo", reward=ALWAYS, max_steps=7, save_every=1, alarms={"no_spread": {"stop": True}})
    with pytest.raises(TrainingError, match=r"train\.alarms\.no_spread\.stop asks: at step 5 "):
        watched(settings, base, dataset, tmp_path)
    (left,) = (tmp_path / "kept").glob("last-good-*")
    assert left.name == "last-good-4"
    assert (left / "model.safetensors").is_file()
    lines = [json.loads(line) for line in (tmp_path / "kept" / "metrics.jsonl").read_text().splitlines()]
    assert (lines[-1]["alarm"], lines[-1]["step"]) == ("no_spread", 5)
