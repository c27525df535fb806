"""What a recipe may say of self-play, and what is planned and refused of it before anything is spent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from project import CONSTITUTION, jsonl
from solon.checking import check_recipe
from solon.data.prompts import read_prompts
from solon.data.split import is_held_out
from solon.errors import RecipeError
from solon.labelers.rules import Rules
from solon.pipeline import stages_of
from solon.planning import plan_of
from solon.plugins.registry import load
from solon.recipe import read
from solon.trainers.base import Lora
from solon.trainers.dpo import DPO
from solon.trainers.selfplay import SelfPlay

JUDGE = "{kind: scripted, default: '5', remote: true, price: {input: 1, output: 1}}"
GOOD = f"""\
constitution: constitution.yaml
prompts: prompts.jsonl
policy: {{model: org/model}}
build: {{held_out: 0.3}}
train: {{kind: selfplay, rounds: 2, labeler: {{kind: rating, judge: {JUDGE}}}}}
"""
RULES = {"kind": "rules", "rules": {"short": {"length": "words", "max": 3}}}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Twenty prompts and an API judge."""
    (tmp_path / "recipe.yaml").write_text(GOOD)
    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    (tmp_path / "prompts.jsonl").write_text(jsonl([{"prompt": f"{n}?"} for n in range(20)]))
    return tmp_path / "recipe.yaml"


def trainer(labeler: Any = RULES, **settings: Any) -> SelfPlay:
    """Self-play with this under `labeler`, read as from a recipe."""
    return SelfPlay.model_validate({"labeler": labeler, **settings})


def test_a_round_is_a_dpo_with_the_same_settings() -> None:
    """Those that both have, at the values that were set."""
    found = trainer(beta=0.3, loss="ipo", lora={"r": 4}, learning_rate=1e-3, epochs=2).of_a_round("plain")
    assert found == DPO(beta=0.3, loss="ipo", lora=Lora(r=4), learning_rate=1e-3, epochs=2, backend="plain")
    assert trainer().of_a_round("plain").peak_learning_rate == trainer().peak_learning_rate


def test_settings_are_read_again_as_they_were_written() -> None:
    """They go to the training process as JSON."""
    made = trainer(stop="worse", prompts_a_round=5, reference="first")
    settings = made.settings()
    assert settings.pop("kind") == "selfplay"
    assert SelfPlay.model_validate(settings) == made


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"labeler": {"kind": "critique", "model": {"kind": "scripted", "default": "5"}}}, "writes better responses"),
        ({"labeler": RULES, "num_generations": 1}, "greater than or equal to 2"),
        ({"labeler": RULES, "rounds": 0}, "greater than 0"),
        ({"labeler": RULES, "stop": "better"}, "'never', 'worse' or 'unclear'"),
        ({"labeler": RULES, "temperature": 0}, "greater than 0"),
        ({"labeler": RULES, "backend": "unsloth", "processes": 2}, "unsloth trains in one process"),
        ({"labeler": RULES, "label_smoothing": 0.1}, "label_smoothing changes nothing"),
        ({"labeler": RULES, "precompute_reference": True}, "not permitted"),
        ({}, "required"),
    ],
    ids=["critique", "one answer", "no round", "stop", "temperature", "unsloth", "smoothing", "precompute", "nobody"],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], says: str) -> None:
    """Before anything is loaded or spent."""
    with pytest.raises(ValidationError) as caught:
        SelfPlay.model_validate(settings)
    assert says in str(caught.value)


def test_a_labeler_that_asks_nothing_about_so_many_answers_is_a_problem() -> None:
    """A round of it would end without a pair, once all its answers were written."""

    class Silent(Rules):
        def expected_questions(self, completions: int, principles: int) -> int:
            return 0 if completions < 5 else 1

    silent = Silent.model_validate({"rules": RULES["rules"]})
    assert any("has nothing to ask about 4 answers" in text for text in trainer(silent).problems())
    assert not any("nothing to ask" in text for text in trainer(silent, num_generations=5).problems())


def test_as_many_checkpoints_are_left_as_is_usual() -> None:
    """Adapters are small."""
    assert trainer(rounds=5).checkpoints_left == 2
    assert trainer(rounds=5, lora={}).checkpoints_left == 5
    assert trainer(rounds=5, checkpoints=1, lora={}).checkpoints_left == 1


def test_it_begins_at_prompts_and_has_no_label(recipe: Path) -> None:
    """The prompts become a dataset, and the trainer writes and judges the answers."""
    assert stages_of(read(recipe, ["evaluate=[length]"]).recipe) == ["build", "train", "evaluate", "report"]
    with pytest.raises(RecipeError, match="has them judged by its `labeler`"):
        read(recipe, ["label={kind: rules, rules: {brief: {length: words, max: 1}}}"])


def test_a_plan_counts_the_judgments_of_all_rounds(recipe: Path) -> None:
    """Of 20 prompts, those not held out times 4 answers times 2 rounds; and two answers to each held-out prompt."""
    opened = read(recipe)
    given = read_prompts(str(recipe.parent / "prompts.jsonl"), opened.recipe.columns).prompts
    held_out = sum(is_held_out(prompt, 0.3, opened.recipe.seed) for prompt in given)
    assert 0 < held_out < 20
    rounds, rates = plan_of(opened).rows
    assert (rounds.stage, rounds.part, rounds.where) == ("train", "rounds", "train.labeler.judge")
    assert rounds.requests == (20 - held_out) * 4 * 2
    assert (rates.part, rates.requests) == ("win rates", held_out * 2 * 2)
    assert plan_of(read(recipe, ["train.prompts_a_round=5"])).rows[0].requests == 5 * 4 * 2
    (only,) = plan_of(read(recipe, ["build.held_out=0"])).rows
    assert only.requests == 20 * 4 * 2


def test_a_check_finds_what_cannot_work(recipe: Path) -> None:
    """A stop that goes by held-out prompts where none are held out, a key that is not set, and idle settings."""
    found = check_recipe(read(recipe, ["build.held_out=0", "train.stop=worse"]))
    assert [one.where for one in found.problems if "build.held_out is 0" in one.what] == [f"{recipe}: train.stop"]
    assert not any("held_out" in one.what for one in check_recipe(read(recipe, ["train.stop=worse"])).problems)
    judge = "{kind: rating, judge: {kind: openai, model: gpt-4o-mini, api_key_env: SURELY_NOT_SET}}"
    found = check_recipe(read(recipe, [f"train.labeler={judge}", "sample.n=2"]))
    assert any("train" in one.where and "SURELY_NOT_SET" in one.what for one in found.problems)
    assert any("`n` changes nothing: the trainer writes the completions itself" in one.what for one in found.warnings)
    (recipe.parent / "constitution.yaml").write_text(CONSTITUTION.replace("id: brief", "id: brief\n    topics: [sums]"))
    assert any(one.where.endswith("train.labeler") for one in check_recipe(read(recipe)).warnings)


def test_it_is_found_through_its_entry_point_without_torch() -> None:
    """`solon check` reads a recipe on machines without it."""
    assert load("solon.trainers", "selfplay") is SelfPlay
    code = "import sys, solon.trainers.selfplay; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
