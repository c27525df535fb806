"""Where a training works, when it is killed while that is cleared away or its checkpoint is put into place."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from solon.trainers.workplace import Workplace


class Killed(BaseException):
    """What stands in for a kill."""


def keep_a_step(run_dir: Path) -> None:
    """What a training leaves that was stopped after its third step."""
    with Workplace.open(run_dir, "one") as place:
        place.kept.joinpath("trainer", "step-3").mkdir()


def steps_found(run_dir: Path, training: str) -> list[str]:
    """What the training of that name finds when it begins."""
    with Workplace.open(run_dir, training) as place:
        return [path.name for path in place.kept.joinpath("trainer").iterdir()]


def test_a_training_finds_what_it_has_kept_and_another_does_not(tmp_path: Path) -> None:
    """Only the very same training may go on."""
    keep_a_step(tmp_path)
    assert steps_found(tmp_path, "one") == ["step-3"]
    assert steps_found(tmp_path, "two") == []


@pytest.mark.parametrize("training", ["one", "two"])
def test_what_is_half_cleared_away_is_no_training(
    training: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the rest was cleared away, after the training or for another one: nothing of it is gone on with."""
    keep_a_step(tmp_path)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    def clear_away() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", killed)
            if training == "two":
                Workplace.open(tmp_path, training).__enter__()
            else:
                Workplace(tmp_path / ".training", done=True)._clear()

    with pytest.raises(Killed):
        clear_away()
    assert steps_found(tmp_path, "one") == []


SCRIPT = '''
import os, signal, sys
from pathlib import Path
from typing import ClassVar
from solon.data.records import Checkpoint, Preference
from solon.plugins import register
from solon.trainers.base import Policy, Trainer
from solon.trainers.launch import run_training

@register
class Counted(Trainer):
    """Counts to five, and keeps how far it is."""
    kind: ClassVar[str] = "counted"
    consumes: ClassVar[type] = Preference

    def train(self, job):
        kept = job.kept / "step"
        step = int(kept.read_text()) if kept.exists() else 0
        if step:
            job.go_on_from(step)
        for step in range(step + 1, 6):
            job.report(step, 5, {"loss": 1 / step})
            kept.write_text(str(step))
        return Checkpoint(path=".", base_model="m", form="full", trainer=self.kind, dataset="d")

def kill(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("/out"):
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    here = Path(sys.argv[1])
    (here / "data").mkdir(exist_ok=True)
    if sys.argv[2] == "killed":
        sys.addaudithook(kill)
    run_training(
        Counted(), Policy(model="m"), dataset=here / "data", seed=0, run_dir=here, out=here / "out",
        on_step=lambda step, steps, metrics: print("step", step),
    )
'''


@pytest.mark.slow
def test_killed_right_before_its_checkpoint_is_in_place_a_training_keeps_its_curve(tmp_path: Path) -> None:
    """All five steps are done: none is done again, and each is in ``metrics.jsonl``."""
    tmp_path.joinpath("script.py").write_text(SCRIPT)

    def script(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path), how]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    killed = script("killed")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    again = script("left alone")
    assert (again.returncode, again.stdout) == (0, "")
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert not (tmp_path / ".training").exists()
