"""What a user writes in a recipe, and what is said when it is wrong."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from solon.errors import RecipeError
from solon.plugins.base import located
from solon.plugins.registry import offers
from solon.recipe import read
from solon.recipe_schema import schema
from solon.stages.run import policy_model

GOOD = """\
constitution: strict-format
prompts: prompts.jsonl
policy: models/policy
label: {kind: pairwise, judge: {kind: scripted, default: A}}
train: dpo
evaluate: [length, kl]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(GOOD)
    return path


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(path, overrides)
    assert caught.value.exit_code == 2
    return [str(problem).replace(str(path.parent), "") for problem in caught.value.problems]


def test_a_recipe_is_named_for_its_folder_unless_it_says_otherwise(recipe: Path) -> None:
    """`runs/recipe` would be the run of every project."""
    assert read(recipe).name == "project"
    assert read(recipe, ["name=mine"]).name == "mine"


def test_short_forms_mean_what_they_stand_for(recipe: Path) -> None:
    """`train: dpo`, `policy: folder` and a list of evaluators save the newcomer four braces."""
    read_recipe = read(recipe).recipe
    assert read_recipe.train is not None
    assert read_recipe.train.kind == "dpo"
    assert read_recipe.policy is not None
    assert read_recipe.policy.model == "models/policy"
    assert read_recipe.evaluate is not None
    assert [measure.kind for measure in read_recipe.evaluate.measures] == ["length", "kl"]


def test_a_reward_model_is_not_evaluated_as_a_policy(recipe: Path) -> None:
    """It answers nothing: the run would fail after hours of training, with a message of transformers."""
    (problem,) = problems(recipe, "train=reward")
    assert "`evaluate` compares policies, and trainer 'reward' makes a reward model: take `evaluate` out" in problem
    read_recipe = read(recipe, ["train=reward", "evaluate="]).recipe
    assert read_recipe.train is not None
    assert read_recipe.evaluate is None


def test_paths_are_relative_to_the_recipe_and_hub_ids_stay_as_they_are(recipe: Path) -> None:
    """The same recipe works from wherever it is run."""
    (recipe.parent / "models" / "policy").mkdir(parents=True)
    policy = read(recipe).recipe.policy
    assert policy is not None
    assert located(policy.model) == str(recipe.parent / "models" / "policy")
    assert policy_model(policy).problems() != []  # an empty folder, but found, long after the recipe was read
    assert located(policy_model(policy).model) == str(recipe.parent / "models" / "policy")
    misspelt = read(recipe, ["policy.model=models/polcy"]).recipe.policy
    assert misspelt is not None
    assert located(misspelt.model) == str(recipe.parent / "models" / "polcy")  # not asked of a hub
    hub = read(recipe, ["policy.model=meta-llama/Llama-3.1-8B-Instruct"]).recipe.policy
    assert hub is not None
    assert located(hub.model) == "meta-llama/Llama-3.1-8B-Instruct"


def test_every_problem_is_reported_at_once_with_its_place_and_the_nearest_name(recipe: Path) -> None:
    """Fixing one error at a time, each after a new run, is what peers make users do."""
    recipe.write_text(GOOD.replace("policy:", "polcy:").replace("train: dpo", "train: {kind: dpo, betta: 0.1}"))
    found = problems(recipe)
    assert any(line.startswith("/recipe.yaml:3:1: unknown key 'polcy' (did you mean 'policy'?") for line in found)
    assert any(line.startswith("/recipe.yaml:5:20: unknown key 'betta' (did you mean 'beta'?") for line in found)


def test_a_constitution_in_place_of_a_recipe_is_said_to_be_one(recipe: Path) -> None:
    """The two lie side by side, and a list of every key that a recipe has helps nobody."""
    recipe.write_text("name: brief\nprinciples:\n- {id: brief, text: Be brief.}\n")
    (only,) = problems(recipe)
    says = "/recipe.yaml:2:1: this is a constitution, no recipe (name the recipe that says `constitution: recipe.yaml`)"
    assert only == says


def test_an_unknown_plugin_is_refused_with_the_nearest_one(recipe: Path) -> None:
    """A misspelt trainer must not become another one."""
    recipe.write_text(GOOD.replace("train: dpo", "train: dop"))
    installed = ", ".join(sorted(offer.kind for offer in offers("solon.trainers")))
    says = f"/recipe.yaml:5:8: no trainer is called 'dop'; installed: {installed} (did you mean 'dpo'?)"
    assert problems(recipe) == [says]


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("label={kind: critique, model: {kind: scripted}}", "is labeled by critique, which judges nothing"),
        ("dataset=rows.jsonl", "has no `label`"),
    ],
)
def test_canaries_need_somebody_who_judges_them(recipe: Path, override: str, why: str) -> None:
    """They would be paid for and say nothing."""
    words = ["canaries=0.1", override, *(["prompts=null", "label=null"] if "dataset" in override else [])]
    (only,) = problems(recipe, *words)
    assert only.endswith(f"`canaries` are judged beside the responses, and this recipe {why}: take them out")


def test_duplicate_keys_are_errors(recipe: Path) -> None:
    """YAML itself would keep the last and forget the first."""
    recipe.write_text(GOOD + "seed: 1\nseed: 2\n")
    assert any("/recipe.yaml:8:1" in line and "'seed'" in line for line in problems(recipe))


def test_an_override_is_applied_and_a_wrong_one_is_named(recipe: Path) -> None:
    """What was typed on the command line is not in the file, so its place would mislead."""
    assert read(recipe, ["sample.n=7"]).recipe.sample.n == 7
    assert read(recipe, ["train.beta=1e-2"]).recipe.train.beta == 0.01  # type: ignore[union-attr]
    (only,) = problems(recipe, "sample.n=many")
    assert only.startswith("command line, sample.n: 'n' must be a whole number")
    (only,) = problems(recipe, "sample")
    assert "not of the form key.path=value" in only


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.kind=opo", "command line, train.kind: no trainer is called 'opo'"),
        ("train=opo", "command line, train: no trainer is called 'opo'"),
        ("trian.beta=1", "command line, trian.beta: unknown key 'trian' (did you mean 'train'?"),
        ("label={kind: pairwise, juge: x}", "command line, label: unknown key 'juge' (did you mean 'judge'?"),
    ],
)
def test_what_an_override_breaks_is_not_looked_for_in_the_file(recipe: Path, override: str, says: str) -> None:
    """The file has a line for `train` too, and nothing is wrong with it."""
    assert any(line.startswith(says) for line in problems(recipe, override))


def test_what_is_run_is_written_out_with_its_overrides(recipe: Path) -> None:
    """A run directory must say what was run, not what the file said."""
    assert "n: 7" in read(recipe, ["sample.n=7"]).text()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("prompts: prompts.jsonl\n", ""), "begins at exactly one of"),
        (("prompts: prompts.jsonl\n", "prompts: a\ncandidates: b\n"), "begins at exactly one of"),
        (("label: {kind: pairwise, judge: {kind: scripted, default: A}}\n", ""), "`label` is missing"),
        (("policy: models/policy\n", ""), "`policy` is missing"),
        (("policy: models/policy\n", ""), "Responses that exist already go under `candidates`, in place of `prompts`"),
        (("train: dpo\n", ""), "there is no `train`"),
        (("prompts: prompts.jsonl\n", "dataset: data\n"), "`label` has no part in a recipe that begins at a dataset"),
    ],
)
def test_a_recipe_that_cannot_run_says_what_is_missing(recipe: Path, change: tuple[str, str], says: str) -> None:
    """Each stage needs what the one before it leaves."""
    recipe.write_text(GOOD.replace(*change))
    assert any(says in line for line in problems(recipe))


def test_a_missing_recipe_is_an_error_of_the_user(tmp_path: Path) -> None:
    """Exit code 2 and the path, not a traceback."""
    assert problems(tmp_path / "nowhere.yaml")[0].startswith("/nowhere.yaml: no such file")


def test_the_schema_for_editors_accepts_what_we_accept(recipe: Path) -> None:
    """An editor that underlines a good recipe is worse than none."""
    jsonschema.validate(read(recipe).data, schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**read(recipe).data, "polcy": "x"}, schema())


def test_a_key_in_place_of_the_name_of_its_variable_is_not_shown(recipe: Path) -> None:
    """Messages end up in terminals' histories and in logs of others."""
    judge = '{kind: endpoint, base_url: "http://localhost:1/v1", model: m, api_key_env: sk-secret-123}'
    (only,) = problems(recipe, f"label.judge={judge}")
    assert "the name of an environment variable belongs here, never the key itself" in only
    assert "secret" not in only
