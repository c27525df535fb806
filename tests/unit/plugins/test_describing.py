"""A plugin's settings in words, from its class itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

import jsonschema
import pytest
from pydantic import Field, PositiveInt
from typer.testing import CliRunner

from packages import labeler, publish
from solon.cli.app import app
from solon.plugins import AnyChatModel, Labeler, Location, Settings
from solon.plugins.describing import Setting, about, schema_of, settings_of
from solon.plugins.groups import CONSTITUTIONS, GROUPS
from solon.plugins.offers import offers
from solon.plugins.registry import create, load


class Depth(Settings):
    """How deep.

    Attributes:
        least, most: in metres,
            of water.
    """

    least: int = 1
    most: PositiveInt = 5


class Diver(Labeler):
    """Looks below.

    And a second paragraph.

    Attributes:
        judge: who is asked.
        ways: in this order: first, second.
    """

    kind: ClassVar[str] = "diver"
    judge: AnyChatModel | None = None
    depth: Depth = Depth(most=9)
    share: float = Field(default=0.5, ge=0, lt=1, description="of all\n there is")
    ways: tuple[Literal["up", "down"], ...] = ("down",)
    stops: tuple[Depth, ...] = ()
    file: Location | None = None
    must: PositiveInt | None = Field(alias="class")


def setting(name: str) -> Setting:
    (found,) = [one for one in settings_of(Diver) if one.name == name]
    return found


@pytest.mark.parametrize(
    "expected",
    [
        Setting(name="judge", type="chat model", required=False, help="who is asked."),
        Setting(name="depth", type="mapping", required=False, default={"least": 1, "most": 9}),
        Setting(name="depth.least", type="whole number", required=False, default=1, help="in metres, of water."),
        Setting(
            name="depth.most", type="whole number", required=False, default=9, range="> 0", help="in metres, of water."
        ),
        Setting(name="share", type="number", required=False, default=0.5, range=">= 0 and < 1", help="of all there is"),
        Setting(
            name="ways",
            type="list of up or down",
            required=False,
            default=["down"],
            help="in this order: first, second.",
        ),
        Setting(name="stops", type="list of mapping", required=False, default=[]),
        Setting(
            name="stops[].most",
            type="whole number",
            required=False,
            default=5,
            range="> 0",
            help="in metres, of water.",
        ),
        Setting(name="file", type="path or name", required=False),
        Setting(name="class", type="whole number", required=True, range="> 0"),
    ],
    ids=lambda one: one.name,
)
def test_a_setting_in_words(expected: Setting) -> None:
    """Type, default where it stands, range, and help from the field or the docstring."""
    assert setting(expected.name) == expected


def test_what_it_is_for_is_its_docstring_without_its_settings() -> None:
    """Those are listed by themselves."""
    assert about(Diver) == "Looks below.\n\nAnd a second paragraph."


OURS = [
    (offer.group, offer.kind)
    for group in GROUPS
    if group != CONSTITUTIONS
    for offer in offers(group)
    if offer.package == "solon"
]


@pytest.mark.parametrize(("group", "kind"), OURS)
def test_every_plugin_of_ours_can_be_described(group: str, kind: str) -> None:
    """Each field is there, in words, and none is said in Python's."""
    plugin = load(group, kind)
    found = settings_of(plugin)
    assert {one.name for one in found if "." not in one.name} == {
        field.alias or name for name, field in plugin.model_fields.items()
    }
    assert not [one for one in found if "[" in one.type or "Union" in one.type or "typing" in one.type]
    assert about(plugin)


def test_the_schema_takes_what_the_class_takes() -> None:
    """For an editor, or for a form: settings that are valid, and one that is none."""
    schema = schema_of(load("solon.trainers", "dpo"))
    validator = jsonschema.Draft202012Validator(schema)
    good = create("solon.trainers", {"kind": "dpo", "beta": 0.2, "lora": {"r": 4}}).settings()
    assert list(validator.iter_errors(good)) == []
    assert [error.validator for error in validator.iter_errors({"kind": "dpo", "betta": 1})] == ["additionalProperties"]
    assert [error.validator for error in validator.iter_errors({"kind": "kto"})] == ["const"]


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["plugins", "show", *arguments], env={"COLUMNS": "120"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.output.splitlines())


def test_show_prints_docstring_and_settings() -> None:
    """What a user would otherwise look for in the source."""
    text = shown("dpo")
    assert text.startswith(
        "dpo: a trainer of solon 0.1.0 (solon.trainers.dpo:DPO)\n\nMakes the chosen response likelier"
    )
    assert "  consumes Preference" in text
    assert "  beta: number, > 0; default 0.1\n      How dear it is to leave the reference" in text
    assert "  lora.r: whole number, > 0; default 16\n" in text
    assert "  alarms.kl.limit: number, >= 0; default " in text


def test_show_as_json_has_the_schema_and_the_settings() -> None:
    """For programs."""
    told = json.loads(shown("dpo", "--json"))
    assert told["schema"]["properties"]["beta"]["exclusiveMinimum"] == 0
    (rank,) = [one for one in told["settings"] if one["name"] == "lora.r"]
    assert (rank["type"], rank["required"], rank["default"], rank["range"]) == ("whole number", False, 16, "> 0")
    assert (told["package"], told["kind"], told["group"]) == ("solon", "dpo", "solon.trainers")


def test_a_name_in_two_groups_asks_for_one() -> None:
    """`rating` judges, and `rating` measures."""
    done = CliRunner().invoke(app, ["plugins", "show", "rating"])
    assert (
        str(done.exception)
        == "'rating' is a labeler and an evaluator: say which by --group labelers or --group evaluators"
    )
    assert "an evaluator" in shown("rating", "--group", "evaluators").splitlines()[0]
    assert "a labeler" in shown("rating", "--group", "labeler").splitlines()[0]
    done = CliRunner().invoke(app, ["plugins", "show", "rating", "--group", "labellers"])
    assert "did you mean 'labelers'?" in str(done.exception)


def test_an_unknown_name_is_answered_with_the_nearest_of_all_groups() -> None:
    """Whoever asks need not know the group."""
    done = CliRunner().invoke(app, ["plugins", "show", "dop"])
    assert str(done.exception) == (
        "no plugin is called 'dop': did you mean 'dpo', a trainer? `solon plugins list` shows all"
    )


def test_a_constitution_is_shown_too() -> None:
    """It has no settings."""
    assert shown("honesty").startswith("honesty: a constitution of solon 0.1.0")


def test_a_third_partys_is_shown_with_its_package_and_documentation(site: Path) -> None:
    """From its metadata."""
    about_it = "Summary: Wit\nProject-URL: Documentation, https://example.org/wit\n"
    points = {"solon.labelers": {"wit": "wit_judge:Brevity"}}
    code = labeler("wit", more='api_version: ClassVar[str] = "1.0"')
    publish(site, "solon-wit", points, {"wit_judge.py": code}, metadata=about_it)
    text = shown("wit")
    assert text.startswith("wit: a labeler of solon-wit 1.0 (wit_judge:Brevity)\n\nPrefers short answers.")
    assert "api_version   1.0" in text
    assert "documentation https://example.org/wit" in text


def test_a_file_here_is_shown_by_module_and_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever types it wants it imported."""
    (tmp_path / "my_judge.py").write_text(labeler("brevity", more="limit: int = 3"))
    monkeypatch.chdir(tmp_path)
    assert "limit: whole number; default 3" in shown("my_judge:Brevity")
