"""Recipes whose trainer asks for rewards: what they may say, which stages they have, and what is planned of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from project import CONSTITUTION, jsonl
from solon.checking import check_recipe
from solon.errors import RecipeError
from solon.pipeline import stages_of
from solon.planning import plan_of
from solon.recipe import read

JUDGE = "{kind: scripted, default: '5', remote: true, price: {input: 1, output: 1}}"
GOOD = f"""\
constitution: constitution.yaml
prompts: prompts.jsonl
policy: {{model: org/model}}
train: {{kind: grpo, epochs: 2, reward: {{kind: rating, judge: {JUDGE}}}}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Ten prompts and an API judge."""
    (tmp_path / "recipe.yaml").write_text(GOOD)
    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    (tmp_path / "prompts.jsonl").write_text(jsonl([{"prompt": f"{n}?"} for n in range(10)]))
    return tmp_path / "recipe.yaml"


def problem(path: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read(path, overrides)
    (only,) = caught.value.problems
    return str(only)


def test_nothing_is_sampled_or_labeled_when_the_trainer_asks_for_rewards(recipe: Path) -> None:
    """The prompts become a dataset, and the trainer writes the completions."""
    assert stages_of(read(recipe).recipe) == ["build", "train", "report"]
    assert stages_of(read(recipe, ["evaluate=[length]"]).recipe) == ["build", "train", "evaluate", "report"]


def test_a_label_beside_a_reward_is_refused(recipe: Path) -> None:
    """Nobody would read the labels."""
    said = problem(recipe, "label={kind: rules, rules: {brief: {length: words, max: 1}}}")
    assert "`label` has no part in a recipe whose trainer 'grpo' writes the completions itself" in said
    recipe.write_text(GOOD.replace("prompts:", "candidates:"))
    assert "`candidates` has no part in a recipe whose trainer 'grpo'" in problem(recipe)
    assert "begin at `prompts`" in problem(recipe)


def test_a_trainer_without_a_reward_still_needs_a_label(recipe: Path) -> None:
    """The old message."""
    recipe.write_text(GOOD.split("train:", maxsplit=1)[0] + "train: dpo\n")
    assert "`label` is missing: who judges?" in problem(recipe)
    recipe.write_text(GOOD.split("train:", maxsplit=1)[0] + "train: grpo\n")
    assert "reward" in problem(recipe)


def test_a_mistake_in_a_reward_is_shown_at_its_place(recipe: Path) -> None:
    """In the short form, in a list, and in a list with weights."""
    for reward, where in (
        ("reward: {kind: rating, judg: 1}", "recipe.yaml:4:"),
        ("reward: [{kind: rules, rules: {a: {length: words, max: 1}}}, {kind: rulez}]", "recipe.yaml:4:"),
        ("reward: [{name: a, weigth: 2, labeler: {kind: rules, rules: {a: {length: words, max: 1}}}}]", "weigth"),
    ):
        recipe.write_text(GOOD.split("train:", maxsplit=1)[0] + f"train: {{kind: grpo, {reward}}}\n")
        with pytest.raises(RecipeError) as caught:
            read(recipe)
        assert where in str(caught.value)


def test_a_check_looks_at_rewards_as_at_labels(recipe: Path) -> None:
    """Keys that are not set, principles that apply to no prompt, and settings that nothing reads."""
    judge = "{kind: rating, judge: {kind: openai, model: gpt-4o-mini, api_key_env: SURELY_NOT_SET}}"
    found = check_recipe(read(recipe, [f"train.reward={judge}", "sample.n=2"]))
    assert any("train" in one.where and "SURELY_NOT_SET" in one.what for one in found.problems)
    assert any("`n` changes nothing: the trainer writes the completions itself" in one.what for one in found.warnings)
    (recipe.parent / "constitution.yaml").write_text(CONSTITUTION.replace("id: brief", "id: brief\n    topics: [sums]"))
    warnings = [one for one in check_recipe(read(recipe)).warnings if one.where.endswith("train.reward")]
    assert [one.what for one in warnings] == [
        "nothing is asked about 10 of 10 prompts: no principle applies to their topic"
    ]


def test_a_plan_counts_the_rewards(recipe: Path) -> None:
    """10 prompts x 8 completions x 2 epochs, one question each under the only principle."""
    (row,) = plan_of(read(recipe)).rows
    assert (row.stage, row.where, row.requests) == ("train", "train.reward.0.judge", 160)
    (row,) = plan_of(read(recipe, ["train.max_steps=3"])).rows
    assert row.requests == 3 * 32
    held_out = f"train.held_out_judge={{kind: rating, judge: {JUDGE.replace('5', '4')}}}"
    rows = plan_of(read(recipe, [held_out, "train.check_every=5"])).rows
    assert [(row.where, row.requests) for row in rows] == [
        ("train.reward.0.judge", 160),
        ("train.held_out_judge.0.judge", 32),
    ]
