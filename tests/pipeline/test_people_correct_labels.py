"""Verdicts that a person gave in a view, from the file to the report and to the dataset, and what is paid again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from project import jsonl, small_project
from solon.pipeline import run
from solon.recipe import read
from solon.viewing.collections import Viewed
from solon.viewing.server import Server

JUDGE = {"kind": "scripted", "default": "A", "remote": True, "price": {"input": 1, "output": 1}, "concurrency": 8}
LABEL = {"kind": "pairwise", "judge": JUDGE}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """20 prompts with two answers each, and a judge that says A whatever A is: every pair is torn by its order."""
    made = small_project(tmp_path / "project")
    rows = [{"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(20)]
    made.write("candidates.jsonl", jsonl(rows))
    made.write("recipe.yaml", yaml.safe_dump({
        "constitution": "constitution.yaml", "candidates": "candidates.jsonl", "label": LABEL, "build": {"held_out": 0},
        "ledger": str(tmp_path / "ledger.sqlite"),
    }))  # fmt: skip
    monkeypatch.chdir(made.folder)
    return made.folder / "recipe.yaml"


def state(run_dir: Path) -> dict[str, Any]:
    """What the stages say of themselves."""
    stages = json.loads((run_dir / "run.json").read_text())["stages"]
    return {name: stage["summary"] for name, stage in stages.items()}


def judged(recipe: Path, run_dir: Path, count: int) -> Server:
    """A person prefers the short answer in the first ``count`` questions, blind; and sees the judge's in the first."""
    server = Server(Viewed(run_dir, annotator="ann", opened=read(recipe)))
    for place in range(1, count + 1):
        options = server._item({"place": place})["options"]
        server._say({"place": place, "said": "second" if options[0]["text"].startswith("It is") else "first"})
    server._say({"place": 1, "said": "reveal"})
    return server


def test_verdicts_outlive_every_rerun_and_the_report_takes_them_up(recipe: Path, tmp_path: Path) -> None:
    """Labelled anew, the run sets its own files aside and leaves these bytes where they are."""
    target = tmp_path / "run"
    run(read(recipe), target, until="build")
    judged(recipe, target, 3)
    said = (target / "human.jsonl").read_bytes()
    run(read(recipe), target, until="report")
    assert "3 verdicts on labels" in (target / "report.md").read_text()
    judged(recipe, target, 4)
    run(read(recipe), target, until="report")
    assert "4 verdicts on labels" in (target / "report.md").read_text()
    assert (target / "human.jsonl").read_bytes().startswith(said)
    before = (target / "human.jsonl").read_bytes()
    run(read(recipe, ["label.judge.default=B"]), target, until="report")
    assert list((target / "previous").glob("*/judgments.jsonl"))
    assert not list((target / "previous").glob("*/human.jsonl"))
    assert (target / "human.jsonl").read_bytes() == before


def test_corrected_labels_reach_the_dataset_and_nothing_is_paid_again(recipe: Path, tmp_path: Path) -> None:
    """Torn pairs give no row; ten judged by a person give ten, for the short answer, and the judge costs no more."""
    target = tmp_path / "run"
    run(read(recipe), target, until="build")
    assert state(target)["build"].get("preference") in (None, {"train": 0, "test": 0})
    judged(recipe, target, 10)
    corrected = {"kind": "human", "file": str(target / "human.jsonl"), "otherwise": LABEL}
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | {"label": corrected}))
    paid = _paid(tmp_path)
    again = tmp_path / "again"
    run(read(recipe), again, until="build")
    assert paid > 0
    assert _paid(tmp_path) == paid
    rows = pq.read_table(again / "datasets" / "preference" / "train.parquet").to_pylist()
    assert len(rows) == 10
    assert not any("It is" in json.dumps(row["chosen"]) for row in rows)
    summary = state(again)["label"]
    assert (summary["account"]["by_people"], summary["account"]["otherwise"]) == (20, 20)
    run(read(recipe), again, until="report")
    assert "20 of 40 judgments are people's, in place of the judge's" in (again / "report.md").read_text()


def test_labels_that_are_the_persons_own_are_no_agreement(recipe: Path, tmp_path: Path) -> None:
    """The very run labelled by its own verdicts: they are counted apart."""
    target = tmp_path / "run"
    run(read(recipe), target, until="build")
    judged(recipe, target, 10)
    corrected = {"kind": "human", "file": str(target / "human.jsonl"), "otherwise": LABEL}
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | {"label": corrected}))
    run(read(recipe), target, until="report")
    report = (target / "report.md").read_text()
    assert "10 verdicts on labels; left out of agreement: 10 on labels that they made themselves" in report
    assert "human agreement" not in report


def _paid(folder: Path) -> int:
    """What the ledger has been charged, in billionths of a dollar."""
    import sqlite3

    with sqlite3.connect(folder / "ledger.sqlite") as connection:
        found = connection.execute("SELECT coalesce(sum(nano_usd), 0) FROM replies").fetchone()[0]
    connection.close()
    return int(found)
