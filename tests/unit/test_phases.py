"""Recipes of several phases: what each is made of, where a problem is told, and what they share."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from solon.checking import check_recipe
from solon.cli.app import app
from solon.data.prompts import read_prompts
from solon.errors import DataError, RecipeError
from solon.phases import fitted, phases_of, problems_of_sets, unfolding, up_to
from solon.planning import plan_of
from solon.recipe import Opened, read
from solon.recipe_schema import schema
from solon.rundir import RunDirectory
from solon.stages.evaluate import held_out_prompts, trained_on_earlier

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
PHASED = f"""\
constitution: strict-format
prompts: prompts.jsonl
policy: {{model: {QUICKSTART}/models/policy, threads: 1}}
sample: {{n: 2, max_tokens: 32}}
label: {{kind: rules, rules: {{brief: {{length: words, max: 9}}}}}}
build: {{held_out: 0.2, min_margin: 0.1}}
evaluate: [length]
max_usd: 5
phases:
  supervised:
    train: {{kind: sft, lora: {{r: 4}}}}
  reward:
    train: {{kind: reward, lora: {{r: 4}}}}
  reinforced:
    train: {{kind: ppo, max_steps: 2}}
    policy: {{batch_size: 8}}
"""
JUDGE = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 9}}}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(PHASED)
    rows = [{"prompt": f"What is {number} + {number}?"} for number in range(40)]
    path.with_name("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        phases_of(read(path, overrides))
    return [str(problem).replace(str(path.parent), "") for problem in caught.value.problems]


# ---------------------------------------------------------------- what fits a trainer

WHOLE = {
    "prompts": "p.jsonl",
    "label": JUDGE,
    "sample": {"n": 4, "max_tokens": 32},
    "canaries": 0.1,
    "build": {"held_out": 0.2, "min_margin": 0.3},
    "evaluate": ["length"],
}
REWARD = {"kind": "classifier", "model": "m", "adapter": "a"}


def test_a_trainer_of_pairs_is_given_the_recipe_as_it_is() -> None:
    """Nothing of it is idle."""
    data = {**WHOLE, "train": "dpo"}
    assert fitted(data, REWARD) == data


@pytest.mark.parametrize(
    ("train", "reward", "expected"),
    [
        ("grpo", None, {"kind": "grpo", "reward": JUDGE}),
        ({"kind": "ppo"}, REWARD, {"kind": "ppo", "reward": REWARD}),
        ({"kind": "rloo", "reward": "mine"}, REWARD, {"kind": "rloo", "reward": "mine"}),
        ("selfplay", None, {"kind": "selfplay", "labeler": JUDGE}),
    ],
    ids=["labeler", "reward-model", "stated", "selfplay"],
)  # fmt: skip
def test_a_trainer_with_a_reward_is_rewarded_by_whoever_there_is(train: Any, reward: Any, expected: Any) -> None:
    """What it states, else a reward model, else the labeler; what is sampled and labeled for others is left out."""
    data = {**WHOLE, "train": train}
    before = deepcopy(data)
    assert fitted(data, reward) == {
        "prompts": "p.jsonl",
        "sample": {"max_tokens": 32},
        "build": {"held_out": 0.2},
        "evaluate": {"with": ["length"]},
        "train": expected,
    }
    assert data == before


def test_responses_that_exist_are_the_prompts_of_a_trainer_that_writes_its_own() -> None:
    """It has no use for them; for their prompts it has."""
    data = {"candidates": "c.jsonl", "label": JUDGE, "train": "grpo"}
    assert fitted(data) == {"prompts": "c.jsonl", "train": {"kind": "grpo", "reward": JUDGE}}


def test_a_reward_model_is_not_evaluated_as_a_policy() -> None:
    """Its phase has an `evaluate` only because all have."""
    assert "evaluate" not in fitted({**WHOLE, "train": "reward"})


def test_what_is_written_for_this_very_trainer_stays() -> None:
    """So that what is wrong with it is told, and not left out in silence."""
    data = {**WHOLE, "train": "ppo"}
    assert {"label", "sample"} <= fitted(data, stated=("label", "sample")).keys()
    assert "evaluate" in fitted({**WHOLE, "train": "reward"}, stated=("evaluate",))


@pytest.mark.parametrize("train", [None, "pop", 3, {"beta": 1}], ids=["none", "unknown", "number", "no-kind"])
def test_what_names_no_trainer_is_left_for_validation_to_name(train: Any) -> None:
    """The place in the file is known there."""
    assert fitted({**WHOLE, "train": train}) == {**WHOLE, "train": train}


# ---------------------------------------------------------------- phases


def test_each_phase_is_merged_over_the_rest_and_made_to_fit_its_trainer(recipe: Path) -> None:
    """A phase says what differs."""
    supervised, reward, reinforced = phases_of(read(recipe))
    assert [phase.phase for phase in (supervised, reward, reinforced)] == ["supervised", "reward", "reinforced"]
    assert [one.recipe.train.kind for one in (supervised, reward, reinforced)] == ["sft", "reward", "ppo"]  # type: ignore[union-attr]
    assert supervised.recipe.evaluate is not None
    assert reward.recipe.evaluate is None
    assert reinforced.recipe.label is None
    assert reinforced.recipe.policy is not None
    assert (reinforced.recipe.policy.threads, reinforced.recipe.policy.batch_size) == (1, 8)
    assert "phases" not in supervised.data


def test_a_recipe_without_phases_is_its_only_one(recipe: Path) -> None:
    """The main path knows of phases alone."""
    recipe.write_text(PHASED[: PHASED.index("phases:")] + "train: dpo\n")
    opened = read(recipe)
    assert phases_of(opened) == (opened,)
    with pytest.raises(RecipeError, match=r"--phase last: this recipe has no such phase; it has no `phases`"):
        up_to("last", phases_of(opened))


def test_later_phases_are_compared_with_the_very_first_policy(recipe: Path) -> None:
    """The last phase's change alone would hide what those before it did."""
    supervised, _, reinforced = phases_of(read(recipe))
    assert supervised.recipe.evaluate is not None
    assert supervised.recipe.evaluate.against is None
    assert reinforced.recipe.evaluate is not None
    assert reinforced.recipe.evaluate.against is not None
    assert reinforced.recipe.evaluate.against.model == f"{QUICKSTART}/models/policy"
    mine = phases_of(read(recipe, ["phases.reinforced.evaluate.against=other"]))[2]
    assert mine.recipe.evaluate is not None
    assert mine.recipe.evaluate.against is not None
    assert mine.recipe.evaluate.against.model == "other"


def test_a_phase_that_names_its_model_begins_there(recipe: Path) -> None:
    """Its policy is not one that solon puts in its place, and is compared with itself."""
    third = phases_of(read(recipe, ["phases.reinforced.policy.model=elsewhere"]))[2].recipe
    assert third.policy is not None
    assert third.policy.model == "elsewhere"
    assert third.evaluate is not None
    assert third.evaluate.against is None


def test_all_phases_share_a_budget_and_each_has_a_name_in_the_ledger(recipe: Path) -> None:
    """N phases never spend N times the cap, and what each paid is told apart."""
    phases = phases_of(read(recipe, ["name=mine"]))
    assert {phase.budget for phase in phases} == {"mine"}
    assert [phase.name for phase in phases] == ["mine/supervised", "mine/reward", "mine/reinforced"]
    assert {phase.recipe.max_usd for phase in phases} == {5}
    entry = Opened(phases[0].recipe, recipe, {}, entry="dpo", phase="supervised")
    assert (entry.budget, entry.name) == ("mine", "mine/dpo/supervised")


def left_by(folder: Path, phase: Opened, **checkpoint: str) -> None:
    """What a phase's training notes at its end."""
    given = {"base_model": "b", "trainer": "t", "dataset": "d", **checkpoint}
    assert phase.recipe.train is not None
    with RunDirectory.open(folder) as directory:
        directory.begin(name="n", seed=0, constitution={}, versions={}, recipe="")
        directory.finish("train", {}, [], {"checkpoint": given, "gives": phase.recipe.train.gives})


def test_all_weights_that_a_phase_trained_are_where_the_next_begins(recipe: Path, tmp_path: Path) -> None:
    """As they are: an adapter that the first policy had is in them, and on top it would count twice."""
    opened = read(recipe, ["policy.adapter=adapter", "phases.supervised.train.lora=null", "phases.reward.train.lora="])
    run_dir, phases = tmp_path / "runs", unfolding(opened, tmp_path / "runs")
    supervised, folder = next(phases)
    assert (supervised.data["policy"]["adapter"], folder) == ("adapter", run_dir / "supervised")
    left_by(folder, supervised, path="checkpoints/sft", form="full")
    reward, folder = next(phases)
    assert reward.data["policy"] == {
        "model": "../runs/supervised/checkpoints/sft",
        "threads": 1,
    }
    left_by(folder, reward, path="checkpoints/reward", form="full")
    reinforced, _ = next(phases)
    assert reinforced.data["policy"]["model"] == "../runs/supervised/checkpoints/sft"
    assert reinforced.data["train"]["reward"] == {
        "kind": "classifier",
        "model": "../runs/reward/checkpoints/reward",
        "text": "conversation",
        "value": "logit",
        "threads": 1,
    }
    assert reinforced.data["evaluate"]["against"]["adapter"] == "adapter"


@pytest.mark.parametrize("key", ["max_usd: 1", "name: x", "ledger: x", "sets: {}", "phases: {}"])
def test_what_is_of_the_whole_recipe_is_refused_in_a_phase(recipe: Path, key: str) -> None:
    """A second cap would be read as one of its own."""
    recipe.write_text(PHASED.replace("    policy: {batch", f"    {key}\n    policy: {{batch"))
    with pytest.raises(RecipeError, match="is of the whole recipe: take it out of phase 'reinforced'"):
        read(recipe)


@pytest.mark.parametrize(
    ("written", "change", "says"),
    [
        ("{kind: sft, lora: {r: 4}}", "{kind: sfd}", "/recipe.yaml:11:12: no trainer is called 'sfd'"),
        ("max_steps: 2", "max_stesp: 2", "/recipe.yaml:15:24: unknown key 'max_stesp' (did you mean 'max_steps'?"),
        ("{kind: ppo, max_steps: 2}", "null", "/recipe.yaml:15:5: `evaluate` compares the trained policy"),
        ("policy: {batch_size: 8}", "label: {kind: rules}", "/recipe.yaml:15:5: `label` has no part"),
    ],
    ids=["trainer", "setting", "root", "stated"],
)  # fmt: skip
def test_a_problem_of_a_phase_is_told_where_it_stands(recipe: Path, written: str, change: str, says: str) -> None:
    """Of all phases at once."""
    recipe.write_text(PHASED.replace(written, change))
    found = problems(recipe)
    assert any(line.startswith(says) for line in found), found


def test_a_wrong_value_from_the_command_line_is_looked_for_there(recipe: Path) -> None:
    """It stands in no line of the file."""
    (only,) = problems(recipe, "phases.supervised.train.epochs=0")
    assert only.startswith("command line, phases.supervised.train.epochs: ")


def test_a_set_may_change_phases(recipe: Path) -> None:
    """The same two stages with other trainers."""
    recipe.write_text(PHASED + "sets:\n  other:\n    phases: {reinforced: {train: {kind: dpo}}}\n")
    assert [one.recipe.train.kind for one in phases_of(read(recipe, sets=["other"]))] == ["sft", "reward", "dpo"]  # type: ignore[union-attr]


def test_what_a_set_breaks_in_a_phase_is_told_at_its_line(recipe: Path) -> None:
    """`solon check` looks at the settings of every set, and of every phase that it makes."""
    recipe.write_text(PHASED + "sets:\n  other:\n    phases: {reinforced: {train: {kind: dpo, betta: 1}}}\n")
    (only,) = problems_of_sets(read(recipe))
    assert str(only).replace(str(recipe.parent), "").startswith("/recipe.yaml:19:46: unknown key 'betta'")


def test_phases_are_done_up_to_the_one_that_is_named(recipe: Path) -> None:
    """A misspelt name must not do all of them."""
    phases = phases_of(read(recipe))
    assert [phase.phase for phase in up_to("reward", phases)] == ["supervised", "reward"]
    assert up_to(None, phases) == phases
    with pytest.raises(RecipeError, match=r"its phases are supervised, reward, reinforced \(did you mean 'reward'\?\)"):
        up_to("rewrad", phases)


def test_prompts_that_an_earlier_phase_trains_on_are_refused_as_held_out(recipe: Path) -> None:
    """The policy knows them although this phase has never shown them."""
    prompts = read_prompts(recipe.with_name("prompts.jsonl")).prompts
    clean = phases_of(read(recipe))[2]
    assert held_out_prompts(clean.recipe, prompts, trained_on_earlier(clean.earlier))
    for change in ("phases.reinforced.build.held_out=0.9", "phases.supervised.seed=7"):
        spoilt = phases_of(read(recipe, [change]))[2]
        with pytest.raises(DataError, match="held-out prompts are trained on in an earlier phase"):
            held_out_prompts(spoilt.recipe, prompts, trained_on_earlier(spoilt.earlier))
    mine = phases_of(read(recipe, ["phases.reinforced.evaluate={prompts: prompts.jsonl, with: [length]}"]))[2]
    with pytest.raises(DataError, match="are trained on too"):
        held_out_prompts(mine.recipe, [], trained_on_earlier(mine.earlier))


# ---------------------------------------------------------------- verbs


def test_every_phase_is_checked_with_the_first_policy_in_place_of_what_is_not_trained_yet(recipe: Path) -> None:
    """A reward model and a policy that are to come are no missing files; what is missing is."""
    found = check_recipe(read(recipe))
    assert found.problems == []
    assert found.warnings == []
    found = check_recipe(read(recipe, ["phases.reinforced.policy.model=models/none", "phases.reward.sample.top_p=2"]))
    assert any("top_p" in str(problem) for problem in found.problems)
    recipe.with_name("models").mkdir()
    found = check_recipe(read(recipe, ["phases.reinforced.train.reward={kind: classifier, model: models/none}"]))
    assert any("phase 'reinforced'" in str(problem) and "models/none" in str(problem) for problem in found.problems)


def test_a_plan_adds_its_phases_up(recipe: Path) -> None:
    """Each row says whose it is: 40 prompts twice to sample, in two phases; 8 or so held out, with two policies."""
    plan = plan_of(read(recipe))
    rows = {(row.phase, row.part): row.requests for row in plan.rows}
    assert rows["supervised", "completions"] == rows["reward", "completions"] == 80
    assert rows["supervised", "answers"] == rows["reinforced", "answers"]
    assert plan.requests == sum(rows.values())
    shown = CliRunner().invoke(app, ["plan", str(recipe)], env={"COLUMNS": "200"}).stdout
    assert "reinforced: answers" in shown


def test_the_schema_for_editors_knows_what_a_phase_may_hold(recipe: Path) -> None:
    """In a recipe, and in a set of one."""
    data = yaml.safe_load(PHASED)
    jsonschema.validate(data, schema())
    jsonschema.validate({**data, "sets": {"tiny": {"phases": {"reward": {"label": None}}}}}, schema())
    for wrong in ({"max_usd": 1}, {"polcy": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, "phases": {"one": wrong}}, schema())
    assert read(recipe).recipe.phases.keys() == data["phases"].keys()
