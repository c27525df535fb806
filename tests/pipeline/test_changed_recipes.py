"""A recipe that was changed since: what is done again, what is left alone, and what is moved out of the way."""

from __future__ import annotations

import json

import pytest

from project import RECIPE, SAMPLING, Project, artifacts

pytestmark = pytest.mark.slow  # a process or several for each test


def test_a_verb_for_a_stage_that_the_recipe_has_not_does_nothing(project: Project) -> None:
    """`solon sample` must not go on to judge, which may cost money."""
    code, out, err = project.solon("sample", "recipe.yaml")
    assert (code, out) == (2, "")
    assert err == "solon: this recipe has no stage 'sample'; its stages are label, build, report\n"
    assert not (project.folder / "runs").exists()


def test_candidates_in_place_of_prompts_are_labeled_anew(project: Project) -> None:
    """The judgments of what had been sampled before are on other completions."""
    project.write("recipe.yaml", SAMPLING)
    assert project.solon("run", "recipe.yaml", "--quiet")[0] == 0
    sampled = (project.run_dir / "judgments.jsonl").read_bytes()
    project.write("recipe.yaml", RECIPE)
    code, out, err = project.solon("run", "recipe.yaml", "--json")
    assert code == 0, err
    assert "sample    is not part of this recipe; what was there is now in runs/project/previous/001" in err
    assert json.loads(out)["sampled"] is None
    assert json.loads(out)["built"]["preference"] == {"train": 60, "test": 0}
    assert (project.run_dir / "previous" / "001" / "judgments.jsonl").read_bytes() == sampled


@pytest.mark.parametrize("change", ["max_failed=0.5", "seed=1"])
def test_a_report_shows_the_recipe_that_was_run(project: Project, change: str) -> None:
    """Also where the change made nothing else to be done again."""
    for words in ([], [change]):
        assert project.solon("run", "recipe.yaml", *words, "--quiet")[0] == 0
        shown = (project.run_dir / "report.md").read_text()
        assert (change.replace("=", ": ") in shown) is bool(words)


def test_a_recipe_that_cannot_work_here_moves_nothing(project: Project) -> None:
    """A slip in a model's path is found before the results of the last run are set aside."""
    assert project.solon("run", "recipe.yaml")[0] == 0
    before = artifacts(project.run_dir)
    judge = "{kind: pairwise, judge: {kind: transformers, model: ./nowhere}}"
    code, _, err = project.solon("run", "recipe.yaml", f"label={judge}")
    assert code == 2
    assert "there is no such model folder" in err
    assert not (project.run_dir / "previous").exists()
    kept = artifacts(project.run_dir)
    assert {name for name in before if kept.get(name) != before[name]} <= {"recipe.yaml", "run.json"}
