"""What stands under ``track`` in a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.checking import check_recipe
from solon.errors import RecipeError
from solon.recipe import read
from solon.recipe_schema import schema
from solon.tracking import MLflow, TensorBoard, Trackio, WandB

CONSTITUTION = "name: c\nprinciples: [{id: brief, text: Be brief.}]\n"
RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {kind: rules, rules: {brief: {length: words, max: 1}}}
"""


def recipe(folder: Path, track: str) -> Path:
    (folder / "constitution.yaml").write_text(CONSTITUTION)
    (folder / "candidates.jsonl").write_text('{"prompt": "Hi", "responses": ["a", "b c"]}\n' * 1)
    file = folder / "recipe.yaml"
    file.write_text(f"{RECIPE}{track}\n")
    return file


@pytest.mark.parametrize(
    ("track", "trackers"),
    [
        ("", (TensorBoard(),)),
        ("track: wandb", (WandB(),)),
        ("track: {kind: mlflow, uri: mlruns}", (MLflow(uri="mlruns"),)),
        ("track: [tensorboard, {kind: trackio, project: p}]", (TensorBoard(), Trackio(project="p"))),
        ("track: []", ()),
        ("track: null", ()),
    ],
    ids=["nothing", "a name", "settings", "a list", "an empty list", "null"],
)
def test_trackers_are_a_name_settings_or_a_list_of_them(
    tmp_path: Path, track: str, trackers: tuple[object, ...]
) -> None:
    """One line of a recipe; without it TensorBoard."""
    assert read(recipe(tmp_path, track)).recipe.track == trackers


def test_it_is_one_word_of_the_command_line_too(tmp_path: Path) -> None:
    """To try a tracker without touching the recipe."""
    assert read(recipe(tmp_path, ""), ["track=wandb"]).recipe.track == (WandB(),)
    assert read(recipe(tmp_path, ""), ["track=[tensorboard, trackio]"]).recipe.track == (TensorBoard(), Trackio())


@pytest.mark.parametrize(
    ("track", "said"),
    [
        ("track: wandbb", "recipe.yaml:4:8: no tracker is called 'wandbb'; .*did you mean 'wandb'"),
        ("track: {kind: wandb, projct: x}", "recipe.yaml:4:22: unknown key 'projct' .*did you mean 'project'"),
        ("track: [wandb, {kind: wandb, project: x}]", "recipe.yaml:4:8: wandb stands there twice"),
        ("track: {uri: x}", "a tracker is a name or a mapping with `kind`"),
        ("track: {kind: mlflow, uri: 'http://me:hunter22@host'}", "recipe.yaml:4:28: a recipe holds no passwords"),
    ],
    ids=["unknown", "misspelt", "twice", "no kind", "a password"],
)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, track: str, said: str) -> None:
    """As of any other setting; a password is not repeated."""
    with pytest.raises(RecipeError, match=said) as error:
        read(recipe(tmp_path, track))
    assert "hunter22" not in str(error.value)


def trained(folder: Path, track: str) -> Path:
    (folder / "policy").mkdir(exist_ok=True)
    (folder / "policy" / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (folder / "policy" / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    (folder / "policy" / "tokenizer.json").write_text("{}")
    return recipe(folder, f"policy: policy\ntrain: dpo\n{track}")


def test_a_missing_library_is_a_problem_of_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it; for what the recipe does not name, nothing is wrong."""
    monkeypatch.setattr("solon.tracking.kinds.find_spec", lambda _name: None)
    found = check_recipe(read(trained(tmp_path, "track: [wandb, trackio]"))).problems
    assert [str(one).partition("track: ")[2] for one in found] == [
        f"`track: {kind}` needs packages that are not installed: pip install 'solon[{kind}]'"
        for kind in ("wandb", "trackio")
    ]
    assert check_recipe(read(trained(tmp_path, ""))).problems == []


def test_a_missing_key_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops no training; offline nothing is missing."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    online = check_recipe(read(trained(tmp_path, "track: wandb")))
    (warning,) = [str(one) for one in online.warnings if "track" in str(one)]
    assert "there is no key for Weights & Biases: set WANDB_API_KEY" in warning
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "a" * 40)
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert WandB().warnings() == []
    monkeypatch.delenv("NETRC")
    assert WandB(mode="offline").warnings() == []


def test_a_database_needs_all_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small package that solon installs writes to servers and folders."""
    monkeypatch.setattr("solon.tracking.kinds.find_spec", lambda name: None if name == "sqlalchemy" else name)
    assert MLflow(uri="sqlite:///m.db").problems() == [
        "`track: mlflow` with a database (sqlite) needs: pip install mlflow"
    ]
    assert MLflow(uri="http://127.0.0.1:5000").problems() == []
    assert MLflow().problems() == []


def test_editors_know_the_trackers_and_their_settings() -> None:
    """A name, settings, or a list."""
    track = schema()["properties"]["track"]
    assert {"enum": ["tensorboard", "wandb", "mlflow", "trackio"]} in track["anyOf"]
    (mlflow,) = [one for one in track["anyOf"] if one.get("properties", {}).get("kind") == {"const": "mlflow"}]
    assert {"uri", "experiment"} < mlflow["properties"].keys()
    assert track["default"] == "tensorboard"
