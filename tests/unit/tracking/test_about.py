"""What trackers are told of a run."""

from __future__ import annotations

import pytest

from solon.data.records import Constitution, Principle
from solon.tracking import about
from solon.tracking.about import About, without_secrets

CANARY = "sk-canary-0123456789"


def told(name: str = "r", **recipe: object) -> About:
    constitution = Constitution(name="c", version="2", principles=(Principle(id="p", text="Be kind."),))
    return about(name, budget="r", recipe=recipe, constitution=constitution, seed=7, versions={"torch": "2"})


def test_a_run_is_told_with_recipe_constitution_seed_and_versions() -> None:
    """What is needed to tell two curves apart."""
    found = told(train={"kind": "dpo", "beta": 0.1}, compare={"ppo": {}}, evaluate=["kl", {"kind": "length"}])
    assert found.config["recipe"]["train"] == {"kind": "dpo", "beta": 0.1}
    assert found.config["constitution"].keys() == {"name", "version", "id"}
    assert "compare" not in found.config["recipe"]
    flat = found.flat()
    assert (flat["recipe.train.beta"], flat["constitution.version"], flat["seed"]) == ("0.1", "2", "7")
    assert flat["recipe.evaluate.1.kind"] == "length"


@pytest.mark.parametrize(("name", "group"), [("r", ""), ("r/dpo", "r"), ("r/dpo/first", "r")])
def test_runs_of_one_recipe_are_a_group(name: str, group: str) -> None:
    """The entries of a comparison stand side by side; a run by itself is in no group."""
    assert (told(name).name, told(name).group) == (name, group)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (CANARY, "…"),
        (f"Bearer {CANARY}!", "Bearer …!"),
        ("http://me:hunter22@host/v1", "http://…@host/v1"),
        ("https://host/v1?api_key=hunter22&x=1", "https://host/v1?api_key=…&x=1"),
        ("/home/me/models/policy", "…/policy"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
    ],
)
def test_no_secret_and_no_folder_of_mine_is_told(text: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it stands. A recipe holds the names of keys only; what is pasted into it all the same is cut out."""
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    assert without_secrets({"a": [{"b": text}]}) == {"a": [{"b": left}]}


def test_the_name_of_a_variable_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a value too short to be one, which stands in many texts by chance."""
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    monkeypatch.setenv("SHORT_KEY", "kind")
    plain = {"api_key_env": "SOME_API_KEY", "kind": "endpoint", "n": 3, "on": True, "none": None}
    assert without_secrets(plain) == plain
