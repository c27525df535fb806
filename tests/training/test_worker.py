"""The training process: what it keeps, what it says when it fails, and that it never outlives its parent.

The trainer is a third party's, found through an entry point of a package on the path, and needs no torch: what is
tested here is the process around it.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from solon.errors import DataError, PluginError, Problem, TrainingError
from solon.trainers.base import Policy
from solon.trainers.launch import run_training
from third_party import installed

TRAINER = """
import ctypes, json, os, sys, threading
from pathlib import Path
from typing import ClassVar
from solon.data.records import Checkpoint, Preference
from solon.errors import DataError, Problem
from solon.trainers.base import Trainer

class Toy(Trainer):
    kind: ClassVar[str] = "toy"
    consumes: ClassVar[type] = Preference
    deed: str
    gate: str = ""

    def train(self, job):
        if self.deed == "go_on":
            return self.go_on(job)
        if self.deed == "drift":
            self.drift(job)
            return Checkpoint(path=".", base_model=job.policy.model, form="full", trainer="toy", dataset="0" * 16)
        job.report(1, 2, {"loss": 0.5, "entropy": float("nan")})
        (job.out / "weights").write_text(self.deed)
        getattr(self, self.deed)(job)
        job.report(2, 2, {"loss": 0.25})
        return Checkpoint(path=".", base_model=job.policy.model, form="full", trainer="toy", dataset="0" * 16)

    def finish(self, job):
        pass

    def go_on(self, job):
        state = job.kept / "state"
        begun = state.exists()
        last = job.go_on_from(1) if begun else {}
        if not begun:
            job.report(1, 3, {"loss": 0.5})
            state.write_text("after step 1")
            job.report(2, 3, {"loss": 0.4})
            os.kill(os.getpid(), 9)
        job.report(2, 3, {"loss": 0.3})
        (job.out / "weights").write_text(f"went on from loss {last['loss']}")
        return Checkpoint(path=".", base_model=job.policy.model, form="full", trainer="toy", dataset="0" * 16)

    def drift(self, job):
        state = job.kept / "state"
        begun = state.exists()
        if begun:
            job.go_on_from(3)
        for step, kl in enumerate([1.0, 2.5, float("nan"), 3.0, 1.0, 4.0, 0.5], start=1):
            if begun and step <= 3:
                continue
            job.report(step, 7, {"objective/kl": kl})
            if step == 3:
                state.write_text("after step 3")
            if step == 4 and not begun and self.gate == "killed":
                os.kill(os.getpid(), 9)

    def describe(self, job):
        names = ("OMP_NUM_THREADS", "PYTHONHASHSEED", "HF_HUB_OFFLINE", "TMPDIR")
        facts = {name: os.environ.get(name) for name in names} | {"seed": job.seed, "model": job.policy.model.resolved}
        (job.out / "facts.json").write_text(json.dumps(facts))

    def chatter(self, job):
        print("from print")
        os.write(1, b"from the file descriptor\\n")
        libc = ctypes.CDLL(None)
        libc.puts(b"from C")
        libc.fflush(None)

    def refuse(self, job):
        raise DataError([Problem("train.parquet", "is odd", "even it")])

    def blunder(self, job):
        1 / 0

    def die(self, job):
        os.kill(os.getpid(), 9)

    def leave(self, job):
        sys.exit(7)

    def wait(self, job):
        with open(self.gate, "w") as gate:
            print(os.getpid(), file=gate, flush=True)
            threading.Event().wait()
"""

PARENT = """
import sys
from pathlib import Path
from toy_trainer import Toy
from solon.trainers.base import Policy
from solon.trainers.launch import run_training
run_dir = Path(sys.argv[1])
run_training(Toy(deed="wait", gate=sys.argv[2]), Policy(model="org/name"), dataset=run_dir, seed=0, run_dir=run_dir,
             out=run_dir / "checkpoints" / "toy", on_step=lambda step, steps, metrics: None)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The class of a trainer whose package is installed for this test alone, here and in new processes."""
    with installed("toy", TRAINER, tmp_path / "site", monkeypatch) as trainer:
        yield trainer


@pytest.fixture
def run_dir(tmp_path):
    """A run directory with a checkpoint of an earlier training."""
    folder = tmp_path / "run"
    (folder / "checkpoints" / "toy").mkdir(parents=True)
    (folder / "checkpoints" / "toy" / "weights").write_text("earlier")
    return folder


def train(trainer, run_dir, policy=None, on_step=lambda step, steps, metrics: None, **more):
    """Runs the trainer into ``checkpoints/toy``."""
    out = run_dir / "checkpoints" / "toy"
    policy = policy or Policy(model="org/name")
    return run_training(trainer, policy, dataset=run_dir, seed=5, run_dir=run_dir, out=out, on_step=on_step, **more)


def left_in(run_dir):
    """Every file of the run directory with its text, the log left out."""
    files = sorted(file for file in run_dir.rglob("*") if file.is_file() and file.name != "train.log")
    return {file.relative_to(run_dir).as_posix(): file.read_text() for file in files}


EARLIER = {"checkpoints/toy/weights": "earlier"}


def test_a_complete_checkpoint_takes_the_place_of_the_earlier_one(toy, run_dir):
    """With the curve in it, and nothing else left over. A number that is not finite is a gap."""
    seen = []
    checkpoint = train(toy(deed="finish"), run_dir, on_step=lambda *step: seen.append(step))
    assert checkpoint.path == "checkpoints/toy"
    assert seen == [(1, 2, {"loss": 0.5}), (2, 2, {"loss": 0.25})]
    first = '{"step": 1, "steps": 2, "loss": 0.5, "entropy": null}\n'
    second = '{"step": 2, "steps": 2, "loss": 0.25}\n'
    assert left_in(run_dir) == {
        "checkpoints/toy/metrics.jsonl": first + second,
        "checkpoints/toy/weights": "finish",
    }


def test_the_process_is_set_up_for_repeatable_results(toy, run_dir, tmp_path):
    """Threads and hash seed are read when libraries are imported, so they are set from outside."""
    model = tmp_path / "model"
    model.mkdir()
    train(toy(deed="describe"), run_dir, Policy(model=str(model), threads=3))
    facts = json.loads(left_in(run_dir)["checkpoints/toy/facts.json"])
    assert facts == {
        "OMP_NUM_THREADS": "3",
        "PYTHONHASHSEED": "0",
        "HF_HUB_OFFLINE": "1",
        "TMPDIR": str(run_dir / ".training" / "tmp"),
        "seed": 5,
        "model": str(model),
    }


def test_what_libraries_print_goes_to_the_log(toy, run_dir):
    """Standard output belongs to the answers; a print in a trainer must not break them."""
    train(toy(deed="chatter"), run_dir)
    said = (run_dir / "train.log").read_text().split("\n")
    assert {"from print", "from the file descriptor", "from C"} <= set(said)


def test_an_error_of_the_trainer_is_raised_here_as_it_was_there(toy, run_dir):
    """With every problem; and what was there before is still there."""
    with pytest.raises(DataError) as caught:
        train(toy(deed="refuse"), run_dir)
    assert caught.value.problems == (Problem("train.parquet", "is odd", "even it"),)
    assert left_in(run_dir) == EARLIER


def test_an_unexpected_exception_shows_the_end_of_the_log(toy, run_dir):
    """The traceback is what its author needs; its place is said for the rest."""
    with pytest.raises(TrainingError) as caught:
        train(toy(deed="blunder"), run_dir)
    lines = str(caught.value).split("\n")
    assert lines[0] == "ZeroDivisionError: division by zero"
    assert lines[1] == f"the last lines of {run_dir / 'train.log'}:"
    assert lines[-1] == "  ZeroDivisionError: division by zero"
    assert left_in(run_dir) == EARLIER


def test_a_process_that_the_system_killed_says_so(toy, run_dir):
    """On Linux that is how a training ends that wants more memory than there is."""
    with pytest.raises(TrainingError, match="ended by SIGKILL; the system does that when memory runs out: lower"):
        train(toy(deed="die"), run_dir)
    assert left_in(run_dir) == EARLIER


def test_a_process_that_leaves_early_is_an_error(toy, run_dir):
    """Even `sys.exit(0)` in a library must not count as a checkpoint."""
    with pytest.raises(TrainingError, match="ended with code 7 before its checkpoint was complete"):
        train(toy(deed="leave"), run_dir)
    assert left_in(run_dir) == EARLIER


def test_a_trainer_that_the_new_process_cannot_find_is_a_plugin_error(toy, run_dir, monkeypatch):
    """For example a class from a notebook, which no entry point names."""
    monkeypatch.delenv("PYTHONPATH")
    with pytest.raises(PluginError, match="no trainer is called 'toy'"):
        train(toy(deed="finish"), run_dir)
    assert left_in(run_dir) == EARLIER


def test_an_error_of_the_display_ends_the_training(toy, run_dir):
    """Whatever interrupts us must not leave a training behind that nobody reads."""

    def broken(step, steps, metrics):
        raise ValueError("the display broke")

    with pytest.raises(ValueError, match="the display broke"):
        train(toy(deed="finish"), run_dir, on_step=broken)
    assert left_in(run_dir) == EARLIER


@pytest.fixture
def waiting(toy, run_dir, tmp_path):
    """A parent whose training waits for ever, and a file that ends when the training process does."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(run_dir), str(gate)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
        with gate.open() as alive:
            assert int(alive.readline()) != parent.pid
            yield parent, alive
        parent.kill()


@pytest.mark.slow
def test_the_training_ends_when_its_parent_is_killed(waiting, run_dir, toy):
    """Nobody is left to end it after `kill -9`, and it must not train on; the next start clears what it left."""
    parent, alive = waiting
    parent.kill()
    assert alive.read() == ""  # the end of the file: every process that held it open is gone
    assert left_in(run_dir)["checkpoints/toy/weights"] == "earlier"
    assert "checkpoints/.toy.partial/weights" in left_in(run_dir)
    train(toy(deed="finish"), run_dir)
    assert sorted(left_in(run_dir)) == ["checkpoints/toy/metrics.jsonl", "checkpoints/toy/weights"]


@pytest.mark.slow
@pytest.mark.reliability("signals")
def test_a_terminal_that_is_closed_leaves_the_end_of_the_training_to_who_started_it(waiting, run_dir):
    """It signals both processes; the one that trains may have replies under way, which are waited for."""
    parent, alive = waiting
    (training,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{training}/status").read_text().splitlines())
    assert int(status["SigIgn"], 16) & 1 << signal.SIGHUP - 1
    os.kill(parent.pid, signal.SIGINT)
    assert alive.read() == ""
    assert parent.stderr.read().rstrip().endswith("KeyboardInterrupt")
    assert left_in(run_dir) == EARLIER


@pytest.mark.slow
@pytest.mark.reliability("signals")
@pytest.mark.parametrize("signalled", ["parent", "group"])
def test_ctrl_c_ends_the_training_and_keeps_what_was_there(waiting, run_dir, signalled):
    """A terminal signals both processes, `kill -INT` only one; either way the parent cleans up and goes."""
    parent, alive = waiting
    send = os.kill if signalled == "parent" else os.killpg
    send(parent.pid, signal.SIGINT)
    assert alive.read() == ""
    assert parent.stderr.read().rstrip().endswith("KeyboardInterrupt")
    assert left_in(run_dir) == EARLIER


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_from_what_it_kept(toy, run_dir):
    """The step after the one that was kept is done again, and stands in the curve once."""
    with pytest.raises(TrainingError, match="SIGKILL"):
        train(toy(deed="go_on"), run_dir)
    assert (run_dir / ".training" / "kept" / "trainer" / "state").exists()
    train(toy(deed="go_on"), run_dir)
    curve = [json.loads(line) for line in left_in(run_dir)["checkpoints/toy/metrics.jsonl"].splitlines()]
    assert [(line["step"], line["loss"]) for line in curve] == [(1, 0.5), (2, 0.3)]
    assert left_in(run_dir)["checkpoints/toy/weights"] == "went on from loss 0.5"
    assert not (run_dir / ".training").exists()


@pytest.mark.slow
@pytest.mark.parametrize("other", ["settings", "seed", "dataset", "policy"])
def test_another_training_begins_anew(toy, run_dir, other):
    """What one training kept is nothing to another: both would end as neither of them does."""
    out, policy, seed = run_dir / "checkpoints" / "toy", Policy(model="org/name"), 5
    steps = []

    def run(gate, policy, seed):
        run_training(
            toy(deed="go_on", gate=gate),
            policy,
            dataset=run_dir,
            seed=seed,
            run_dir=run_dir,
            out=out,
            on_step=lambda step, steps_in_all, metrics: steps.append(step),
        )

    with pytest.raises(TrainingError, match="SIGKILL"):
        run("", policy, seed)
    assert steps == [1, 2]
    if other == "dataset":
        (run_dir / "train.parquet").write_bytes(b"other rows")
    with pytest.raises(TrainingError, match="SIGKILL"):
        run(
            "other" if other == "settings" else "",
            Policy(model="org/other") if other == "policy" else policy,
            6 if other == "seed" else seed,
        )
    assert steps == [1, 2, 1, 2]


ALARMS = [("kl", 2, 2.5, 1), ("nan", 3, 1.0, 1), ("kl", 6, 4.0, 2)]
"""What ``drift`` raises: KL crosses 2 at step 2 and, having been at 1, again at step 6; at step 3 it is no number."""


def drift(run_dir, trainer):
    """Runs it; returns its alarms as they arrived here, and those in the file with the steps among which they are."""
    warned = []
    train(trainer, run_dir, on_alarm=warned.append)
    lines = [json.loads(line) for line in left_in(run_dir)["checkpoints/toy/metrics.jsonl"].splitlines()]
    return [(alarm.name, alarm.step, alarm.value, alarm.times) for alarm in warned], lines


def test_alarms_of_any_trainer_arrive_and_stand_in_the_curve(toy, run_dir):
    """Nothing in the third party's trainer knows of them; each stands behind the step that raised it."""
    warned, lines = drift(run_dir, toy(deed="drift"))
    assert warned == ALARMS
    assert [line.get("alarm", line["step"]) for line in lines] == [1, 2, "kl", 3, "nan", 4, 5, 6, "kl", 7]
    assert lines[2] == {
        "step": 2,
        "steps": 7,
        "alarm": "kl",
        "metric": "objective/kl",
        "value": 2.5,
        "limit": 2.0,
        "text": "at step 2 the KL to the reference is 2.5, above 2",
    }


@pytest.mark.slow
def test_alarms_are_restored_after_a_kill(toy, run_dir):
    """All of them are said again, gaps in the curve included, and stand in it once."""
    with pytest.raises(TrainingError, match="SIGKILL"):
        train(toy(deed="drift", gate="killed"), run_dir)
    warned, lines = drift(run_dir, toy(deed="drift", gate="killed"))
    assert warned == ALARMS
    assert [line.get("alarm", line["step"]) for line in lines] == [1, 2, "kl", 3, "nan", 4, 5, 6, "kl", 7]


@pytest.mark.slow
def test_an_alarm_that_stops_ends_the_training_and_keeps_what_was_kept(toy, run_dir):
    """What was there before stays; with another limit the same training goes on from its last kept state."""
    warned, steps = [], []
    stopping = toy(deed="drift", alarms={"kl": {"limit": 3.5, "stop": True}})
    with pytest.raises(
        TrainingError, match=r"as train\.alarms\.kl\.stop asks: at step 6 the KL .* is 4, above 3\.5\. "
    ):
        train(stopping, run_dir, on_alarm=warned.append)
    assert [(alarm.name, alarm.step) for alarm in warned] == [("nan", 3), ("kl", 6)]
    kept = left_in(run_dir)
    assert kept["checkpoints/toy/weights"] == "earlier"
    assert kept[".training/kept/trainer/state"] == "after step 3"
    train(
        toy(deed="drift", alarms={"kl": {"limit": 5, "stop": True}}),
        run_dir,
        on_step=lambda step, steps_in_all, metrics: steps.append(step),
    )
    assert steps == [4, 5, 6, 7]
    assert not (run_dir / ".training").exists()


@pytest.mark.slow
def test_an_alarm_that_stops_is_raised_on_what_an_earlier_process_logged(toy, run_dir):
    """Whoever adds `stop` after a kill means the whole training; nothing is trained before it is said."""
    with pytest.raises(TrainingError, match="SIGKILL"):
        train(toy(deed="drift", gate="killed"), run_dir)
    steps = []
    with pytest.raises(TrainingError, match="at step 2 the KL"):
        train(
            toy(deed="drift", gate="killed", alarms={"kl": {"stop": True}}),
            run_dir,
            on_step=lambda step, steps_in_all, metrics: steps.append(step),
        )
    assert steps == []
