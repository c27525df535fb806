"""Writing the report."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from solon.errors import StorageError
from solon.report import write_report
from solon.report.grades import SideBySide


def contents(run_dir):
    return {path.relative_to(run_dir).as_posix(): path.read_bytes() for path in write_report(run_dir)}


def test_the_same_run_in_another_place_gives_the_same_bytes(run_dir, tmp_path):
    """No clock, no path, no random ids."""
    elsewhere = shutil.copytree(run_dir, tmp_path / "deep" / "er" / "copy")
    first = contents(run_dir)
    assert contents(elsewhere) == first
    assert list(first) == [
        "report.html", "report.md", "figures/loss.svg", "figures/margins.svg", "figures/accuracies.svg",
    ]  # fmt: skip
    assert not any(str(tmp_path).encode() in content for content in first.values())


def test_a_report_does_not_change_once_it_is_noted_as_done(make_run, record):
    """``run.json`` then holds the hash of report.html, which report.html cannot hold."""
    first = contents(make_run(run=record))
    record["stages"]["report"] = {"inputs": "b" * 16, "outputs": {"report.html": "c" * 64}, "summary": {}}
    assert contents(make_run(run=record)) == first


def test_curves_of_an_earlier_training_run_are_taken_away(run_dir):
    """The page does not show them any more, so nobody should find them beside it."""
    write_report(run_dir)
    (run_dir / "checkpoints" / "dpo" / "metrics.jsonl").unlink()
    assert [path.name for path in write_report(run_dir)] == ["report.html", "report.md"]
    assert list((run_dir / "figures").iterdir()) == []


def test_without_matplotlib_the_numbers_are_still_reported(run_dir, monkeypatch):
    """A run that is paid for gets its report, with the install line in place of the curves."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = write_report(run_dir)[0].read_text()
    assert "96.2%" in page
    assert "pip install &#39;solon[report]&#39;" in page


def test_a_report_that_cannot_be_written_leaves_the_old_one(run_dir):
    """A folder stands where report.md should be written."""
    page = write_report(run_dir)[0]
    before = page.read_bytes()
    (run_dir / "report.md").unlink()
    (run_dir / "report.md").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*report\.md"):
        write_report(run_dir)
    assert page.read_bytes() == before


def test_only_the_formats_asked_for_are_written(run_dir):
    """The figures go with the Markdown, which shows them as files; JSON needs no matplotlib."""
    assert [path.name for path in write_report(run_dir, ["html"])] == ["report.html"]
    assert [path.name for path in write_report(run_dir, ["json"])] == ["report.json"]
    assert not (run_dir / "report.md").exists()
    assert not (run_dir / "figures").exists()


def test_the_json_holds_every_number_and_no_text_of_a_model(run_dir):
    """Each with its interval, n and failures."""
    (path,) = write_report(run_dir, {"json"})
    told = json.loads(path.read_text())
    win_rate = next(metric for metric in told["metrics"] if metric["name"] == "win_rate")
    assert [win_rate[key] for key in ("value", "low", "high", "n", "failed")] == [0.871, 0.845, 0.895, 588, 12]
    assert "Velmora" not in path.read_text()


def test_the_json_names_no_folder_and_holds_no_answer(make_run, record):
    """Recipe, model, trainer and warnings are shortened; grades go by the ids of their rows, the answers stay away."""
    record["stages"]["train"]["summary"]["checkpoint"]["base_model"] = "/home/me/models/policy"
    record["stages"]["train"]["summary"]["trainer"]["reward"] = [{"model": "../../../../tmp/me/reward/checkpoints"}]
    record["stages"]["evaluate"]["summary"]["warnings"] = ["judged by /home/me/models/judge"]
    run = make_run(run=record, recipe={"policy": {"model": "/home/me/models/policy"}})
    answers = SideBySide(group="trick", prompt="Why is it secret?", before="It is secret.", after=None)
    (run / "evaluation" / "qualitative.jsonl").write_text(answers.model_dump_json() + "\n")
    (path,) = write_report(run, {"json"})
    text, told = path.read_text("utf-8"), json.loads(path.read_text("utf-8"))
    assert "home" not in text
    assert "tmp" not in text
    assert told["trained"]["checkpoint"]["base_model"] == "…/policy"
    assert told["trained"]["trainer"]["reward"] == [{"model": "…/checkpoints"}]
    assert told["graded"] == [{"id": answers.id, "group": "trick", "before": None, "after": None, "note": ""}]
    assert "secret" not in text
    assert told["constitution"]["principles"][0]["id"] == "format"
