"""Reading a run directory."""

from __future__ import annotations

import json

import pytest

from solon.data.records import Usage
from solon.errors import DataError
from solon.report.summary import summarise


def test_a_finished_run_is_read_whole(run_dir):
    """Every stage, every metric, every held-out answer and every logged step arrives."""
    summary = summarise(run_dir)
    assert (summary.name, summary.seed, summary.solon) == ("quickstart", 0, "0.1.0")
    assert summary.constitution is not None
    assert [principle.id for principle in summary.constitution.principles] == ["format", "polite", "brief"]
    assert (len(summary.metrics), len(summary.examples), len(summary.steps)) == (24, 40, 40)
    assert summary.labeled is not None
    assert summary.labeled.usage == Usage(input_tokens=1_304_400, output_tokens=6522, cached_tokens=913_000)
    assert "beta: 0.1" in summary.recipe


def test_a_stage_counts_as_run_when_run_json_says_so(make_run, record):
    """Files that an earlier, different run left behind are not reported as this one's."""
    del record["stages"]["train"], record["stages"]["evaluate"]
    summary = summarise(make_run(run=record))
    assert (summary.trained, summary.evaluated) == (None, None)
    assert (summary.metrics, summary.examples, summary.steps) == ((), (), ())


def test_what_a_later_version_adds_to_a_stage_is_ignored(make_run, record):
    """A report of a newer run is better than none."""
    record["stages"]["sample"]["summary"]["mood"] = "good"
    assert summarise(make_run(run=record)).sampled.prompts == 400


def test_a_number_that_is_none_is_a_gap_in_the_curve(make_run):
    """A loss that overflowed is not drawn, and the step keeps its other numbers."""
    steps = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": float("nan"), "rewards/margins": 0.1}]
    assert summarise(make_run(steps=steps)).steps == (
        {"step": 1.0, "loss": 0.5},
        {"step": 2.0, "rewards/margins": 0.1},
    )


def test_a_directory_that_is_no_run_is_named(tmp_path):
    """The commonest mistake is the wrong folder."""
    with pytest.raises(DataError, match=r"is not a run directory: it holds no run\.json"):
        summarise(tmp_path)


def test_broken_json_is_reported_with_line_and_column(run_dir):
    """`{"a": 1,` ends where a key should begin: line 2, column 1."""
    (run_dir / "run.json").write_text('{"a": 1,\n')
    with pytest.raises(DataError, match=r"run\.json:2:1: not valid JSON"):
        summarise(run_dir)


def test_a_broken_line_among_the_answers_is_reported_with_its_number(run_dir):
    """It is the third line."""
    path = run_dir / "evaluation" / "samples.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], '{"prompt": 1', *lines[3:]]))
    with pytest.raises(DataError, match=r"samples\.jsonl:3:\d+: not valid JSON"):
        summarise(run_dir)


def test_a_metric_with_a_missing_field_names_the_field(run_dir):
    """A number without n is refused, not shown."""
    path = run_dir / "evaluation" / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics[4]["n"]
    path.write_text(json.dumps(metrics))
    with pytest.raises(DataError, match=r"metric \(number 5\) at 'n': field required"):
        summarise(run_dir)


def test_a_missing_file_of_a_finished_stage_is_an_error(run_dir):
    """Numbers that are gone must not look like numbers that never were."""
    (run_dir / "evaluation" / "metrics.json").unlink()
    with pytest.raises(DataError, match=r"metrics\.json: there is no such file"):
        summarise(run_dir)


def test_a_logged_line_without_its_step_is_an_error(make_run):
    """It could not be placed on the curve."""
    with pytest.raises(DataError, match=r"metrics\.jsonl:2: a logged step is an object"):
        summarise(make_run(steps=[{"step": 1, "loss": 1.0}, {"loss": 0.9}]))
