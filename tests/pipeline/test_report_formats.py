"""``solon report --format``, as a user runs it."""

from __future__ import annotations

import json

import pytest

from project import Project

pytestmark = pytest.mark.slow  # a process or several for each test


def written(project: Project) -> set[str]:
    """The report's files."""
    return {path.name for path in project.run_dir.glob("report.*")}


def test_a_format_that_is_asked_for_takes_no_other_away(project: Project) -> None:
    """What was written before stays where it was and is kept up to date, by every later command too."""
    assert project.solon("report", "recipe.yaml", "--format", "json", "-q")[0] == 0
    assert written(project) == {"report.json"}
    first = (project.run_dir / "report.json").read_bytes()
    code, out, _ = project.solon("report", "recipe.yaml", "--format", "md,html")
    assert (code, written(project)) == (0, {"report.json", "report.html", "report.md"})
    assert "report.html" in out
    assert (project.run_dir / "report.json").read_bytes() == first
    assert not (project.run_dir / "previous").exists()
    assert "report    done before" in project.solon("report", "recipe.yaml", "--format", "html", "--format", "json")[2]

    assert project.solon("run", "recipe.yaml", "seed=3", "-q")[0] == 0
    told = json.loads((project.run_dir / "report.json").read_text())
    assert (told["name"], told["seed"]) == ("project", 3)


def test_a_format_is_kept_though_a_stage_between_has_set_the_report_aside(project: Project) -> None:
    """Other data are built first, and the report is written by a later command."""
    assert project.solon("report", "recipe.yaml", "--format", "json", "-q")[0] == 0
    assert project.solon("build", "recipe.yaml", "seed=3", "-q")[0] == 0
    assert written(project) == set()
    assert project.solon("run", "recipe.yaml", "seed=3", "-q")[0] == 0
    assert written(project) == {"report.json", "report.html", "report.md"}


def test_an_unknown_format_is_refused_before_anything_is_done(project: Project) -> None:
    """With those that there are."""
    code, _, err = project.solon("report", "recipe.yaml", "--format", "pdf")
    assert code == 2
    assert "'pdf' is no format of the report; there are html, md, json" in " ".join(err.replace("│", " ").split())
    assert not project.run_dir.exists()


def test_a_run_is_reported_on_without_its_recipe(project: Project) -> None:
    """The folder of the run is enough, wherever it is; values to change would have no effect there."""
    assert project.solon("build", "recipe.yaml", "-q")[0] == 0
    project.run_dir.rename(project.folder / "elsewhere")
    for name in ("recipe.yaml", "constitution.yaml", "candidates.jsonl"):
        (project.folder / name).unlink()
    code, out, _ = project.solon("report", "elsewhere", "--format", "json", "--json")
    assert (code, json.loads(out)["run_dir"]) == (0, "elsewhere")
    assert [path.name for path in (project.folder / "elsewhere").glob("report.*")] == ["report.json"]
    again = project.solon("report", "elsewhere", "--format", "json")  # anew: another version may write it otherwise
    assert (again[0], "done before" in again[2]) == (0, False)
    assert project.solon("report", "elsewhere", "seed=3")[0] == 2
    (project.folder / "empty").mkdir()
    code, _, err = project.solon("report", "empty")
    assert (code, "is not a run directory: it holds no run.json" in err) == (2, True)
    assert list((project.folder / "empty").iterdir()) == []
