"""Plugins that no package holds, through the whole way: in a file beside the recipe, or in the process that runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packages import labeler, publish
from solon.comparison.comparing import compare
from solon.comparison.entries import entries
from solon.pipeline import run
from solon.plugins import register, registering
from solon.plugins.offers import _installed
from solon.progress import Silent
from solon.recipe import read
from solon.testing.tiny import tiny_llama

TRAINER = '''
from typing import ClassVar
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer, read_rows
import words

class Still(Trainer):
    """Leaves the policy as it is."""
    kind: ClassVar[str] = "still"
    consumes: ClassVar[type[Record]] = Preference

    def train(self, job: Job) -> Checkpoint:
        rows = read_rows(job.dataset, self.consumes, trainer=self.kind)
        job.report(1, 1, {"loss": 1.0})
        (job.out / "told.txt").write_text(words.TOLD)
        return Checkpoint(path=".", base_model=str(job.policy.model), form="full", trainer=self.kind, dataset=rows.id)
'''
RECIPE = """
constitution: helpfulness
candidates: candidates.jsonl
allow_import: true
label: {kind: "my_judge:Brevity"}
build: {held_out: 0}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in a folder of its own, which is not the one that solon runs in."""
    folder = tmp_path / "project"
    folder.mkdir()
    rows = [{"prompt": f"question {n}", "responses": ["short", "much longer " * n + "indeed"]} for n in range(1, 5)]
    folder.joinpath("candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder.joinpath("my_judge.py").write_text(labeler("brevity"))
    folder.joinpath("my_trainer.py").write_text(TRAINER)
    folder.joinpath("words.py").write_text("TOLD = 'from beside the recipe'\n")
    folder.joinpath("recipe.yaml").write_text(RECIPE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(registering, "_registered", {})
    return folder


def inputs(run_dir: Path, stage: str) -> str:
    said: str = json.loads((run_dir / "run.json").read_text())["stages"][stage]["inputs"]
    return said


def test_a_changed_file_is_not_taken_for_done(project: Path, tmp_path: Path) -> None:
    """The recipe says the same as before; the labels would be others."""
    run_dir = tmp_path / "run"
    run(read(project / "recipe.yaml"), run_dir)
    first = inputs(run_dir, "label")
    before = (run_dir / "judgments.jsonl").read_bytes()
    run(read(project / "recipe.yaml"), run_dir)
    assert inputs(run_dir, "label") == first
    file = project / "my_judge.py"
    file.write_text(file.read_text().replace("1.0 / (1 + len(question.options[0].text))", "0.5"))
    run(read(project / "recipe.yaml"), run_dir)
    assert inputs(run_dir, "label") != first
    assert (run_dir / "judgments.jsonl").read_bytes() != before


def test_the_version_of_a_third_partys_package_is_noted_and_undoes_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As solon's own: another release of a judge does not throw away what was paid for."""
    site = tmp_path / "site-packages"
    points = {"solon.labelers": {"terse": "terse_judge:Brevity"}}
    publish(site, "solon-terse", points, {"terse_judge.py": labeler("terse")})
    monkeypatch.syspath_prepend(str(site))
    _installed.cache_clear()
    recipe, run_dir = project / "recipe.yaml", tmp_path / "run"
    run(read(recipe, ["label=terse"]), run_dir)
    first = inputs(run_dir, "label")
    assert json.loads((run_dir / "run.json").read_text())["versions"]["solon-terse"] == "1.0"
    (site / "solon_terse-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: solon-terse\nVersion: 1.1\n"
    )
    _installed.cache_clear()
    run(read(recipe, ["label=terse"]), run_dir)
    assert json.loads((run_dir / "run.json").read_text())["versions"]["solon-terse"] == "1.1"
    assert inputs(run_dir, "label") == first
    _installed.cache_clear()


@pytest.mark.slow
def test_a_trainer_beside_the_recipe_and_a_registered_labeler_train_and_are_compared(
    project: Path, tmp_path: Path
) -> None:
    """In the training's process, and in those of a comparison, which find neither by importing."""
    tiny_llama(project / "model", seed=1)
    place: dict[str, object] = {"__name__": "__main__"}
    exec(labeler("terse"), place)
    register(place["Brevity"])  # type: ignore[type-var]
    text = RECIPE.replace('{kind: "my_judge:Brevity"}', "terse")
    compared = 'compare: {still: {kind: "my_trainer:Still"}, again: {kind: "my_trainer:Still", alarms: {}}}\n'
    project.joinpath("recipe.yaml").write_text(f"{text}policy: model\ntrain: {{kind: 'my_trainer:Still'}}\n{compared}")
    opened = read(project / "recipe.yaml")
    run(opened, tmp_path / "run")
    assert (tmp_path / "run/checkpoints/still/told.txt").read_text() == "from beside the recipe"
    found = compare(opened, entries(opened), tmp_path / "compared", jobs=2, progress=Silent(), each_two=False)
    assert {side.name: side.failed for side in found.sides} == {"still": "", "again": ""}
    (project / "words.py").write_text("TOLD = 'something else'\n")
    run(read(project / "recipe.yaml"), tmp_path / "run")
    assert (tmp_path / "run/checkpoints/still/told.txt").read_text() == "something else"
