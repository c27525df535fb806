"""Several training processes at once: who speaks, whose error is told, and that none is left behind.

The trainer is a third party's and needs no torch: what is tested here is the processes around it.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from datetime import timedelta
from queue import SimpleQueue

import pytest

from solon.errors import DataError, RecipeError, TrainingError
from solon.trainers.base import Policy
from solon.trainers.launch import run_training
from solon.trainers.several import Place
from solon.trainers.workers import _read, _Worker
from third_party import installed

TRAINER = """
import atexit, json, os, threading, time
from pathlib import Path
from typing import ClassVar
from solon.data.records import Checkpoint, Preference
from solon.errors import DataError, Problem, TrainingError
from solon.trainers.base import Trainer
from solon.trainers.several import Place

class Chorus(Trainer):
    kind: ClassVar[str] = "chorus"
    together: ClassVar[tuple[str, ...]] = ("ddp",)
    consumes: ClassVar[type] = Preference
    deed: str = "finish"
    who: int | None = 1
    gate: str = ""
    processes: int = 1
    fsdp: bool = False

    def train(self, job):
        place = Place.here()
        print("I am", place.called)
        job.report(1, 1, {"loss": float(place.rank)})
        (job.kept / f"{place.rank}").touch()
        if self.deed == "wait" or self.who in (None, place.rank):
            getattr(self, self.deed)(place)
        elif self.deed not in ("finish", "stumble", "lag"):
            threading.Event().wait()
        (job.out / f"{place.rank}").write_text(json.dumps(self.facts()))
        return Checkpoint(path=".", base_model=job.policy.model, form="full", trainer="chorus", dataset="0" * 16)

    def facts(self):
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "OMP_NUM_THREADS")
        return {name: os.environ.get(name) for name in names}

    def finish(self, place):
        pass

    def refuse(self, place):
        raise TrainingError("the loss is odd")

    def blunder(self, place):
        1 / 0

    def die(self, place):
        os.kill(os.getpid(), 9)

    def stumble(self, place):
        atexit.register(os._exit, 3)

    def lag(self, place):
        until = time.monotonic() + 1
        while time.monotonic() < until and not Path(self.gate).exists():
            time.sleep(0.01)

    def linger(self, place):
        threading.Thread(target=threading.Event().wait).start()

    def wait(self, place):
        with open(f"{self.gate}-{place.rank}", "w") as gate:
            print(os.getpid(), file=gate, flush=True)
            threading.Event().wait()
"""

PARENT = """
import signal, sys
from pathlib import Path
from chorus_trainer import Chorus
from solon.trainers.base import Policy
from solon.trainers.launch import run_training
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell starts behind itself, tests too
run_dir = Path(sys.argv[1])
trainer = Chorus(deed="wait", gate=sys.argv[2], processes=2)
run_training(trainer, Policy(model="org/name"), dataset=run_dir, seed=0, run_dir=run_dir,
             out=run_dir / "checkpoints" / "chorus", on_step=lambda step, steps, metrics: None)
"""

LAUNCHED = """
import sys
from pathlib import Path
from chorus_trainer import Chorus
from solon.trainers.base import Policy
from solon.trainers.joining import join, nothing_to_train, refuse_unmet
from solon.trainers.launch import run_training
from solon.trainers.several import Place
run_dir, deed = Path(sys.argv[1]), sys.argv[2]
out = run_dir / "checkpoints" / "chorus"
refuse_unmet(Place.here())
if Place.here().rank > 0:
    join()
else:
    if deed:
        run_training(Chorus(deed=deed, gate=str(out)), Policy(model="org/name"), dataset=run_dir, seed=0,
                     run_dir=run_dir, out=out, on_step=lambda step, steps, metrics: None)
    nothing_to_train()
"""


@pytest.fixture
def chorus(tmp_path, monkeypatch):
    """The class of a trainer whose package is installed for this test alone, here and in new processes."""
    with installed("chorus", TRAINER, tmp_path / "site", monkeypatch) as trainer:
        yield trainer


@pytest.fixture
def run_dir(tmp_path):
    """An empty run directory."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    return folder


def train(trainer, run_dir, on_step=lambda step, steps, metrics: None):
    """Runs the trainer into ``checkpoints/chorus``."""
    out, policy = run_dir / "checkpoints" / "chorus", Policy(model="org/name", threads=1)
    return run_training(trainer, policy, dataset=run_dir, seed=5, run_dir=run_dir, out=out, on_step=on_step)


@pytest.mark.slow
def test_each_process_knows_its_place_and_the_first_speaks_for_all(chorus, run_dir):
    """What the others report is heard by nobody; what they print is in a log of their own."""
    seen = []
    checkpoint = train(chorus(processes=3), run_dir, lambda *step: seen.append(step))
    assert checkpoint.path == "checkpoints/chorus"
    assert seen == [(1, 1, {"loss": 0.0})]
    for rank, log in enumerate(("train.log", "train.2.log", "train.3.log")):
        facts = json.loads((run_dir / "checkpoints" / "chorus" / str(rank)).read_text())
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1"}
        assert facts == place | {"OMP_NUM_THREADS": "1"}
        assert f"I am process {rank + 1} of 3" in (run_dir / log).read_text()
    train(chorus(), run_dir)
    assert [file.name for file in run_dir.glob("train*.log")] == ["train.log"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("refuse", r"\Aprocess 2 of 2: the loss is odd\Z"),
        ("blunder", r"\Aprocess 2 of 2: ZeroDivisionError: division by zero\nthe last lines of .*train\.2\.log:"),
        ("die", r"\Aprocess 2 of 2 of the training was ended by SIGKILL; the system does that when memory runs out"),
        ("stumble", r"\Aprocess 2 of 2 of the training ended with code 3"),
    ],
    ids=["known", "unexpected", "killed", "after its last word"],
)
def test_what_goes_wrong_in_one_process_is_said_with_its_place_and_ends_the_others(chorus, run_dir, deed, message):
    """The others wait for it, and would do so for ever (but for one that has said already that all is done); nothing of
    the checkpoint is left.
    """
    with pytest.raises(TrainingError, match=message):
        train(chorus(processes=2, deed=deed), run_dir)
    assert list((run_dir / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_a_process_that_is_done_and_does_not_end_is_ended(chorus, run_dir, monkeypatch):
    """A thread that some library left behind keeps it: the checkpoint was complete before."""
    monkeypatch.setattr("solon.trainers.workers._PATIENCE", 0.2)
    assert train(chorus(deed="linger", who=0), run_dir).path == "checkpoints/chorus"


@pytest.mark.slow
def test_what_several_processes_kept_is_refused_to_one(chorus, run_dir):
    """Each has kept where its own random numbers stood. As many as before go on."""
    for processes, message in ((2, "the loss is odd"), (1, "begun by 2 processes and cannot go on with 1 process: ")):
        with pytest.raises(TrainingError, match=message):
            train(chorus(processes=processes, deed="refuse", who=None), run_dir)
    with pytest.raises(TrainingError, match="the loss is odd"):
        train(chorus(processes=2, deed="refuse", who=None), run_dir)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_all_processes_end_with_the_one_that_started_them(chorus, run_dir, tmp_path, sent):
    """However that one dies: nobody is left to end them."""
    gates = [tmp_path / f"gate-{rank}" for rank in (0, 1)]
    for gate in gates:
        os.mkfifo(gate)
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(run_dir), str(tmp_path / "gate")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        try:
            with gates[0].open() as first, gates[1].open() as second:
                workers = {int(gate.readline()) for gate in (first, second)}
                assert len(workers | {parent.pid}) == 3
                parent.send_signal(sent)
                # the end of the file: every process that held it open is gone
                assert [first.read(), second.read()] == ["", ""]
        finally:
            parent.kill()


@pytest.fixture
def meeting_place(monkeypatch):
    """What a launcher holds open, in this process."""
    from torch.distributed import TCPStore

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    return store


def test_processes_that_are_started_again_do_not_hear_what_the_last_ones_were_told(meeting_place, monkeypatch):
    """`--max_restarts` starts all anew at the same meeting place, where an assignment of the last start still lies."""
    from solon.trainers.backend.meeting import tell, told

    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
    tell("first")
    assert told() == "first"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    tell("second")
    assert told() == "second"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert told() == "first"


def test_the_first_hears_what_went_wrong_in_another_and_does_not_wait_for_ever(meeting_place, monkeypatch):
    """On another machine, whose launcher does not end this one's; or of one that is gone without a word."""
    from solon.trainers.backend import meeting

    meeting.tell_the_end(1)
    meeting.tell_the_end(2, "the disk is full")
    assert meeting.wait_for_the_others(3) == {2: "the disk is full"}
    monkeypatch.setattr(meeting, "_PATIENCE", timedelta(milliseconds=10))
    with pytest.raises(TrainingError, match="the first of 4 processes has trained, and others have not an hour later"):
        meeting.wait_for_the_others(4)


@pytest.mark.slow
def test_a_trainer_of_one_process_is_not_started_in_several(chorus, run_dir, monkeypatch):
    """Third parties' trainers, for example, which know nothing of others: it would be trained twice."""
    site = run_dir.parent / "site" / "chorus_trainer.py"
    site.write_text(TRAINER.replace('("ddp",)', "()"))
    with pytest.raises(RecipeError, match="trainer 'chorus' trains in one process, and 2 were started"):
        train(chorus(processes=2), run_dir)


def test_processes_without_a_meeting_place_are_refused(run_dir, monkeypatch):
    """As `mpirun` starts them: each would do the whole recipe, in one run directory."""
    from solon.trainers.joining import refuse_unmet
    from solon.trainers.several import Place

    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    refuse_unmet(Place())
    with pytest.raises(RecipeError, match="not started by `accelerate launch` or `torchrun`"):
        refuse_unmet(Place(count=2))


def launched(run_dir, deed, *, machines=1):
    """What ``accelerate launch`` of two processes ends with, on one machine or as if each were on one of its own."""
    script = run_dir.parent / "launched.py"
    script.write_text(LAUNCHED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", port]
    if machines > 1:
        launch += ["--num_machines", str(machines), "--main_process_ip", "127.0.0.1", "--same_network"]
    plain = {"HF_HOME": str(run_dir), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, *launch, "--machine_rank", str(machine), str(script), str(run_dir), deed],
            env=os.environ | plain,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for machine in range(machines)
    ]
    try:
        errors = [process.communicate(timeout=800)[1] for process in processes]
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert [process.returncode for process in processes] == [0] * machines, errors
    return {file.name for file in (run_dir / "checkpoints").glob("chorus/*")}


@pytest.mark.slow
@pytest.mark.parametrize("machines", [1, 2])
def test_accelerate_starts_one_process_of_the_training_for_each_of_its_own(chorus, run_dir, machines):
    """The first does what it does alone, the others join its training: on its machine, or on another one."""
    assert launched(run_dir, "finish", machines=machines) == {"0", "1", "metrics.jsonl"}


@pytest.mark.slow
def test_the_first_process_waits_for_the_last_before_the_checkpoint_is_in_place(chorus, run_dir):
    """Nothing in a third party's trainer need hold the first back; the other would find its folders gone, and fail."""
    assert launched(run_dir, "lag") == {"0", "1", "metrics.jsonl"}


@pytest.mark.slow
def test_processes_that_accelerate_started_go_where_there_is_nothing_to_train(chorus, run_dir):
    """It was done before, or the recipe ends earlier: they must not wait for ever."""
    assert launched(run_dir, "") == set()


@pytest.mark.slow
def test_the_same_error_of_all_processes_is_raised_once(chorus, run_dir):
    """A dataset that is wrong is wrong for each of them."""
    site = run_dir.parent / "site" / "chorus_trainer.py"
    everyone = 'raise DataError([Problem("train.parquet", "is odd", "even it")])'
    site.write_text(TRAINER.replace("place = Place.here()", everyone))
    with pytest.raises(DataError) as caught:
        train(chorus(processes=2), run_dir)
    assert [problem.what for problem in caught.value.problems] == ["is odd"]


def test_a_line_that_a_process_was_killed_in_is_not_read(tmp_path):
    """Half of what it had to tell is none of it: how it ended says the rest."""
    with subprocess.Popen(
        [sys.executable, "-c", "import os; os.write(1, b'{}\\n{')"], stdout=subprocess.PIPE
    ) as process:
        said = SimpleQueue()
        _read(_Worker(Place(), tmp_path / "log", process), said)
    assert [said.get_nowait()[1], said.get_nowait()[1]] == [b"{}\n", b""]
