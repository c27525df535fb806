"""`solon init`: projects that are made, and what is found out for them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from solon.checking import check_recipe
from solon.cli.app import app
from solon.errors import DataError
from solon.models.prices import table
from solon.project import TEMPLATES, Here, create
from solon.recipe import Recipe, read
from solon.trainers.backends import GPU, Machine

ROOT = Path(__file__).parents[2]
OFFLINE = {"gpu-4bit": ["tiny"], "api-judge": ["offline"]}
"""The sets by which a template runs without a key and without a GPU."""


def here(*gib: float, missing: tuple[str, ...] = (), **environment: str) -> Here:
    cards = tuple(GPU(f"card of {each}", each) for each in gib)
    return Here(environment, Machine(cards), lambda module: module not in missing)


def recipe_of(folder: Path, *sets: str) -> Recipe:
    return read(folder / "recipe.yaml", (), sets).recipe


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name != "plugin"])
def test_a_new_project_has_no_problem(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`solon check` passes as it is; of the one for a GPU, the set that proves it does."""
    monkeypatch.chdir(tmp_path)
    made = create(tmp_path / "mine", template, here())
    opened = read(tmp_path / "mine" / "recipe.yaml", (), OFFLINE.get(template, []) if template == "gpu-4bit" else [])
    found = check_recipe(opened)
    assert [str(problem) for problem in found.problems] == []
    assert opened.budget == "mine"
    text = "".join(path.read_text() for path in (tmp_path / "mine").glob("*.*") if path.suffix in (".md", ".yaml"))
    assert "mine" in (tmp_path / "mine" / "README.md").read_text()
    assert not [word for word in ("@NAME@", "@JUDGE@", "@BATCH@", "@PROVIDER@", "@CHOSEN@") if word in text]
    assert "@" not in "".join(made.next)
    assert "runs/" in (tmp_path / "mine" / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("template", OFFLINE)
def test_each_template_for_an_api_can_be_tried_without_a_key(template: str, tmp_path: Path) -> None:
    """Whosever key was set when it was made."""
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "NONE"):
        folder = tmp_path / variable
        create(folder, template, here(**{variable: "x"}))
        opened = read(folder / "recipe.yaml", (), OFFLINE[template])
        assert check_recipe(opened).problems == []


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b"}, "anthropic"),
        ({"OPENAI_API_KEY": "b"}, "openai"),
        ({"OPENAI_API_KEY": ""}, "endpoint"),
        ({}, "endpoint"),
    ],
    ids=["both", "OpenAI", "an empty one", "none"],
)
def test_the_judge_is_of_the_provider_whose_key_is_set(environment: dict[str, str], kind: str, tmp_path: Path) -> None:
    """By a model that a first try can afford, of the table of prices; the key itself is written nowhere."""
    secrets = {name: value and f"secret-{value}" for name, value in environment.items()}
    made = create(tmp_path / "p", "api-judge", here(**secrets))
    (judge,) = recipe_of(tmp_path / "p").label.models()  # type: ignore[union-attr]
    assert judge.kind == kind
    if kind != "endpoint":
        price = table()[kind][judge.model]
        assert price.input <= 1
        assert f"prices of {price.as_of}" in " ".join(made.notes)
    assert recipe_of(tmp_path / "p").max_usd == 1.0
    assert not any("secret-" in path.read_text() for path in (tmp_path / "p").iterdir())
    assert made.notes[0].startswith("neither" if kind == "endpoint" else f"{kind.upper()}_API_KEY is set")


@pytest.mark.parametrize(("gib", "rows"), [(None, 8), (12.0, 4), (24.0, 8), (80.0, 16)])
def test_the_batch_size_is_what_fits_the_card(gib: float | None, rows: int, tmp_path: Path) -> None:
    """By the estimate of `solon doctor --model`; without one, for a card of 24 GiB. A step stays as large."""
    made = create(tmp_path / "p", "gpu-4bit", here(*([gib] if gib else [])))
    train = yaml.safe_load((tmp_path / "p" / "recipe.yaml").read_text())["train"]
    assert (train["batch_size"], train["batch_size"] * train["gradient_accumulation"]) == (rows, 32)
    card = f"card of {gib}" if gib else "there is no NVIDIA GPU here"
    assert card in " ".join(made.notes)


def test_what_is_missing_is_the_first_thing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, after the step into the folder; from inside of it, without that step."""
    monkeypatch.chdir(tmp_path)
    made = create(Path("p"), "quickstart", here(missing=("trl",)))
    assert made.next == ("cd p", "pip install 'solon[train,report]'", "solon run recipe.yaml")
    judged = create(Path("q"), "api-judge", here(missing=("openai",), OPENAI_API_KEY="x"))
    assert "pip install 'solon[openai]'" in judged.next
    (tmp_path / "r").mkdir()
    monkeypatch.chdir(tmp_path / "r")
    assert create(Path(), "quickstart", here()).next == ("solon run recipe.yaml",)


def test_a_plugin_has_the_project_s_name(tmp_path: Path) -> None:
    """In recipe, package and entry point; a folder's name need not be one of a package."""
    made = create(tmp_path / "My Desk!", "plugin", here())
    assert made.commands[1] == "solon plugins check solon-my-desk"
    package = tmp_path / "My Desk!" / "solon-my-desk"
    points = tomllib.loads((package / "pyproject.toml").read_text())["project"]["entry-points"]["solon.labelers"]
    recipe = yaml.safe_load((tmp_path / "My Desk!" / "recipe.yaml").read_text())
    assert list(points) == [recipe["label"]["kind"]] == ["my-desk"]


@pytest.mark.parametrize("there", ["a file", "a folder with a file"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    """And nothing is added."""
    folder = tmp_path / "p"
    file = folder if there == "a file" else folder / "mine.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(DataError, match="is there already and not empty"):
        create(folder, "quickstart", here())
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_a_folder_under_git_is_as_good_as_empty(tmp_path: Path) -> None:
    """`git init` and `python -m venv .venv` often come first."""
    for name in (".git", ".venv"):
        (tmp_path / name).mkdir()
    assert create(tmp_path, "quickstart", here()).folder == tmp_path
    assert (tmp_path / "recipe.yaml").is_file()


def test_an_unknown_template_is_told_with_the_nearest(tmp_path: Path) -> None:
    """And nothing is made."""
    with pytest.raises(DataError, match=r"'gpu4bit'; there are quickstart, .*\(did you mean 'gpu-4bit'\?\)"):
        create(tmp_path / "p", "gpu4bit", here())
    assert not (tmp_path / "p").exists()


def test_the_command_lists_templates_and_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people, and as JSON."""
    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(app, ["init", "--list"]).stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(TEMPLATES)
    said = CliRunner().invoke(app, ["init", "p"]).stdout
    assert "p is ready: constitution to report on tiny models" in said
    assert said.splitlines()[-1].strip() == "solon run recipe.yaml"
    told = json.loads(CliRunner().invoke(app, ["init", "q", "-t", "api-judge", "--json"]).stdout)
    assert (told["template"], told["next"][0]) == ("api-judge", "cd q")
    assert CliRunner().invoke(app, ["init"]).exit_code == 2


def test_all_that_templates_copy_is_in_the_wheel() -> None:
    """What is missing there, an installed solon cannot make."""
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "force-include"
    ]
    packed = {source: target for source, target in included.items() if source.startswith("examples/")}
    assert all(target == f"solon/templates/{source.removeprefix('examples/')}" for source, target in packed.items())
    for template in TEMPLATES.values():
        for source in template.copied.values():
            assert any(Path("examples", source).is_relative_to(folder) for folder in packed), source
