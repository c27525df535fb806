"""The shipped constitutions, and how constitutions are found by name."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from solon.constitution import find, lint, resolve, schema
from solon.constitution.library import registered, shipped_path
from solon.errors import ConstitutionError, PluginError

SHIPPED = ["harmlessness", "helpfulness", "honesty", "strict-format"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_constitution_has_neither_errors_nor_remarks(name):
    """It is the example that people copy."""
    constitution, document = find(shipped_path(name))
    assert constitution.name == name
    assert lint(constitution, document) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_principle_is_complete(name):
    """Each has a source, a critique and a revision request, and at least one case."""
    constitution = resolve(name)
    assert 5 <= len(constitution.principles) <= 8
    exercised = {case.principle for case in constitution.cases}
    for principle in constitution.principles:
        assert principle.source, principle.id
        assert principle.critique, principle.id
        assert principle.revision, principle.id
        assert principle.id in exercised
    assert set(constitution.rating.meaning) >= {constitution.rating.low, constitution.rating.high}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_constitution_validates_against_the_schema(name):
    """Editors show no false errors. JSON has no whole numbers as keys, hence the way through text."""
    written = json.loads(json.dumps(yaml.safe_load(shipped_path(name).read_text("utf-8"))))
    jsonschema.Draft202012Validator(schema()).validate(written)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x", "principles": []},
        {"name": " ", "principles": [{"id": "a", "text": "b"}]},
        {"name": "x", "principles": [{"id": "a", "text": " "}]},
        {"name": "x", "principles": [{"id": "a", "text": "b", "weight": 0}]},
        {"name": "x", "principles": [{"id": "A", "text": "b"}]},
        {"name": "x", "principles": [{"id": "a", "text": "b", "severity": "mild"}]},
        {"name": "x", "principles": [{"id": "a", "text": "b"}], "extra": 1},
        {"principles": [{"id": "a", "text": "b"}]},
        {"name": "x", "principles": [{"id": "a", "text": "b"}], "cases": [{"principle": "a"}]},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(wrong):
    """So that an editor shows the error while it is written."""
    assert not jsonschema.Draft202012Validator(schema()).is_valid(wrong)


def test_the_schema_describes_every_field():
    """An editor shows the description at the cursor; an undocumented field would show nothing."""
    jsonschema.Draft202012Validator.check_schema(schema())
    described = schema()
    assert described["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for part in (described, *described["$defs"].values()):
        assert part["description"]
        for name, field in part["properties"].items():
            assert field.get("description"), name


def test_names_and_paths_are_resolved(tmp_path: Path, monkeypatch):
    """A name is an installed constitution; a path, or a file of that name, is a file."""
    monkeypatch.chdir(tmp_path)
    text = "name: mine\nprinciples: [{id: a, text: b}]\n"
    for name in ("mine.yaml", "plain", "honesty"):
        Path(name).write_text(text, "utf-8")
    assert resolve("mine.yaml").name == "mine"
    assert resolve(Path("mine.yaml")).name == "mine"
    assert resolve("plain").name == "mine"
    assert resolve("honesty").name == "honesty"
    assert resolve("./honesty").name == "mine"
    assert resolve(Path("honesty")).name == "mine"


def test_an_unknown_name_is_told_the_nearest(tmp_path: Path, monkeypatch):
    """And what there is."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConstitutionError) as caught:
        resolve("honest")
    assert str(caught.value).startswith("no constitution is called 'honest', and there is no such file; installed: ")
    assert str(caught.value).endswith("(did you mean 'honesty'?)")


def test_a_path_that_does_not_exist_is_no_name(tmp_path: Path):
    """The message speaks of files where the user meant one."""
    with pytest.raises(ConstitutionError, match=r"honesti\.yaml: no such file; did you mean '.*honesty\.yaml'\?"):
        resolve(shipped_path("honesty").with_name("honesti.yaml"))
    with pytest.raises(PluginError, match="no constitution is called 'nobody'"):
        registered("nobody")
