"""A constitution file to a constitution, or to every error in it at its line."""

from pathlib import Path

import pytest

from solon.constitution import load, read
from solon.data.records import Case, Constitution, Principle
from solon.errors import ConstitutionError


def errors(path: Path, text: str) -> list[str]:
    path.write_text(text, "utf-8")
    with pytest.raises(ConstitutionError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.yaml"


def test_a_file_gives_the_constitution_that_it_describes(file):
    """The plainest case, field by field."""
    file.write_text(
        "name: kind\n"
        "principles:\n"
        "  - {id: polite, text: Is polite., weight: 2, topics: [work], source: me}\n"
        "  - {id: safe, text: Is safe., severity: hard}\n"
        "rating: {low: 0, high: 10, meaning: {0: bad, 10: good}}\n"
        "cases:\n"
        "  - {principle: polite, prompt: Hi, better: Hello!, worse: 'What now?'}\n",
        "utf-8",
    )
    constitution = load(file)
    assert constitution.name == "kind"
    assert constitution.principles == (
        Principle(id="polite", text="Is polite.", weight=2, topics=("work",), source="me"),
        Principle(id="safe", text="Is safe.", severity="hard"),
    )
    assert constitution.rating.meaning == {0: "bad", 10: "good"}
    assert constitution.cases == (Case(principle="polite", prompt="Hi", better="Hello!", worse="What now?"),)


def test_json_is_read_too(file):
    """For constitutions that a program writes."""
    path = file.with_suffix(".json")
    path.write_text('{"name": "x", "principles": [{"id": "a", "text": "b"}]}', "utf-8")
    assert load(path) == Constitution(name="x", principles=(Principle(id="a", text="b"),))


def test_every_error_comes_at_once_with_its_place_and_the_nearest_name(file):
    """One round of corrections is enough: schema, duplicate keys and ids, cases and rating together."""
    text = """\
name: x
version: 2
name: y
descripton: d
principles:
  - id: polite
    text: Is polite.
    wieght: 2
  - id: polite
    text: " "
    weight: 0
  - id: Not An Id
    text: t
    severity: hrad
  - {id: truth, text: Is true., topics: work}
rating: {low: 5}
cases:
  - {principle: trth, prompt: p, better: a, worse: b}
  - {principle: truth, prompt: " ", better: same, worse: " same "}
  - {principle: truth, prompt: p, better: a}
"""
    slug = "lower-case letters, digits, '-' and '_', and begin with a letter or digit"
    constitution = "name, version, description, principles, rating, cases"
    principle = "id, text, weight, severity, topics, critique, revision, source"
    assert errors(file, text) == [
        "2:10: 'version' must be text, not 2 (put it in quotes)",
        "3:1: duplicate key 'name', first on line 1 (keep one of the two)",
        f"4:1: unknown key 'descripton' (did you mean 'description'? the keys here are {constitution})",
        f"8:5: unknown key 'wieght' (did you mean 'weight'? the keys here are {principle})",
        "9:9: duplicate id 'polite', first on line 6 (every principle has an id of its own)",
        "10:11: a principle needs a text",
        "11:13: 'weight' must be above 0, not 0",
        f"12:9: 'id' must hold only {slug}, not 'Not An Id'",
        "14:15: 'severity' must be 'soft' or 'hard', not 'hrad' (did you mean 'hard'?)",
        "15:41: 'topics' must be a list, not 'work'",
        "16:15: the rating scale goes from 5 to 5 ('low' must be below 'high')",
        "18:17: no principle has the id 'trth' (did you mean 'truth'?)",
        "19:32: a case needs a prompt",
        "19:58: 'better' and 'worse' are the same text (no judge could tell them apart)",
        "20:5: missing key 'worse'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", ["1:1: a constitution is a mapping with `name` and `principles`"]),
        ("name: x\n", ["1:1: missing key 'principles'"]),
        ("name: x\nprinciples: []\n", ["2:13: a constitution needs at least one principle"]),
        ("name: x\nprinciples:\n", ["2:1: 'principles' must be a list, not empty"]),
        ("name: ''\nprinciples: [{id: a, text: b}]\n", ["1:7: a constitution needs a name"]),
        ("name: x\nprinciples: [{id: a, text: b, weight: -1}]\n", ["2:39: 'weight' must be above 0, not -1"]),
        ("name: x\nprinciples: [{id: a, text:}]\n", ["2:22: 'text' must be text, not empty"]),
        ("name: x\nprinciples: [be nice]\n", None),
        (
            "name: x\nprinciples: [{id: a, text: b}]\nrating: {low: 3, high: 2}\n",
            ["3:24: the rating scale goes from 3 to 2 ('low' must be below 'high')"],
        ),
        (
            "name: x\nprinciples: [{id: a, text: b}]\nrating: {low: 0, high: 1000}\n",
            ["3:24: the rating scale has 1,001 scores (at most 1,000; no judge tells so many apart)"],
        ),
        (
            "name: x\nprinciples: [{id: a, text: b}]\nrating: {meaning: {1: bad, 6: good}}\n",
            ["3:28: 'meaning' names 6, and the scale goes from 1 to 5"],
        ),
        (
            "name: x\nprinciples: [{id: a, text: b}]\ncases: [{principle: zzz, prompt: p, better: b, worse: w}]\n",
            ["3:21: no principle has the id 'zzz' (the ids are a)"],
        ),
    ],
)
def test_each_kind_of_error_has_its_message(file, text, expected):
    """Place, what is wrong, what to do."""
    found = errors(file, text)
    assert found == (
        expected or ["2:14: item 1 of 'principles' must be a mapping (lines of `key: value`), not 'be nice'"]
    )


def test_a_document_comes_with_the_constitution_for_those_who_go_on(file):
    """The linter's remarks have lines too."""
    file.write_text("name: x\nprinciples:\n  - id: a\n    text: b\n", "utf-8")
    constitution, document = read(file)
    assert constitution.name == "x"
    assert document.place(("principles", 0, "text")) == f"{file}:4:11"


def test_the_same_constitution_has_the_same_id_in_every_form(tmp_path):
    """Its id is the hash of what it says; how it is written does not matter."""
    (tmp_path / "a.yaml").write_text("principles:\n- {text: b, id: a}\nname: x  # a comment\n", "utf-8")
    (tmp_path / "b.json").write_text('{"name": "x", "principles": [{"id": "a", "text": "b"}]}', "utf-8")
    (tmp_path / "c.md").write_text("---\nname: x\n---\n## a\nb\n", "utf-8")
    assert len({load(tmp_path / name).id for name in ("a.yaml", "b.json", "c.md")}) == 1
