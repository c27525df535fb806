"""``solon constitution``, as a user calls it."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from solon.cli.constitution import app
from solon.errors import ConstitutionError, InputError

SHORTER = """\
kind: pairwise
judge:
  kind: scripted
  replies:
    - {when: "A]\\nHello, and welcome", say: B}
    - {when: "B]\\nHello, and welcome", say: A}
  default: A
"""
CONSTITUTION = """\
name: brief
principles:
  - {id: short, text: "The response is short [very]."}
cases:
  - {principle: short, prompt: Hi, better: Hello, worse: "Hello, and welcome"}
  - {principle: short, prompt: Bye, better: Bye, worse: So long}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("c.yaml").write_text(CONSTITUTION, "utf-8")
    Path("judge.yaml").write_text(SHORTER, "utf-8")
    return tmp_path


def call(*arguments: str):
    return CliRunner().invoke(app, arguments)


def test_check_counts_and_passes():
    """One line when all is well."""
    result = call("check", "c.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("c.yaml: 1 principle, 2 cases; id ")
    assert result.stdout.endswith("; 0 warnings\n")


def test_check_prints_remarks_with_their_lines():
    """A remark is no error: the exit code stays 0."""
    Path("c.yaml").write_text("name: x\nprinciples:\n  - {id: a, text: Is kind to whoever writes.}\n", "utf-8")
    result = call("check", "c.yaml")
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: c.yaml:3:5: no case exercises principle 'a' "
        "(add one, and `solon constitution test` shows whether a judge understands it)\n"
    )
    assert result.stdout.endswith("; 1 warning\n")


def test_check_gives_every_error_to_people_and_to_programs():
    """People get them from the error itself, exit code 2; with --json they are one object."""
    Path("c.yaml").write_text("name: x\nprincples: []\n", "utf-8")
    result = call("check", "c.yaml")
    assert isinstance(result.exception, ConstitutionError)
    assert len(result.exception.problems) == 2
    result = call("check", "c.yaml", "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert (found["ok"], len(found["problems"])) == (False, 2)
    assert json.loads(call("check", "honesty", "--json").stdout)["ok"] is True


def test_show_shows_every_principle_as_it_is_written():
    """Square brackets are text and not rich's markup."""
    result = call("show", "c.yaml")
    assert result.exit_code == 0
    assert "short (weight 1; 2 cases)" in result.stdout
    assert "The response is short [very]." in result.stdout
    shown = json.loads(call("show", "c.yaml", "--json").stdout)
    assert shown["principles"][0]["text"] == "The response is short [very]."


def test_list_names_what_is_installed():
    """With a line for each."""
    result = call("list")
    assert result.exit_code == 0
    names = {each["name"]: each for each in json.loads(call("list", "--json").stdout)["constitutions"]}
    assert {"harmlessness", "helpfulness", "honesty", "strict-format"} <= set(names)
    assert all(name in result.stdout for name in names)


def test_test_prints_what_fails_and_exits_with_1():
    """The first case passes in both orders; the second is always A."""
    result = call("test", "c.yaml", "--judge", "judge.yaml", "--quiet")
    assert result.exit_code == 1
    assert "case 2 (short): the judge prefers whichever stands in one place" in result.stdout
    assert "(P(better) 1.00 when shown first, 0.00 when shown second)" in result.stdout
    assert "case 1" not in result.stdout
    assert "1 of 2 cases passed; 1 order-dependent; judged by pairwise:scripted" in result.stdout


def test_test_exits_with_0_when_every_case_passes():
    """And says on how many."""
    Path("c.yaml").write_text(CONSTITUTION.rsplit("  - {", 1)[0], "utf-8")
    result = call("test", "c.yaml", "--judge", "judge.yaml", "-q")
    assert (result.exit_code, result.stdout) == (0, "1 of 1 case passed; judged by pairwise:scripted\n")


def test_a_card_counts_checks_and_not_cases():
    """Most of what is counted are attacks and canaries."""
    result = call("test", "c.yaml", "--judge", "judge.yaml", "--card", "card.json")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert re.fullmatch(r"test +(\d+) of \1 checks", last)


def test_test_gives_programs_one_object():
    """With each case's verdict."""
    result = call("test", "c.yaml", "--judge", "judge.yaml", "--json", "--quiet")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["ok"], found["accuracy"], found["n"], found["passed"], found["failed"]) == (False, 0.5, 2, 1, 0)
    assert [each["verdict"] for each in found["results"]] == ["passed", "order_dependent"]


def test_test_refuses_a_judge_that_it_cannot_read():
    """Before anything is asked."""
    assert isinstance(call("test", "c.yaml", "--judge", "jugde.yaml").exception, InputError)


def test_the_schema_is_one_json_object():
    """For an editor's settings."""
    assert json.loads(call("schema").stdout)["title"] == "solon constitution"
