"""Registered plugins go to the processes that use them: a training's, and those of a comparison."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solon.errors import PluginError
from solon.plugins.base import base_folder
from solon.plugins.importing import imports_allowed
from solon.plugins.registry import create, load
from solon.plugins.sending import Sent, receive
from solon.trainers.base import Policy
from solon.trainers.launch import run_training

SCRIPT = '''
import json, sys, threading
from pathlib import Path
from typing import ClassVar
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer, register
from solon.trainers.base import Policy
from solon.trainers.launch import run_training

WORD = "from the script"
LOCK = {lock}

def written(times):
    LOCK
    return WORD * times

@register
class Still(Trainer):
    """Trains nothing."""
    kind: ClassVar[str] = "still"
    consumes: ClassVar[type[Record]] = Preference
    times: int = 1

    def train(self, job: Job) -> Checkpoint:
        job.report(1, 1, {{"loss": 1.0}})
        (job.out / "told").write_text(written(self.times))
        return Checkpoint(path=".", base_model="m", form="full", trainer=self.kind, dataset="d")

if __name__ == "__main__":
    here = Path(sys.argv[1])
    (here / "data").mkdir()
    run_training(
        Still(times=2), Policy(model="m"), dataset=here / "data", seed=0, run_dir=here, out=here / "out",
        on_step=lambda step, steps, metrics: print("step", step, "of", steps),
    )
    print((here / "out" / "told").read_text())
'''


def script(tmp_path: Path, lock: str = "None", without: str = "") -> subprocess.CompletedProcess[str]:
    file = tmp_path / "script.py"
    code = SCRIPT.format(lock=lock)
    file.write_text(code.replace(without, "") if without else code)
    command = [sys.executable, str(file), str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=os.environ)


@pytest.mark.slow
def test_a_trainer_of_a_script_trains_in_the_training_process(tmp_path: Path) -> None:
    """It is in no module that another process could import; what it uses of its script goes with it."""
    done = script(tmp_path)
    assert done.stdout.splitlines() == ["step 1 of 1", "from the scriptfrom the script"], done.stderr


@pytest.mark.slow
def test_a_class_that_nobody_registered_trains_too(tmp_path: Path) -> None:
    """Where an instance is given in Python there is no name to look up."""
    done = script(tmp_path, without="@register\n")
    assert done.stdout.splitlines() == ["step 1 of 1", "from the scriptfrom the script"], done.stderr


@pytest.mark.slow
def test_what_cannot_be_sent_says_so_and_what_to_do(tmp_path: Path) -> None:
    """A lock belongs to one process."""
    done = script(tmp_path, "threading.Lock()")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "solon.errors.PluginError: trainer 'still' (__main__:Still) cannot go to the process that would"
    )
    assert (
        "cannot pickle '_thread.lock' object. Make such values inside its methods, or put the class into a file" in last
    )


@pytest.mark.slow
def test_a_file_that_changed_since_it_was_read_is_not_trained_with(tmp_path: Path) -> None:
    """Labeling may have taken hours: what `run.json` notes must be what trains."""
    file = tmp_path / "my_trainer.py"
    code = SCRIPT.format(lock="None").partition("if __name__")[0].replace("@register\n", "")
    file.write_text(code)
    (tmp_path / "data").mkdir()
    with base_folder(tmp_path), imports_allowed():
        trainer = create("solon.trainers", "my_trainer:Still")

    def train() -> None:
        run_training(
            trainer,
            Policy(model="m"),
            dataset=tmp_path / "data",
            seed=0,
            run_dir=tmp_path,
            out=tmp_path / "out",
            on_step=lambda *_: None,
        )

    train()
    assert (tmp_path / "out" / "told").read_text() == "from the script"
    file.write_text(code.replace("from the script", "from another"))
    with pytest.raises(
        PluginError, match=r"trainer 'my_trainer:Still' has changed since this run read it: run it again"
    ):
        train()
    assert (tmp_path / "out" / "told").read_text() == "from the script"


def test_one_that_could_not_be_sent_is_no_trouble_until_it_is_used() -> None:
    """A notebook may have registered what this training has nothing to do with."""
    receive([Sent(group="solon.labelers", kind="far", code=None, trouble="it stayed behind")])
    assert create("solon.labelers", {"kind": "rules", "rules": {"a": {"regex": "x"}}})
    with pytest.raises(PluginError, match=r"it stayed behind"):
        load("solon.labelers", "far")
