"""Entries in processes of their own: what each is told, and how it is ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solon.comparison import processes
from solon.comparison.entries import Entry
from solon.comparison.processes import end, own_failure, side_by_side
from solon.errors import ModelRejected, PromptTooLong
from solon.recipe import Opened, Recipe
from solon.stream.core import DRAIN_S
from solon.trainers.backends import GPU, Machine
from solon.trainers.protocol import Trouble

DATA: dict[str, Any] = {
    "constitution": "c.yaml",
    "prompts": "p.jsonl",
    "policy": "m",
    "label": {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}},
}


def _entry(name: str, **more: Any) -> Entry:
    data = DATA | more
    return Entry(name, Opened(Recipe.model_validate(data), Path("recipe.yaml"), data, entry=name))


class _Process:
    """One that has ended, with what it was started with."""

    started: list[_Process]
    troubles: dict[str, Trouble]

    def __init__(self, command: list[str], **told: Any) -> None:
        self.command, self.told, self.stdin = command, told, None
        self.folder = Path(command[-1]).parent
        trouble = self.troubles.get(self.folder.name)
        self.returncode = int(trouble is not None)
        if trouble is not None:
            told_to = Path(json.loads(Path(command[-1]).read_bytes())["trouble"])
            told_to.write_text(trouble.model_dump_json(), "utf-8")
        self.started.append(self)

    def poll(self) -> int:
        return self.returncode


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[_Process]:
    """What is started in place of processes; they end at once, with the troubles that ``_Process.troubles`` says."""
    _Process.started, _Process.troubles = [], {}
    monkeypatch.setattr("solon.comparison.processes.subprocess.Popen", _Process)
    monkeypatch.setattr(Machine, "here", lambda: Machine())
    return _Process.started


def test_no_two_entries_share_a_file(started: list[_Process], tmp_path: Path) -> None:
    """However alike their names are: what befell the one is not told of the other."""
    _Process.troubles["a"] = Trouble(error="DataError", message="no prompts")
    ended = list(side_by_side([_entry("a"), _entry("a.trouble")], tmp_path, 1))
    assert [(one.entry.name, one.failure) for one in ended] == [("a", "no prompts"), ("a.trouble", "")]
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == [
        ".comparing/a.trouble/assignment.json",
        ".comparing/a.trouble/log",
        ".comparing/a/assignment.json",
        ".comparing/a/log",
        ".comparing/a/trouble.json",
    ]
    assert len(started) == 2


def test_a_prompt_that_is_too_long_is_one_entry_s_own_and_a_wrong_key_everyone_s(
    started: list[_Process], tmp_path: Path
) -> None:
    """Though the one is a kind of the other."""
    _Process.troubles["a"] = Trouble.of(PromptTooLong("9000 tokens", places=(1,)))
    assert [one.failure for one in side_by_side([_entry("a")], tmp_path, 1)] == ["9000 tokens"]
    _Process.troubles["a"] = Trouble.of(ModelRejected("wrong key"))
    with pytest.raises(ModelRejected, match="wrong key"):
        list(side_by_side([_entry("a")], tmp_path, 1))
    assert len(started) == 2


def test_what_nobody_expected_is_told_alike_in_a_process_of_its_own(started: list[_Process], tmp_path: Path) -> None:
    """Its class and its words."""
    error = ZeroDivisionError("by zero")
    _Process.troubles["a"] = Trouble.of(error)
    assert [one.failure for one in side_by_side([_entry("a")], tmp_path, 1)] == [own_failure(error)]
    assert own_failure(error) == "ZeroDivisionError: by zero"
    assert len(started) == 1


@pytest.mark.parametrize(
    ("visible", "expected"), [(None, ["0", "1", "0"]), ("4,7", ["4", "7", "4"])], ids=["all", "chosen"]
)
def test_more_at_a_time_than_there_are_gpus_share_them(
    visible: str | None,
    expected: list[str],
    started: list[_Process],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A place beyond the last card would see none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(Machine, "here", lambda: Machine(gpus=(GPU("card", 24.0),) * 2))
    list(side_by_side([_entry("a"), _entry("b"), _entry("c")], tmp_path, 3))
    assert [one.told["env"]["CUDA_VISIBLE_DEVICES"] for one in started] == expected


def test_an_entry_that_trains_in_several_processes_sees_all_gpus(
    started: list[_Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its processes wants one."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(Machine, "here", lambda: Machine(gpus=(GPU("card", 24.0),) * 2))
    list(side_by_side([_entry("a", train={"kind": "dpo", "processes": 2})], tmp_path, 1))
    assert "CUDA_VISIBLE_DEVICES" not in started[0].told["env"]


def test_a_process_is_told_how_many_are_at_work_at_a_time(started: list[_Process], tmp_path: Path) -> None:
    """Its training notes it beside its time."""
    list(side_by_side([_entry("a"), _entry("b")], tmp_path, 2))
    assert [one.told["env"]["SOLON_BESIDE"] for one in started] == ["2", "2"]


def test_ctrl_c_does_not_reach_it_twice(started: list[_Process], tmp_path: Path) -> None:
    """A second SIGINT would end its waiting for replies: in a group of its own it gets that of ``end`` alone."""
    list(side_by_side([_entry("a")], tmp_path, 1))
    assert started[0].told["process_group"] == 0


DRAINS = """
import signal, sys
def drained(*_):
    open(sys.argv[1], "w").write("paid for")
    sys.exit(0)
signal.signal(signal.SIGINT, drained)
print("ready", flush=True)
while True:
    signal.pause()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""


def _ready(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == b"ready\n"
    return process


def test_a_process_that_is_ended_keeps_what_it_has_paid_for(tmp_path: Path) -> None:
    """It is interrupted first, and the pipeline then waits for the replies that are under way."""
    file = tmp_path / "kept"
    process = _ready(DRAINS, str(file))
    end([process])
    assert (process.returncode, file.read_text("utf-8")) == (0, "paid for")


def test_a_process_that_hears_nothing_is_killed() -> None:
    """Nothing outlives the comparison."""
    process = _ready(STUBBORN)
    end([process], ((signal.SIGINT, 0.0), (signal.SIGTERM, 0.0), (signal.SIGKILL, None)))
    assert process.returncode == -signal.SIGKILL


def test_a_process_has_time_for_the_replies_under_way() -> None:
    """More than the pipeline waits for them."""
    (first, patience), (second, _), (last, forever) = processes.ENDING
    assert (first, second, last) == (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    assert patience is not None
    assert patience > DRAIN_S
    assert forever is None


class _Interrupted:
    """A process that goes on whatever it hears, while somebody presses Ctrl-C again."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.heard.append(number)

    def wait(self, timeout: float | None) -> int:
        if timeout is not None:
            raise KeyboardInterrupt
        self.returncode = -9
        return -9


def test_ctrl_c_again_does_not_wait_any_longer() -> None:
    """The next signal goes out at once, and nothing is left behind."""
    process: Any = _Interrupted()
    with pytest.raises(KeyboardInterrupt):
        end([process])
    assert process.heard == [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
