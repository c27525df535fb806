"""What a recipe may say under `reward`, and how rewards are added up."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from solon.data.records import Message, Prompt
from solon.errors import DataError
from solon.plugins.registry import load
from solon.trainers.dataset import prompts_of
from solon.trainers.grpo import GRPO
from solon.trainers.rewards import Combine, Rewarded
from solon.trainers.rloo import RLOO

RULES = {"kind": "rules", "rules": {"short": {"length": "words", "max": 3}}}
JUDGE = {"kind": "rating", "judge": {"kind": "scripted", "default": "5"}}


def trainer(reward: Any, **settings: Any) -> GRPO:
    """GRPO with this under `reward`, read as from a recipe."""
    return GRPO.model_validate({"reward": reward, **settings})


def test_one_labeler_is_short_for_a_list_of_one() -> None:
    """The name of its curve is then the labeler's kind."""
    for reward in (RULES, [RULES], [{"labeler": RULES}], [{"labeler": RULES, "weight": 1, "name": ""}]):
        (only,) = trainer(reward).reward
        assert (only.called, only.weight, only.labeler.kind) == ("rules", 1.0, "rules")


def test_settings_are_read_again_as_they_were_written() -> None:
    """They go to the training process as JSON."""
    made = trainer([{"name": "brief", "weight": -0.5, "labeler": RULES}, JUDGE])
    settings = made.settings()
    assert settings.pop("kind") == "grpo"
    again = GRPO.model_validate(settings)
    assert again == made
    assert [one.called for one in again.reward] == ["brief", "rating"]
    assert [labeler.kind for labeler in again.labelers()] == ["rules", "rating"]


@pytest.mark.parametrize(
    ("reward", "says"),
    [
        ([], "at least one reward is needed"),
        ([RULES, RULES], "two rewards are called 'rules': give each a `name` of its own"),
        ([{"labeler": RULES, "name": "missing"}], "a reward cannot be called 'missing'"),
        ([{"labeler": RULES, "weight": 0}], "a reward of weight 0 is asked for and never used"),
        ([{"labeler": RULES, "weight": float("inf")}], "finite number"),
        ([{"kind": "critique", "model": JUDGE["judge"]}], "writes better responses and judges none"),
        ([{"name": "brief"}], "labeler"),
        ({"kind": "rulez"}, "did you mean rules?"),
    ],
    ids=["none", "same", "missing", "weight 0", "infinite", "critique", "no labeler", "unknown"],
)
def test_what_is_no_reward_is_refused(reward: Any, says: str) -> None:
    """Before anything is loaded or spent."""
    with pytest.raises(ValidationError) as caught:
        trainer(reward)
    assert says in str(caught.value).replace("'rules'?", "rules?")


def test_a_sum_with_a_missing_part_is_missing() -> None:
    """.5 x 1 - 1 x .25 = .25; with either part missing there is none."""
    parts = {"a": (1.0, None, 1.0), "b": (0.25, 0.25, None)}
    found = Rewarded.of(parts, {"a": 0.5, "b": -1.0})
    assert found.total == (0.25, None, None)
    assert found.parts == parts


@pytest.mark.parametrize(
    ("combine", "total"),
    [("sum", 1.2), ("mean", 0.4), ("min", 0.1), ("mean_minus_deviation", 0.4 - math.sqrt(0.14 / 3))],
)
def test_an_ensemble_is_put_together_as_asked(combine: Combine, total: float) -> None:
    """Of .1, .5 and .6 the mean is .4, and the squares .09, .01 and .04 sum to .14; a missing one leaves nothing."""
    parts = {"a": (0.1, 0.1), "b": (0.5, 0.5), "c": (0.3, None)}
    found = Rewarded.of(parts, {"a": 1.0, "b": 1.0, "c": 2.0}, combine=combine)
    assert found.total == (pytest.approx(total), None)


def test_a_single_reward_is_combined_with_nothing() -> None:
    """The setting would change nothing."""
    with pytest.raises(ValidationError, match="combine: min of a single reward"):
        GRPO.model_validate({"reward": RULES, "combine": "min"})
    GRPO.model_validate({"reward": [{"name": n, "labeler": RULES} for n in ("a", "b")], "combine": "min"})


def test_a_judge_in_batches_of_its_provider_is_a_problem() -> None:
    """A step would wait for hours; and what labelers lack is a problem of the trainer, named once."""
    judge = {"kind": "openai", "model": "gpt-4o-mini", "api_key_env": "SURELY_NOT_SET", "batch": True}
    problems = "\n".join(trainer({"kind": "rating", "judge": judge}).problems())
    assert "each step waits for its rewards" in problems
    assert "SURELY_NOT_SET" in problems


@pytest.mark.parametrize(
    ("settings", "place", "says"),
    [
        ({"num_generations": 1}, "num_generations", "greater than or equal to 2"),
        ({"num_generations": 5}, "", "32 completions, which are no whole groups of num_generations 5"),
        ({"loss": "ppo"}, "loss", "'dapo', 'grpo', 'dr_grpo' or 'gspo'"),
        ({"epsilon": 0}, "epsilon", "greater than 0"),
        ({"temperature": 0}, "temperature", "greater than 0"),
        ({"beta": -1}, "beta", "greater than or equal to 0"),
        ({"max_new_tokens": 0}, "max_new_tokens", "greater than 0"),
        ({"num_iterations": 0}, "num_iterations", "greater than 0"),
        ({"scale_rewards": "all"}, "scale_rewards", "'group', 'batch' or 'none'"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value,
)
def test_settings_out_of_range_are_refused_at_their_place(settings: dict[str, Any], place: str, says: str) -> None:
    """With what would be right."""
    with pytest.raises(ValidationError) as caught:
        trainer(RULES, **settings)
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == place
    assert says in error["msg"]


def test_defaults_go_with_the_loss() -> None:
    """Dr. GRPO divides by no deviation; GSPO clips ratios of whole completions, which are far nearer to 1."""
    assert (trainer(RULES).clipped_at, trainer(RULES).scaled_by) == (0.2, "group")
    assert trainer(RULES, loss="dr_grpo").scaled_by == "none"
    assert trainer(RULES, loss="gspo").clipped_at == 3e-4
    assert trainer(RULES, loss="gspo", epsilon=0.1, scale_rewards="batch").clipped_at == 0.1


def test_a_held_out_judge_is_read_as_a_reward_is() -> None:
    """Its problems are looked for, and none is none."""
    assert trainer(RULES).held_out_judge == trainer(RULES, held_out_judge=None).held_out_judge == ()
    made = trainer(RULES, held_out_judge=JUDGE)
    assert [labeler.kind for labeler in made.labelers()] == ["rules", "rating"]
    assert [labeler.kind for labeler in made.teachers()] == ["rules"]
    with pytest.raises(ValidationError, match="two rewards are called 'rating'"):
        trainer(RULES, held_out_judge=[JUDGE, JUDGE])


def test_completions_are_counted_for_a_plan() -> None:
    """Groups of 8: each of 10 prompts twice; or 3 steps of 32 completions, which are 4 prompts each."""
    assert trainer(RULES, epochs=2).completions_of(10) == (8, 20)
    assert trainer(RULES, max_steps=3).completions_of(10) == (8, 12)
    assert trainer(RULES, max_steps=3, num_iterations=2).completions_of(10) == (8, 8)


def test_prompts_are_read_with_topic_and_reference() -> None:
    """Rewards may ask for both; a text is a user's turn."""
    table = pa.Table.from_pylist([{"prompt": [{"role": "user", "content": "1?"}], "topic": "sums", "reference": "1"}])
    assert prompts_of(table, "prompts") == [Prompt.of("1?", topic="sums", reference="1")]
    assert prompts_of(pa.table({"prompt": ["1?"]}), "prompts") == [
        Prompt(messages=(Message(role="user", content="1?"),))
    ]


def test_what_is_no_prompt_is_named_by_its_row_and_by_what_is_wrong() -> None:
    """A role that no chat has, a message without a text, and nobody who says anything."""
    good = [{"role": "user", "content": "1?"}]
    for bad, what in (
        ([{"role": "oracle", "content": "1?"}], "role: Input should be 'system', 'user' or 'assistant'"),
        ([{"role": "user", "content": None}], "content: Input should be a valid string"),
        ([], "messages: Tuple should have at least 1 item"),
    ):
        with pytest.raises(DataError) as caught:
            prompts_of(pa.table({"prompt": [good, bad]}), "train.parquet")
        (problem,) = caught.value.problems
        assert problem.where == "train.parquet, row 2"
        assert problem.what.startswith(f"the prompt is none: {what}")
        assert problem.remedy


def test_both_are_found_through_their_entry_points_without_torch() -> None:
    """`solon check` reads a recipe on machines without it."""
    assert load("solon.trainers", "grpo") is GRPO
    assert load("solon.trainers", "rloo") is RLOO
    code = "import sys, solon.trainers.grpo, solon.trainers.rloo; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
