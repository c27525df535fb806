"""Canaries are judged beside the labels and never become one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from project import small_project

pytestmark = pytest.mark.slow


def test_canaries_leave_the_labels_as_they_are(tmp_path: Path) -> None:
    """With one for each of the 60 prompts: a file of their own, a count of their own, the same judgments and rows."""
    with_them, without = small_project(tmp_path / "with"), small_project(tmp_path / "without")
    assert with_them.solon("build", "recipe.yaml", "name=project", "canaries=1")[0] == 0
    assert without.solon("build", "recipe.yaml", "name=project")[0] == 0
    for name in ("judgments.jsonl", "datasets/preference/train.parquet"):
        assert (with_them.run_dir / name).read_bytes() == (without.run_dir / name).read_bytes()
    lines = (with_them.run_dir / "canaries.jsonl").read_text("utf-8").splitlines()
    outcomes = [json.loads(line)["outcome"] for line in lines]
    assert len(outcomes) == 60
    summary = json.loads((with_them.run_dir / "run.json").read_text("utf-8"))["stages"]["label"]["summary"]
    counted = summary["canaries"]["all"]
    refusals = summary["canaries"].get("refusal", {"lost": 0, "won": 0, "tied": 0, "failed": 0})
    total = sum(counts[name] for counts in (counted, refusals) for name in ("lost", "won", "tied", "failed"))
    assert total == 60
    # the rule asks for one word at most: an empty answer is no worse than a number, and is seen not to lose
    assert counted["tied"] + counted["won"] > 0
    assert not (without.run_dir / "canaries.jsonl").exists()
