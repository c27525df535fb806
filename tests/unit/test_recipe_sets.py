"""Variations of a recipe that stand in it: what is merged over what, and where a problem is told."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from solon.cli.app import app
from solon.errors import RecipeError
from solon.overriding import merged
from solon.phases import problems_of_sets
from solon.recipe import read
from solon.recipe_schema import schema

VARIED = """\
constitution: strict-format
prompts: prompts.jsonl
policy: meta-llama/Llama-3.1-8B-Instruct
sample: {n: 8, max_tokens: 512}
label: {kind: pairwise, judge: {kind: scripted, default: A}}
train: {kind: dpo, beta: 0.2, lora: {r: 16}}
evaluate: [length, kl]
sets:
  tiny:
    policy: {model: models/policy, threads: 1}
    sample: {n: 2}
    train: {lora: null}
    evaluate: {max_tokens: 48}
  ranked:
    label: {kind: ranking, judge: {kind: scripted}}
    train: orpo
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(VARIED)
    return path


def problems(path: Path, *overrides: str, sets: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(path, overrides, sets)
    return [str(problem).replace(str(path.parent), "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("partial", "expected"),
    [
        ({"seed": 3}, {"seed": 3}),
        ({"sample": {"n": 2}}, {"sample": {"n": 2, "max_tokens": 64}}),
        ({"sample": None}, {"sample": ...}),
        ({"evaluate": ["kl"]}, {"evaluate": ["kl"]}),
        ({"evaluate": {"max_tokens": 9}}, {"evaluate": {"with": ["length"], "max_tokens": 9}}),
        ({"policy": {"threads": 1}}, {"policy": {"model": "folder", "threads": 1}}),
        ({"policy": "other"}, {"policy": "other"}),
        ({"train": {"beta": 0.3}}, {"train": {"kind": "dpo", "beta": 0.3, "lora": {"r": 16}}}),
        ({"train": {"kind": "dpo", "lora": {"r": 8}}}, {"train": {"kind": "dpo", "beta": 0.1, "lora": {"r": 8}}}),
        ({"train": {"kind": "orpo"}}, {"train": {"kind": "orpo"}}),
        ({"train": {"lora": None}}, {"train": {"kind": "dpo", "beta": 0.1, "lora": None}}),
        ({"label": {"judge": {"kind": "scripted"}}}, {"label": {"kind": "pairwise", "judge": {"kind": "scripted"}}}),
    ],
)  # fmt: skip
def test_a_partial_recipe_is_merged_key_by_key(partial: dict[str, Any], expected: dict[str, Any]) -> None:
    """Mappings merge, all else replaces, and the settings of one plugin are not given to another."""
    data = {
        "seed": 1,
        "policy": "folder",
        "sample": {"n": 4, "max_tokens": 64},
        "label": {"kind": "pairwise", "judge": {"kind": "openai", "model": "gpt-5-mini"}},
        "train": {"kind": "dpo", "beta": 0.1, "lora": {"r": 16}},
        "evaluate": ["length"],
    }
    before = deepcopy((data, partial))
    whole = {key: value for key, value in {**data, **expected}.items() if value is not ...}
    assert merged(data, partial) == whole
    assert (data, partial) == before


def test_what_is_merged_can_be_changed_without_changing_what_it_was_made_of() -> None:
    """The same base is merged with every set, phase and entry."""
    data, partial = {"train": {"lora": {"r": 16}}}, {"build": {"held_out": 0.1}}
    whole = merged(data, partial)
    whole["train"]["lora"]["r"] = whole["build"]["held_out"] = 0
    assert (data, partial) == ({"train": {"lora": {"r": 16}}}, {"build": {"held_out": 0.1}})


def test_a_set_is_merged_over_the_recipe_and_overrides_come_last(recipe: Path) -> None:
    """`--set tiny` is the same recipe on tiny models."""
    opened = read(recipe, ["sample.n=3"], ["tiny"])
    assert opened.recipe.policy is not None
    assert (opened.recipe.policy.model, opened.recipe.policy.threads) == ("models/policy", 1)
    assert (opened.recipe.sample.n, opened.recipe.sample.max_tokens) == (3, 512)
    assert opened.recipe.train.settings()["beta"] == 0.2  # type: ignore[union-attr]
    assert opened.recipe.train.settings()["lora"] is None  # type: ignore[union-attr]
    assert opened.recipe.evaluate is not None
    assert [measure.kind for measure in opened.recipe.evaluate.measures] == ["length", "kl"]


def test_of_two_sets_the_later_counts(recipe: Path) -> None:
    """They are merged in the order of the command line."""
    recipe.write_text(VARIED + "  smaller: {sample: {n: 1}}\n")
    assert read(recipe, sets=["tiny", "smaller"]).recipe.sample.n == 1
    assert read(recipe, sets=["smaller", "tiny"]).recipe.sample.n == 2
    both = read(recipe, sets=["tiny", "ranked"]).recipe
    assert (both.label.kind, both.train.kind, both.sample.n) == ("ranking", "orpo", 2)  # type: ignore[union-attr]


def test_what_is_run_is_written_out_without_sets(recipe: Path) -> None:
    """A run directory says what was run; merged once more, it would be another recipe."""
    assert "sets" not in yaml.safe_load(read(recipe).text())
    ran = yaml.safe_load(read(recipe, sets=["tiny"]).text())
    assert ran["policy"] == {"model": "models/policy", "threads": 1}
    again = recipe.with_name("again.yaml")
    again.write_text(read(recipe, sets=["tiny"]).text())
    assert read(again).recipe == read(recipe, sets=["tiny"]).recipe.model_copy(update={"sets": {}})


def test_an_unknown_set_is_refused_with_those_that_there_are(recipe: Path) -> None:
    """Ignored, it would run eight billion parameters in place of the tiny ones."""
    (only,) = problems(recipe, sets=("tny",))
    assert only == (
        "command line: --set tny: this recipe has no set of that name; its sets are tiny, ranked (did you mean 'tiny'?)"
    )
    recipe.write_text(VARIED[: VARIED.index("sets:")])
    (only,) = problems(recipe, sets=("tiny",))
    assert only.endswith("this recipe has no set of that name; it has no `sets`")


@pytest.mark.parametrize(
    ("written", "change", "says"),
    [
        ("sample: {n: 2}", "sample: {n: many}", "/recipe.yaml:11:17: 'n' must be a whole number"),
        ("sample: {n: 2}", "smaple: {n: 2}", "/recipe.yaml:11:5: unknown key 'smaple' (did you mean 'sample'?"),
        ("{lora: null}", "{lroa: null}", "/recipe.yaml:12:13: unknown key 'lroa' (did you mean 'lora'?"),
        ("train: orpo", "train: opro", "/recipe.yaml:16:12: no trainer is called 'opro'"),
        ("train: orpo", "train: null", "/recipe.yaml:15:5: `evaluate` compares the trained policy"),
        ("judge: {kind: scripted}", "juge: x", "/recipe.yaml:15:28: unknown key 'juge' (did you mean 'judge'?"),
    ],
)
def test_a_problem_of_a_set_is_told_where_it_stands_in_the_set(
    recipe: Path, written: str, change: str, says: str
) -> None:
    """The main part has a line for the same key, and nothing is wrong with it."""
    recipe.write_text(VARIED.replace(written, change))
    name = "ranked" if VARIED.index(written) > VARIED.index("ranked:") else "tiny"
    found = problems(recipe, sets=(name,))
    assert any(line.startswith(says) for line in found), found
    opened = read(recipe)
    assert any(str(problem).replace(str(recipe.parent), "").startswith(says) for problem in problems_of_sets(opened))


def test_settings_of_another_plugin_that_a_set_took_out_are_no_place_for_its_problems(recipe: Path) -> None:
    """`judge` is missing in the set; the main part's judge belongs to another labeler."""
    recipe.write_text(VARIED.replace("{kind: ranking, judge: {kind: scripted}}", "{kind: ranking}"))
    assert problems(recipe, sets=("ranked",)) == ["/recipe.yaml:15:12: missing key 'judge'"]


def test_a_set_within_a_set_and_a_set_that_is_no_mapping_are_refused(recipe: Path) -> None:
    """Nothing of the kind is ever silently left out."""
    recipe.write_text(VARIED.replace("    train: orpo", "    sets: {more: {}}"))
    assert any("a set holds no `sets`: take them out of 'ranked'" in line for line in problems(recipe))
    recipe.write_text(VARIED + "  none: 3\n")
    assert any(line.startswith("/recipe.yaml:17:9: ") for line in problems(recipe))
    assert any(line.startswith("/recipe.yaml:17:9: ") for line in problems(recipe, sets=("none",)))


def test_an_override_within_a_set_is_refused_as_it_would_change_nothing(recipe: Path) -> None:
    """Sets are merged before the command line's values are put in."""
    (only,) = problems(recipe, "sets.tiny.sample.n=1", sets=("tiny",))
    assert only.startswith("command line, sets.tiny.sample.n: a set is merged before")
    assert "leave `sets.NAME.` out" in only


def test_check_looks_at_the_settings_of_every_set(recipe: Path) -> None:
    """Nobody tries the sets that they do not use, until they need them."""
    recipe.write_text(VARIED.replace("sample: {n: 2}", "sample: {n: 0}"))
    invoke = CliRunner().invoke
    whole = json.loads(invoke(app, ["check", str(recipe), "--json"]).stdout)
    assert any("recipe.yaml:11:17: 'n' must be" in line for line in whole["problems"])
    one = json.loads(invoke(app, ["check", str(recipe), "--set", "ranked", "--json"]).stdout)
    assert not any("recipe.yaml:11:17" in line for line in one["problems"])


def test_an_override_below_a_list_of_evaluators_writes_the_short_form_out(recipe: Path) -> None:
    """`evaluate: [length]` is short for a mapping with `with`, on the command line too."""
    assert read(recipe, ["evaluate.max_tokens=9"]).data["evaluate"] == {"with": ["length", "kl"], "max_tokens": 9}
    assert read(recipe, ["evaluate.with.0=diversity"]).data["evaluate"] == {"with": ["diversity", "kl"]}
    assert read(recipe, ["evaluate.0=diversity"]).data["evaluate"] == ["diversity", "kl"]


def test_the_schema_for_editors_knows_what_a_set_may_hold(recipe: Path) -> None:
    """A set lacks most keys, and takes some out; a misspelt key is underlined there too."""
    data = yaml.safe_load(VARIED)
    jsonschema.validate(data, schema())
    jsonschema.validate({**data, "sets": {"bare": {"label": None, "policy": {"threads": 1}}}}, schema())
    wrong: dict[str, Any]
    for wrong in ({"polcy": "x"}, {"policy": {"modle": "x"}}, {"sets": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, "sets": {"tiny": wrong}}, schema())
