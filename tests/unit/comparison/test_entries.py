"""From a recipe to what is compared."""

from pathlib import Path

import pytest

from comparing import recipe
from solon.comparison.entries import entries
from solon.errors import RecipeError
from solon.phases import phases_of
from solon.recipe import read


def test_settings_of_a_trainer_are_merged_over_the_recipe_s_where_the_kind_is_the_same(tmp_path: Path) -> None:
    """So one setting can be varied; another trainer's settings mean nothing."""
    file = recipe(tmp_path, "  low: {kind: dpo, beta: 0.01}\n  kto: {kind: kto}\n")
    low, kto = entries(read(file))
    assert (low.name, low.opened.data["train"]) == ("low", {"kind": "dpo", "beta": 0.01, "epochs": 2})
    assert kto.opened.data["train"] == {"kind": "kto"}
    assert "compare" not in low.opened.data


def test_an_entry_names_its_run_and_shares_the_budget(tmp_path: Path) -> None:
    """Two entries must not spend twice the cap."""
    (low,) = entries(read(recipe(tmp_path, "  low: dpo\n"), ["name=mine"]))
    assert (low.opened.name, low.opened.budget) == ("mine/low", "mine")


def test_a_trainer_that_is_rewarded_is_rewarded_by_whoever_labels(tmp_path: Path) -> None:
    """Every way to judge is a way to reward, and there is nothing left to label."""
    (grpo,) = entries(read(recipe(tmp_path, "  grpo: {kind: grpo, max_new_tokens: 8}\n")))
    assert grpo.opened.data["train"]["reward"] == {"kind": "pairwise", "judge": {"kind": "scripted", "default": "A"}}
    assert grpo.opened.recipe.label is None
    assert not grpo.labels


def test_a_list_of_trainers_is_phases_of_which_the_last_is_evaluated(tmp_path: Path) -> None:
    """Each begins where the one before it ended."""
    (both,) = entries(read(recipe(tmp_path, "  both: [sft, {kind: dpo}, dpo]\n")))
    phases = phases_of(both.opened)
    assert [(phase.phase, phase.recipe.evaluate is not None) for phase in phases] == [
        ("sft", False),
        ("dpo", False),
        ("dpo-2", True),
    ]


def test_a_partial_recipe_varies_what_comes_before_training(tmp_path: Path) -> None:
    """More samples, say, or another judge."""
    (more,) = entries(read(recipe(tmp_path, "  more: {sample: {n: 9}, build: {min_margin: 0.3}}\n")))
    assert more.opened.recipe.sample.n == 9
    assert more.opened.data["train"]["kind"] == "dpo"


def test_names_choose_entries_and_take_trainers_that_are_none(tmp_path: Path) -> None:
    """``--trainers dpo,kto`` works on a recipe that compares nothing itself; its own settings go with its own kind."""
    found = entries(read(recipe(tmp_path, "  low: {kind: dpo, beta: 0.01}\n")), ["kto", "low", "dpo", "kto"])
    assert [one.name for one in found] == ["kto", "low", "dpo"]
    assert found[2].opened.data["train"]["beta"] == 0.3


def test_an_unknown_name_is_told_with_what_there_is(tmp_path: Path) -> None:
    """And with the nearest."""
    with pytest.raises(RecipeError, match=r"'loww' is no entry of `compare` \(low\).*did you mean 'low'\?"):
        entries(read(recipe(tmp_path, "  low: {kind: dpo}\n")), ["loww"])


def test_without_entries_and_names_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """The remedy is in the message."""
    with pytest.raises(RecipeError, match=r"nothing to compare.*--trainers"):
        entries(read(recipe(tmp_path, "  {}\n")))


@pytest.mark.parametrize(
    ("entry", "where", "what"),
    [
        ("  low: {kind: dpo, betta: 1}\n", ":8:20", "unknown key 'betta'"),
        ("  both: [{kind: sft}, {kind: dpo, betta: 1}]\n", ":8:35", "unknown key 'betta'"),
        ("  part: {train: {kind: dpo, beta: many}}\n", ":8:35", "beta"),
        ("  part: {seed: 3}\n", ":8:10", "`seed` is of the whole comparison"),
        ("  part: 7\n", ":8:9", "an entry is the settings of a trainer"),
        ("  part: {train: null, evaluate: []}\n", ":8:23", "`evaluate` is of the whole comparison"),
        ("  part: {phases: {a: {train: {kind: dpo}, seed: 3}}}\n", ":8:", "`seed` is of the whole comparison"),
        ("  part: {phases: {a: {train: {kind: dpo}, prompts: p}}}\n", ":8:", "`prompts` is of the whole comparison"),
        ("  part: {policy: other}\n", ":8:", "has another policy to begin with"),
        ("  part: {sample: {max_tokens: 8}}\n", ":8:", "has another longest answer"),
        ("  untrained: {kind: dpo}\n", ":8:", "cannot be called 'untrained'"),
        ("  comparison.json: {kind: dpo}\n", ":8:", "cannot be called 'comparison.json'"),
        ("  part: {kind: dop}\n", ":8:", "dop"),
    ],
)
def test_what_is_wrong_is_told_where_it_was_written(tmp_path: Path, entry: str, where: str, what: str) -> None:
    """Whatever way the entry was written, and however it was merged."""
    file = recipe(tmp_path, entry)
    with pytest.raises(RecipeError) as error:
        entries(read(file))
    assert any(f"{file}{where}" in str(one) and what in str(one) for one in error.value.problems), error.value


def test_a_phase_before_the_last_may_learn_from_data_of_its_own(tmp_path: Path) -> None:
    """What it measures is compared with nobody."""
    phases = "{first: {prompts: other.jsonl, evaluate: null, train: {kind: dpo}}, last: {train: {kind: kto}}}"
    (both,) = entries(read(recipe(tmp_path, f"  both: {{phases: {phases}}}\n")))
    assert [phase.phase for phase in phases_of(both.opened)] == ["first", "last"]


def test_a_trainer_is_no_entry_of_a_recipe_whose_phases_have_their_own(tmp_path: Path) -> None:
    """They would be trained in every entry, and the name would be a lie."""
    file = recipe(tmp_path, "  {}\n")
    phases = "phases={one: {train: {kind: sft}}, two: {train: {kind: dpo}}}"
    with pytest.raises(RecipeError, match=r"names a trainer, and this recipe has `phases`"):
        entries(read(file, [phases]), ["kto"])
