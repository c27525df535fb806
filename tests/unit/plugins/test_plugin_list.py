"""``solon plugins list`` as people read it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packages import labeler, publish
from solon.cli.app import app
from solon.plugins.inspecting import entries, find
from solon.plugins.trying import tried

LABELERS = "solon.labelers"


def listed(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["plugins", "list", *arguments], env={"COLUMNS": "160"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [" ".join(line.split()) for line in done.output.splitlines()]


def two_of_one_name(site: Path) -> None:
    for package in ("solon-a", "solon-b"):
        module = package[-1] + "_judge"
        publish(site, package, {LABELERS: {"brevity": f"{module}:Brevity"}}, {f"{module}.py": labeler("brevity")})


def test_it_says_what_is_whose_and_what_may_not_be_used(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a plugin, and below why and what to do."""
    two_of_one_name(site)
    lines = listed("--group", "labelers")
    assert "pairwise solon 0.1.0 found solon.labelers.pairwise:Pairwise" in lines
    assert "brevity solon-a 1.0 clashes a_judge:Brevity" in lines
    why = "solon.labelers brevity of solon-a: solon-b offers it too: uninstall one, or choose by SOLON_PLUGINS=solon-a"
    assert why in lines
    monkeypatch.setenv("SOLON_PLUGINS", "solon-b")
    lines = listed("--group", "labelers")
    assert "brevity solon-a 1.0 refused a_judge:Brevity" in lines
    assert "brevity solon-b 1.0 found b_judge:Brevity" in lines


def test_a_group_is_a_heading_and_only_that_is_listed() -> None:
    """The full name of a group is taken too."""
    assert listed("--group", "models") == listed("--group", "solon.models")
    assert "solon.labelers" not in listed("--group", "models")
    assert "solon.models" in listed("--group", "models")


def test_what_a_package_says_of_itself_reaches_the_terminal_as_text(site: Path) -> None:
    """Escape sequences in metadata would be obeyed, and square brackets taken for markup."""
    points = {LABELERS: {"wit": "wit_judge:Brevity"}}
    publish(site, "solon-wit", points, {"wit_judge.py": labeler("wit")}, metadata="Summary: \x1b[31m[bold]red\n")
    (line,) = [line for line in listed("--group", "labelers") if line.startswith("solon-wit 1.0, in")]
    assert line.endswith(": ⟨U+001B⟩[31m[bold]red")


def test_finding_a_module_imports_none_of_its_packages(site: Path) -> None:
    """`importlib.util.find_spec` would import them."""
    for folder in ("outer", "outer/inner"):
        (site / folder).mkdir()
        (site / folder / "__init__.py").write_text("raise AssertionError('imported')")
    (site / "outer" / "inner" / "deep.py").write_text("raise AssertionError('imported')")
    assert find("outer.inner.deep") is not None
    assert find("outer.inner.gone") is None
    assert find("outer.inner.deep.deeper") is None
    assert "outer" not in sys.modules


def test_one_that_loads_and_clashes_still_clashes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--check` must not hide what keeps it from being used."""
    two_of_one_name(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    found = tried([entry for entry in entries([LABELERS]) if entry.package == "solon-a"])
    assert [entry.state for entry in found] == ["clashes"]
