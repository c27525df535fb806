"""Event files, as TensorBoard's own reader understands them."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.data.records import Metric
from solon.tracking import About, TensorBoard, tracked
from solon.trainers.alarms import Alarm

ABOUT = About("r", "", {"recipe": {"train": {"beta": 0.1}}})


def write(folder: Path, training: str, *steps: int, factor: float = 1.0) -> None:
    with tracked([TensorBoard()], ABOUT, folder, pytest.fail, training=training) as track:
        for step in steps:
            track.step(step, 10, {"loss": factor * step})


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return {name: [(one.step, one.value) for one in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_a_curve_has_every_step_once_however_often_it_was_gone_on(tmp_path: Path) -> None:
    """What an earlier process logged after the step that was kept is taken back."""
    write(tmp_path, "t", 1, 2, 3, 4)
    write(tmp_path, "t", 3, 4, 5)
    write(tmp_path, "t", 5, 6)
    assert curves(tmp_path / "tensorboard")["train/loss"] == [(step, float(step)) for step in range(1, 7)]


def test_another_training_begins_anew_and_the_earlier_curves_are_kept(tmp_path: Path) -> None:
    """In `previous/`, as all that a stage had written for other inputs."""
    for number, training in enumerate(("one", "two", "three"), 1):
        write(tmp_path, training, 1, 2, factor=float(number))
    assert curves(tmp_path / "tensorboard")["train/loss"] == [(1, 3.0), (2, 6.0)]
    assert curves(tmp_path / "previous" / "tensorboard-001")["train/loss"] == [(1, 1.0), (2, 2.0)]
    assert curves(tmp_path / "previous" / "tensorboard-002")["train/loss"] == [(1, 2.0), (2, 4.0)]


def test_what_was_measured_has_its_interval_and_takes_the_place_of_what_was_measured_before(tmp_path: Path) -> None:
    """At the end of the same run's curves; numbers without an interval have none."""
    write(tmp_path, "t", 1)
    for value in (0.3, 0.6):
        metric = Metric(name="compliance/format", of="after", value=value, low=value - 0.1, high=value + 0.1, n=9)
        plain = Metric(name="length", of="before", value=4.0, low=4.0, high=4.0, n=9)
        with tracked([TensorBoard()], ABOUT, tmp_path, pytest.fail) as track:
            track.results([metric, plain])
    found = curves(tmp_path / "tensorboard")
    name = "evaluation/compliance/format/after"
    assert [found[each][0][1] for each in (name, f"{name}_low", f"{name}_high")] == pytest.approx([0.6, 0.5, 0.7])
    assert all(len(points) == 1 for points in found.values())
    assert found["evaluation/length/before"] == [(0, 4.0)]
    assert "evaluation/length/before_low" not in found
    assert found["train/loss"] == [(1, 1.0)]


def test_an_alarm_is_a_point_and_a_sentence(tmp_path: Path) -> None:
    """One that an earlier process raised is not there twice."""
    alarm = Alarm(
        name="kl", metric="kl", step=2, value=3.5, limit=2.0, text="KL is 3.5", remedy="lower the rate", stop=False
    )
    for again in (False, True):
        with tracked([TensorBoard()], ABOUT, tmp_path, pytest.fail, training="t") as track:
            if again:
                track.alarm(alarm)  # as a training says it that goes on after it
            for step in (3,) if again else (1, 2):
                track.step(step, 4, {"loss": 1.0})
            if not again:
                track.alarm(alarm)
    assert curves(tmp_path / "tensorboard")["alarm/kl"] == [(2, 3.5)]


def test_no_file_says_where_it_was_written(tmp_path: Path) -> None:
    """TensorBoard's usual names hold the host's; a run directory is given to others."""
    write(tmp_path, "t", 1)
    assert [path.name for path in (tmp_path / "tensorboard").iterdir()] == ["events.out.tfevents.0001"]
