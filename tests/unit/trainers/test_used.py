"""What a training took."""

import os
from pathlib import Path

import pytest

from solon.data.artifacts import write_json
from solon.trainers.used import Meter, Used, peak_gib, used


def test_what_a_killed_process_had_used_is_counted_on(tmp_path: Path) -> None:
    """The next one goes on from the file that it left; of memory the most counts."""
    write_json(tmp_path / "used-0.json", Used(seconds=100.0, cpu_seconds=50.0, peak_gib=99.0))
    Meter(tmp_path, 0).note()
    found = used(tmp_path)
    assert found.seconds >= 100.0
    assert found.cpu_seconds > 50.0
    assert found.peak_gib == 99.0


def test_several_processes_are_added_up_but_for_the_clock(tmp_path: Path) -> None:
    """They run at the same time, on memory of their own."""
    write_json(tmp_path / "used-0.json", Used(seconds=10.0, cpu_seconds=8.0, peak_gib=1.0, gpu_gib=2.0))
    write_json(tmp_path / "used-1.json", Used(seconds=11.0, cpu_seconds=9.0, peak_gib=1.5, gpu_gib=3.0))
    assert used(tmp_path) == Used(seconds=11.0, cpu_seconds=17.0, peak_gib=2.5, gpu_gib=5.0)


def test_the_cpu_time_of_programs_that_it_ran_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier runs tests in processes of their own, and their time is the training's."""
    monkeypatch.setattr("os.times", lambda: os.times_result((1.0, 2.0, 4.0, 8.0, 99.0)))
    Meter(tmp_path, 0).note()
    assert used(tmp_path).cpu_seconds == 15.0


def test_how_many_trained_at_a_time_is_noted_and_of_several_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was killed beside others and went on alone took its time beside others."""
    monkeypatch.delenv("SOLON_BESIDE", raising=False)
    Meter(tmp_path, 0).note()
    assert used(tmp_path).beside == 1
    monkeypatch.setenv("SOLON_BESIDE", "3")
    Meter(tmp_path, 0).note()
    monkeypatch.delenv("SOLON_BESIDE")
    Meter(tmp_path, 0).note()
    Meter(tmp_path, 1).note()
    assert used(tmp_path).beside == 3


def test_a_file_that_a_kill_cut_off_counts_as_nothing(tmp_path: Path) -> None:
    """It is for information: no training fails for it."""
    (tmp_path / "used-0.json").write_text('{"seconds": 1', "utf-8")
    assert used(tmp_path) == Used()


def test_memory_is_read_from_the_system_in_gib() -> None:
    """Linux says it in KiB."""
    assert peak_gib(lambda: "Name:\tpython\nVmHWM:\t 2097152 kB\n") == 2.0


@pytest.mark.parametrize("status", ["", "VmHWM:\n", "VmHWM:\tmuch kB\n"])
def test_where_the_system_does_not_say_it_getrusage_does(status: str) -> None:
    """A Mac has no such file."""
    assert 0 < peak_gib(lambda: status) < 64
