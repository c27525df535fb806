"""What somebody else's plugin raises or answers is told as theirs: whose it is, and that it is no bug in solon."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opinions import SHORT, comparison, rating
from packages import labeler, publish
from solon.cli.app import app
from solon.cli.failing import failed
from solon.data.records import Constitution
from solon.errors import PluginError, SolonError
from solon.evaluation.base import Evidence
from solon.evaluation.boundary import measured_by
from solon.labelers.boundary import answered, examined
from solon.labelers.cascade import Cascade
from solon.labelers.panel import Panel
from solon.pipeline import run
from solon.planning.plan import plan_of
from solon.plugins.base import base_folder, effects_of
from solon.plugins.boundary import answer_of, culprit
from solon.plugins.importing import imports_allowed
from solon.plugins.registry import create, load
from solon.recipe import read

LABELERS = "solon.labelers"
RECIPE = """
constitution: helpfulness
candidates: candidates.jsonl
label: wit
build: {held_out: 0}
"""
WHOSE = r"labeler 'wit' \(solon-wit 1\.0, wit_judge:Brevity\) "


def wit(site: Path, more: str = "", answer: str = "") -> Any:
    """A labeler of an installed package."""
    code = labeler("wit", more=more)
    if answer:
        code = code.partition("        return question")[0] + f"        {answer}\n"
    publish(site, "solon-wit", {LABELERS: {"wit": "wit_judge:Brevity"}}, {"wit_judge.py": code})
    return load(LABELERS, "wit")


def recipe(folder: Path) -> Path:
    rows = [{"prompt": f"question {n}", "responses": ["short", "much longer indeed"]} for n in range(3)]
    (folder / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


@pytest.mark.parametrize(
    ("question", "arguments"), [("problems", ()), ("effects", ()), ("models", ()), ("expected_questions", (3, 2))]
)
def test_what_a_question_raises_names_the_package(site: Path, question: str, arguments: tuple[int, ...]) -> None:
    """`solon check` asks it of every plugin of a recipe."""
    made = wit(site, more=f"def {question}(self, *_):\n        return {{}}['x']")()
    says = rf"^{WHOSE}raised KeyError: 'x' when it was asked for {question}\(\)\. Report it to its authors"
    with pytest.raises(PluginError, match=says):
        answer_of(made, question, *arguments)


@pytest.mark.parametrize(
    ("question", "arguments", "promised"),
    [
        ("problems", (), "a list of texts"),
        ("effects", (), "a mapping"),
        ("models", (), "a tuple of chat models"),
        ("expected_questions", (3, 2), "a number"),
    ],
)
def test_an_answer_of_another_type_names_the_package(
    site: Path, question: str, arguments: tuple[int, ...], promised: str
) -> None:
    """Each letter of a text would be a problem of its own."""
    made = wit(site, more=f"def {question}(self, *_):\n        return 'many'")()
    says = rf"^{WHOSE}answered {question}\(\) with 'many', which is not {promised}\. Report it"
    with pytest.raises(PluginError, match=says):
        answer_of(made, question, *arguments)


@pytest.mark.parametrize("question", ["problems", "effects", "models", "expected_questions", "name"])
def test_whatever_asks_names_the_package(site: Path, tmp_path: Path, question: str) -> None:
    """Through what reads a recipe: checking it, planning it, running it."""
    begin = "@property\n    " if question == "name" else ""
    wit(site, more=f"{begin}def {question}(self, *_):\n        return {{}}['x']")
    opened = read(recipe(tmp_path))

    def ask() -> None:
        if question == "expected_questions":
            plan_of(opened)
        elif question == "effects":
            effects_of(opened.recipe.label)  # type: ignore[arg-type]
        else:
            run(opened, tmp_path / "run")

    with pytest.raises(SolonError, match=rf"{WHOSE}raised KeyError: 'x'"):
        ask()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("return None", r"answered with None, which is no Judgment: it should return question\.judged\(Scored"),
        ("return Scored(scores=(1.0,))", r"answered with Scored Scored\(.*which is no Judgment"),
        (
            "return Judgment(prompt='p', principles=(), options=('a',), labeler='w', outcome=Scored(scores=(1, 0, 1)))",
            r"gave 3 scores where 1 belong, one an option, in a judgment by 'w'",
        ),
        ("return 1 / 0", r"raised ZeroDivisionError: division by zero\. What it cannot judge it should answer with"),
    ],
    ids=["none", "scored", "three", "raises"],
)
def test_what_is_no_judgment_names_the_package(site: Path, tmp_path: Path, answer: str, says: str) -> None:
    """Alone, in a panel, in a cascade, and in a run; its place in solon's code says nothing to a user."""
    made = wit(site, answer=answer)()
    for one in (Panel(members=(made, made)), Cascade(first=made, then=made)):
        with pytest.raises(PluginError, match=WHOSE + says):
            asyncio.run(one.label(rating("a")))
    with pytest.raises(PluginError, match=WHOSE + says):
        asyncio.run(answered(made, comparison("a", "b")))
    with pytest.raises(PluginError, match=WHOSE + says):
        run(read(recipe(tmp_path)), tmp_path / "run")


def test_an_examination_that_gives_nothing_names_the_package(site: Path) -> None:
    """A forgotten return."""
    made = wit(site, more="async def examine(self, *_, **__):\n        pass")()
    with pytest.raises(PluginError, match=WHOSE + r"answered examine\(\) with None, not with judgments"):
        asyncio.run(examined(made, None, None))  # type: ignore[arg-type]


EVALUATOR = """
from typing import ClassVar
from solon.plugins import Evaluator

class Count(Evaluator):
    kind: ClassVar[str] = "count"

    async def evaluate(self, evidence):
        {}
"""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "return 1 / 0",
            r"raised ZeroDivisionError: division by zero when it was asked for evaluate\(\)\. What it cannot measure",
        ),
        ("pass", r"answered evaluate\(\) with None, which is not a list of Metric"),
        ("return [3]", r"answered evaluate\(\) with 3, which is no Metric"),
    ],
    ids=["raises", "none", "number"],
)
def test_what_an_evaluator_raises_or_gives_names_the_package(site: Path, body: str, says: str) -> None:
    """The training before it may have taken hours; whose it is must be told."""
    points = {"solon.evaluators": {"count": "count_it:Count"}}
    publish(site, "solon-count", points, {"count_it.py": EVALUATOR.format(body)})
    made = load("solon.evaluators", "count")()
    evidence = Evidence(constitution=Constitution(name="one", principles=(SHORT,)), pairs={})
    with pytest.raises(PluginError, match=r"^evaluator 'count' \(solon-count 1\.0, count_it:Count\) " + says):
        asyncio.run(measured_by(made, evidence))


def test_a_labeler_beside_the_recipe_is_named_by_its_file(tmp_path: Path) -> None:
    """As the recipe names it, and not by the package that solon makes of the folder."""
    file = tmp_path / "my_judge.py"
    file.write_text(labeler("brevity").partition("        return question")[0] + "        return 1 / 0\n")
    with base_folder(tmp_path), imports_allowed():
        made = create(LABELERS, "my_judge:Brevity")
    with pytest.raises(PluginError) as raised:
        asyncio.run(answered(made, rating("a")))
    assert str(raised.value).startswith(f"labeler 'brevity' (my_judge:Brevity in {file}) raised ZeroDivisionError")
    assert "_beside_recipe_" not in str(raised.value)


def test_what_nobody_caught_is_told_as_the_plugins_too(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package can raise wherever it is asked, a property say; also in what it calls of others."""
    monkeypatch.chdir(tmp_path)
    made = wit(site, more="@property\n    def name(self):\n        import json\n        return json.loads('{')")()
    with pytest.raises(ValueError, match="Expecting property name") as raised:
        _ = made.name
    assert failed(raised.value) == 1
    said = capsys.readouterr().err
    whose = "labeler 'wit' (solon-wit 1.0, wit_judge:Brevity)"
    assert said.startswith(f"solon: this is a bug in {whose}, which is no part of solon: JSONDecodeError: ")
    assert "report it to its authors with that file" in said


def test_a_folder_of_several_authors_is_none_of_theirs(site: Path) -> None:
    """A namespace package: beside somebody's plugin lies what others wrote."""
    other = {"shared/judge.py": labeler("wit"), "shared/other.py": "def fail():\n    raise KeyError('x')"}
    (site / "shared").mkdir()
    publish(site, "solon-wit", {LABELERS: {"wit": "shared.judge:Brevity"}}, other)
    load(LABELERS, "wit")
    with pytest.raises(KeyError) as raised:
        import_module("shared.other").fail()
    assert culprit(raised.value) is None


def test_a_mistake_of_solons_own_stays_one(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Third parties' modules are there, and are not where it was raised."""
    wit(site)
    with pytest.raises(AttributeError) as raised:
        effects_of(None)  # type: ignore[arg-type]
    failed(raised.value)
    assert "solon: this is a bug in solon: AttributeError" in capsys.readouterr().err


def test_show_names_a_file_beside_the_recipe_as_the_recipe_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module that solon makes of the folder is nobody's business."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_judge.py").write_text(labeler("brevity"))
    done = CliRunner().invoke(app, ["plugins", "show", "my_judge:Brevity"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert f"my_judge:Brevity: a labeler ({tmp_path / 'my_judge.py'})" in done.output
    assert "_beside_recipe_" not in done.output
