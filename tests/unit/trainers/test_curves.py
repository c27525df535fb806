"""The file of logged numbers, which outlives the process that wrote it."""

import json

import pytest

from solon.trainers.curves import Curves


def steps(path):
    """The steps that a file holds."""
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    """A file of three steps, from a process that was killed."""
    with Curves(tmp_path / "metrics.jsonl") as curves:
        for step in (1, 2, 3):
            curves.add(step, 9, {"loss": 1 / step})
    return tmp_path / "metrics.jsonl"


def test_a_process_killed_before_it_went_on_loses_nothing(path):
    """Loading a model takes minutes, and what was kept of the weights is still there for the next process."""
    Curves(path).__enter__()
    assert steps(path) == [1, 2, 3]


def test_what_is_gone_on_from_is_taken_over_and_the_rest_forgotten(path):
    """In one step: a kill in the midst of it leaves the file as it was."""
    with Curves(path, again=lambda step, of, metrics: seen.append(steps(path))) as curves:
        seen = []
        assert curves.go_on_from(2) == {"loss": 0.5}
        curves.add(3, 9, {"loss": 0.25})
    assert seen == [[1, 2, 3]] * 2
    assert [json.loads(line)["loss"] for line in path.read_text().splitlines()] == [1, 0.5, 0.25]


def test_a_training_that_begins_anew_begins_a_new_file(path):
    """Also one that logs nothing."""
    with Curves(path) as curves:
        curves.add(1, 9, {"loss": 1.0})
    assert steps(path) == [1]
    with Curves(path):
        pass
    assert steps(path) == []
