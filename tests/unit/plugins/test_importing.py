"""``kind: module:Class``: allowed by the recipe, looked up beside it, and in nobody else's way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packages import labeler, publish
from solon.cli.app import app
from solon.comparison.entries import entries
from solon.errors import RecipeError
from solon.labelers.base import Labeler
from solon.phases import phases_of
from solon.plugins.base import base_folder, effects_of
from solon.plugins.importing import imports_allowed
from solon.plugins.registry import create
from solon.recipe import Opened, read

RECIPE = """
constitution: helpfulness
candidates: candidates.jsonl
allow_import: true
label:
  kind: my_judge:Brevity
"""


def recipe(folder: Path, text: str = RECIPE, **files: str) -> Path:
    """A recipe in a folder of its own, with files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        folder.joinpath(f"{name}.py").write_text(content)
    folder.joinpath("candidates.jsonl").write_text('{"prompt": "a", "responses": ["b", "c d e"]}\n')
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def judge(opened: Opened) -> Labeler:
    assert opened.recipe.label is not None
    return opened.recipe.label


def test_a_class_in_a_file_beside_the_recipe_is_used(tmp_path: Path) -> None:
    """No package, no installation; what is written out is what the recipe says."""
    path = list(sys.path)
    found = judge(read(recipe(tmp_path, my_judge=labeler("brevity", more="limit: int = 3")), ["label.limit=7"]))
    assert found.settings() == {"kind": "my_judge:Brevity", "limit": 7}
    assert found.kind == "brevity"
    assert sys.path == path
    assert "my_judge" not in sys.modules
    assert not (tmp_path / "__pycache__").exists()


def test_without_allow_import_it_is_refused_at_its_place(tmp_path: Path) -> None:
    """A recipe is data: that it runs code has to be said in it."""
    code = "raise AssertionError('it ran')"
    path = recipe(tmp_path, RECIPE.replace("allow_import: true\n", ""), my_judge=code)
    with pytest.raises(RecipeError) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert problem.where == f"{path}:5:3"
    assert "labeler 'my_judge:Brevity' names code to import" in problem.what
    assert "to let this recipe run that module's code, add `allow_import: true` at its top level" in problem.what


def test_an_override_names_a_class_too(tmp_path: Path) -> None:
    """`label.kind=module:Class`; where it was typed is where it is refused."""
    path = recipe(
        tmp_path, RECIPE.replace("my_judge:Brevity", "rules\n  rules: {a: {regex: x}}"), my_judge=labeler("b")
    )
    found = judge(read(path, ["label={kind: my_judge:Brevity}"]))
    assert found.written == "my_judge:Brevity"
    with pytest.raises(RecipeError, match=r"command line, label: .*names code to import"):
        read(path, ["label={kind: my_judge:Brevity}", "allow_import=false"])


def test_a_set_and_a_phase_name_a_class_too(tmp_path: Path) -> None:
    """Wherever a recipe names a plugin."""
    text = RECIPE.replace("my_judge:Brevity", "rules\n  rules: {a: {regex: x}}")
    path = recipe(tmp_path, text + "sets: {mine: {label: {kind: my_judge:Brevity}}}\n", my_judge=labeler("b"))
    assert judge(read(path, (), ["mine"])).written == "my_judge:Brevity"
    path = recipe(tmp_path / "b", text + "phases: {one: {label: {kind: my_judge:Brevity}}}\n", my_judge=labeler("b"))
    (phase,) = phases_of(read(path))
    assert judge(phase).written == "my_judge:Brevity"


TRAINER = """
from typing import ClassVar
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer

class Still(Trainer):
    kind: ClassVar[str] = "still"
    consumes: ClassVar[type[Record]] = Preference
    rounds: int = 1

    def train(self, job: Job) -> Checkpoint:
        raise AssertionError
"""


def test_an_entry_of_a_comparison_names_a_class_too(tmp_path: Path) -> None:
    """Alone, and as one of several that train one after the other."""
    both = "[dpo, {kind: my_trainer:Still, rounds: 2}]"
    text = f"{RECIPE}policy: model\ncompare: {{mine: my_trainer:Still, both: {both}}}\n"
    found = entries(read(recipe(tmp_path, text, my_judge=labeler("b"), my_trainer=TRAINER)))
    trainers = [[phase.recipe.train for phase in phases_of(entry.opened)] for entry in found]
    written = [[trainer.written for trainer in each if trainer is not None] for each in trainers]
    assert written == [["my_trainer:Still"], ["dpo", "my_trainer:Still"]]


def test_check_and_plan_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All verbs read a recipe in one way."""
    monkeypatch.chdir(tmp_path)
    path = recipe(tmp_path / "elsewhere", my_judge=labeler("brevity"))
    for verb in ("check", "plan"):
        done = CliRunner().invoke(app, [verb, str(path), f"ledger={tmp_path}/ledger.sqlite"])
        assert done.exit_code == 0, (verb, done.output)


def test_two_recipes_with_files_of_one_name_get_each_their_own(tmp_path: Path) -> None:
    """In one process, in any order; also what these files import."""
    code = labeler("brevity", more="words: int = shared.WORDS").replace("from typing", "import shared\nfrom typing", 1)
    one = recipe(tmp_path / "one", my_judge=code, shared="WORDS = 1")
    two = recipe(tmp_path / "two", my_judge=code, shared="WORDS = 2")
    assert [judge(read(path)).settings()["words"] for path in (one, two, one)] == [1, 2, 1]
    assert "shared" not in sys.modules


def test_a_file_imports_those_beside_it_whenever_it_likes(tmp_path: Path) -> None:
    """A trainer imports torch, and its own loop, inside `train`."""
    code = labeler(
        "brevity",
        more="""
    def late(self):
        import inner.deep as deep
        from inner import deep as again
        from inner.deep import WORD
        import json
        return deep.WORD, again.WORD, WORD, json.dumps(1)
""",
    )
    path = recipe(tmp_path, my_judge=code)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "__init__.py").write_text("")
    (tmp_path / "inner" / "deep.py").write_text("from . import word\nWORD = word.WORD\n")
    (tmp_path / "inner" / "word.py").write_text("WORD = 'w'\n")
    assert judge(read(path)).late() == ("w", "w", "w", "1")  # type: ignore[attr-defined]


def test_a_module_in_a_folder_is_named_with_dots(tmp_path: Path) -> None:
    """With `__init__.py` or without; a file beside the recipe imports it by the same name."""
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "words.py").write_text("LIMIT = 4")
    code = labeler("brevity", more="limit: int = LIMIT").replace(
        "from typing", "from .words import LIMIT\nfrom typing", 1
    )
    (tmp_path / "judges" / "short.py").write_text(code)
    found = judge(read(recipe(tmp_path, RECIPE.replace("my_judge", "judges.short"))))
    assert found.settings() == {"kind": "judges.short:Brevity", "limit": 4}
    (tmp_path / "my_judge.py").write_text("from judges.short import Brevity")
    assert judge(read(recipe(tmp_path))).settings()["limit"] == 4
    first = effects_of(judge(read(recipe(tmp_path))))
    (tmp_path / "judges" / "words.py").write_text("LIMIT = 5")
    assert effects_of(judge(read(recipe(tmp_path)))) != first


@pytest.mark.parametrize("name", ["json", "numpy"])
def test_a_file_shadows_neither_python_nor_what_is_installed(tmp_path: Path, name: str) -> None:
    """`json.py` beside a recipe would break whatever imports json."""
    path = recipe(tmp_path, RECIPE.replace("my_judge", name), **{name: labeler("brevity")})
    with pytest.raises(RecipeError, match=r"there is no 'Brevity' in .*what is installed under that name comes before"):
        read(path)


def test_a_changed_file_is_read_again_and_makes_another_plugin(tmp_path: Path) -> None:
    """In a notebook one edits and reads again; what the old one did must not be taken for what the new one would."""
    path = recipe(tmp_path, my_judge=labeler("brevity"))
    first = judge(read(path))
    assert effects_of(first) == effects_of(judge(read(path)))
    (tmp_path / "my_judge.py").write_text(labeler("brevity").replace("1.0 /", "2.0 /"))
    second = judge(read(path))
    assert type(second) is not type(first)
    assert effects_of(first) != effects_of(second)
    assert first.settings() == second.settings()


def test_a_changed_file_that_it_imports_makes_another_plugin_too(tmp_path: Path) -> None:
    """Also one that is imported only when it is used; a file that it does not import changes nothing."""
    code = labeler("brevity", more="def late(self):\n        import shared\n        return shared")
    path = recipe(tmp_path, my_judge=code, shared="WORDS = 1")
    first = effects_of(judge(read(path)))
    (tmp_path / "other.py").write_text("WORDS = 1")
    assert effects_of(judge(read(path))) == first
    (tmp_path / "shared.py").write_text("WORDS = 2")
    assert effects_of(judge(read(path))) != first


def test_an_installed_packages_class_may_be_named_and_is_known_by_its_version(site: Path, tmp_path: Path) -> None:
    """No source of it decides: its version is noted, as solon's own is."""
    publish(site, "solon-wit", {}, {"wit_judge.py": labeler("wit")})
    found = judge(read(recipe(tmp_path, RECIPE.replace("my_judge", "wit_judge"))))
    assert found.settings()["kind"] == "wit_judge:Brevity"
    assert "source code" not in effects_of(found)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit(3)", "does not load: SystemExit: 3. Look at my_judge"),
        ("import no_such_thing", "it needs the module 'no_such_thing': pip install no-such-thing"),
        ("", "there is no 'Brevity' in .*my_judge.py"),
        ("class Brevity: pass", "is not a subclass of solon.labelers.base.Labeler"),
        (labeler("b").replace("kind: ClassVar", "kindly: ClassVar"), "calls itself None: its `kind` must be a name"),
    ],
    ids=["exits", "needs", "empty", "no-plugin", "no-kind"],
)
def test_what_is_wrong_with_the_module_is_told_at_its_place(tmp_path: Path, code: str, says: str) -> None:
    """As of an installed one."""
    with pytest.raises(RecipeError, match=rf"recipe.yaml:6:3: labeler 'my_judge:Brevity'.*{says}"):
        read(recipe(tmp_path, my_judge=code))


def test_a_module_that_is_nowhere_says_where_was_looked(tmp_path: Path) -> None:
    """The folder is the recipe's, and not the one in which solon runs."""
    with pytest.raises(
        RecipeError, match=f"there is no module 'my_judge' among the installed packages and in {tmp_path}"
    ):
        read(recipe(tmp_path))


@pytest.mark.parametrize("kind", ["my_judge:", ":Brevity", "my-judge:Brevity", "../my_judge:Brevity", "a:b:c"])
def test_anything_else_with_a_colon_is_refused(kind: str) -> None:
    """No path, no call, no nested name."""
    with imports_allowed(), pytest.raises(ValueError, match=r"is not of the form module:Class"):
        create("solon.labelers", {"kind": kind})


@pytest.mark.slow
def test_off_refuses_files_and_a_list_refuses_other_packages(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs recipes of others can forbid all code but solon's from outside."""
    publish(site, "solon-wit", {"solon.labelers": {"wit": "wit_judge:Brevity"}}, {"wit_judge.py": labeler("wit")})
    publish(site, "solon-dry", {"solon.labelers": {"dry": "dry_judge:Brevity"}}, {"dry_judge.py": labeler("dry")})
    for info, module in (("solon_wit-1.0", "wit_judge"), ("solon_dry-1.0", "dry_judge")):
        (site / f"{info}.dist-info" / "top_level.txt").write_text(module)
    recipe(tmp_path, my_judge=labeler("brevity"))

    def made(kind: str) -> object:
        with base_folder(tmp_path), imports_allowed():
            return create("solon.labelers", {"kind": kind})

    monkeypatch.setenv("SOLON_PLUGINS", "off")
    for kind in ("my_judge:Brevity", "wit_judge:Brevity"):
        with pytest.raises(ValueError, match=r"is refused: SOLON_PLUGINS=off allows no package but solon"):
            made(kind)
    monkeypatch.setenv("SOLON_PLUGINS", "solon-wit")
    assert made("my_judge:Brevity")
    assert made("wit_judge:Brevity")
    with pytest.raises(ValueError, match=r"is refused: SOLON_PLUGINS=solon-wit leaves it out: add solon-dry"):
        made("dry_judge:Brevity")


def test_not_even_a_parser_of_kinds_imports(tmp_path: Path) -> None:
    """Refused before anything of the module is looked for."""
    with base_folder(tmp_path), pytest.raises(ValueError, match=r"names code to import"):
        create("solon.labelers", {"kind": "os:system"})
