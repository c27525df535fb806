"""What a person reads when a stage has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from project import small_project
from solon.cli.app import app
from solon.report.ended import ended
from solon.report.summary import summarise


@pytest.mark.parametrize("stage", ["sample", "label", "build", "train", "evaluate"])
def test_a_stage_that_was_not_done_says_nothing(make_run, record, stage: str) -> None:
    """There is no file to name."""
    del record["stages"][stage]
    folder = make_run(run=record)
    assert ended(summarise(folder), folder, stage) == ""


def test_each_stage_says_what_it_did_and_where_it_is(make_run, record) -> None:
    """Counts, what failed and why, dollars, the path."""
    record["stages"]["sample"]["summary"] |= {"prompts": 1, "completions": 1, "missing": {}, "cost_usd": 0}
    labels = {"labeler": "pairwise:m", "judgments": 1200, "failed": {"truncated": 2, "refused": 1}, "cost_usd": 0.421}
    record["stages"]["label"]["summary"] |= labels
    folder = make_run(run=record)
    summary = summarise(folder)
    said = {stage: ended(summary, folder, stage) for stage in ("sample", "label", "build", "train", "evaluate")}
    assert said["sample"] == f"sample    1 completion of 1 prompt, none missing, $0.00: {folder}/candidates.jsonl"
    assert said["label"] == (
        f"label     1,200 judgments by pairwise:m, 3 failed (2 truncated, 1 refused), $0.42: {folder}/judgments.jsonl"
    )
    assert said["build"].startswith("build     preference ")
    assert said["build"].endswith(f" test: {folder}/datasets")
    assert said["train"].endswith(f" trained with dpo: {folder}/checkpoints/dpo")
    assert said["evaluate"].endswith(f": {folder}/evaluation")


def test_a_verb_ends_with_that_line_for_people_and_not_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, so that standard output holds what programs read; the second time too, though all is done."""
    project = small_project(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    last = "label     120 judgments by rules, none failed, $0.00: runs/project/judgments.jsonl"
    for _ in range(2):
        result = CliRunner().invoke(app, ["label", "recipe.yaml"])
        assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (0, "", last)
    for option in ("--json", "--quiet"):
        result = CliRunner().invoke(app, ["label", "recipe.yaml", option])
        assert (result.exit_code, last in result.stderr) == (0, False)
