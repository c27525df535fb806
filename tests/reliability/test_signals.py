"""Ctrl-C, SIGTERM and a closed terminal: asked once a run finishes what is in flight, asked twice it ends now."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from packages import publish
from project import Project, artifacts, jsonl, small_project
from solon.ledger import Ledger
from solon.testing import Asked, Fault
from solon.testing.judge_server import JudgeServer

pytestmark = [pytest.mark.slow, pytest.mark.reliability("signals")]

AT_ONCE = 8
JUDGED = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label:
  kind: pairwise
  judge: {{kind: endpoint, base_url: {url}, model: judge, api_key_env: null, price: {{input: 0, output: 0}},
           concurrency: {at_once}}}
build: {{held_out: 0}}
ledger: ledger.sqlite
"""
COMMAND = """
import signal, sys
# what a shell starts behind itself, or under nohup, ignores them: tests too
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from solon.cli.app import main
sys.argv = ["solon", *sys.argv[1:]]
main()
"""
ENDINGS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


async def started(project: Project, *words: str, terminal: int | None = None) -> asyncio.subprocess.Process:
    """The command line in a session of its own, to which ``terminal`` belongs."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = COMMAND if terminal is None else _LEADS + COMMAND
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *words, cwd=project.folder, env=environment, start_new_session=True,
        stdin=terminal, stdout=terminal if terminal is not None else asyncio.subprocess.PIPE,
        stderr=terminal if terminal is not None else asyncio.subprocess.PIPE,
    )  # fmt: skip


_LEADS = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


def judged(folder: Path, server: JudgeServer, rows: int) -> Project:
    """A project whose judge is the server."""
    project = small_project(folder)
    project.write("recipe.yaml", JUDGED.format(url=server.base_url, at_once=AT_ONCE))
    answers = [{"prompt": f"What is {n}?", "responses": [f"{n}", f"It is {n}"]} for n in range(rows)]
    project.write("candidates.jsonl", jsonl(answers))
    return project


def recorded(project: Project) -> tuple[int, int]:
    """How many replies the ledger holds, and how many calls are in doubt."""
    with Ledger.open(project.folder / "ledger.sqlite") as ledger:
        return len(list(ledger.entries())), len(ledger.in_doubt())


class Until:
    """A script of a server that says when it has got a number of requests, and may fail from one of them on."""

    def __init__(self) -> None:
        self.count: int | None = None
        self.failing = 0
        self.fault: Fault | None = None
        self.got = 0
        self.reached = asyncio.Event()

    def begin(self, count: int | None, *, failing: int = 0, fault: Fault | None = None) -> None:
        """Counts anew."""
        self.count, self.failing, self.fault, self.got = count, failing, fault, 0
        self.reached.clear()

    def __call__(self, asked: Asked) -> Fault | None:
        """What becomes of the next request."""
        self.got += 1
        if self.got == self.count:
            self.reached.set()
        return self.fault if self.fault is not None and self.got >= self.failing else None


async def undisturbed(folder: Path, server: JudgeServer, rows: int) -> dict[str, bytes]:
    """What a run leaves that nobody disturbs."""
    project = judged(folder / "project", server, rows)
    run = await started(project, "run", "recipe.yaml")
    _, err = await run.communicate()
    assert run.returncode == 0, err
    return artifacts(project.run_dir)


async def test_a_signal_lets_what_is_in_flight_arrive_and_the_same_command_goes_on(
    tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """As many replies are recorded as the server has answered, for each signal, and nothing is asked twice."""
    until, rows = Until(), 60 if full else 24
    moments = [1, 7, 20, 41, 66, 97] if full else [9]
    answered = 0
    async with JudgeServer(script=until, latency_s=0.05) as server:
        wanted = await undisturbed(tmp_path / "undisturbed", server, rows)
        for number, count in enumerate(moments):
            project = judged(tmp_path / f"{number}" / "project", server, rows)
            server.asked.clear()
            # what was interrupted once is interrupted again, further on, by the next signal
            for by, code in ENDINGS.items() if full else list(ENDINGS.items())[:2]:
                until.begin(count)
                run = await started(project, "run", "recipe.yaml", "--quiet")
                reached = asyncio.create_task(until.reached.wait())
                over = asyncio.create_task(run.communicate())
                await asyncio.wait([reached, over], return_when=asyncio.FIRST_COMPLETED)
                reached.cancel()
                if not over.done():
                    run.send_signal(by)
                out, err = await over
                if run.returncode == 0:  # it had less to ask than that
                    continue
                assert (run.returncode, out) == (code, b""), err
                assert b"the same command goes on" in err
                assert b"Traceback" not in err
                assert recorded(project) == (server.asked.total(), 0)
                answered += until.got
            until.begin(None)
            run = await started(project, "run", "recipe.yaml")
            _, err = await run.communicate()
            assert run.returncode == 0, err
            assert artifacts(project.run_dir) == wanted
            assert set(server.asked.values()) == {1}
    assert answered >= len(moments)
    figure(f"{answered:,} requests sent before a signal, {answered:,} replies recorded, 0 asked again")


async def test_a_second_signal_ends_now(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Although the server never answers; the calls that it has are listed as in doubt, and asked again."""
    until = Until()
    async with JudgeServer(script=until) as server:
        wanted = await undisturbed(tmp_path / "undisturbed", server, 24)
        project = judged(tmp_path / "twice" / "project", server, 24)
        server.asked.clear()
        until.begin(9 + AT_ONCE, failing=10, fault=Fault.HANG)  # as many as it may have in flight
        run = await started(project, "run", "recipe.yaml", "--quiet")
        assert run.stderr is not None
        await until.reached.wait()
        run.send_signal(signal.SIGTERM)
        assert b"stopping as soon as what is under way is recorded" in await run.stderr.readline()
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        _, err = await run.communicate()
        took = time.monotonic() - began
        assert run.returncode == 143, err
        assert b"Traceback" not in err
        assert b"in doubt" in err
        assert b"solon: ended" not in err, "it had to be ended, whatever it was doing"
        replies, doubts = recorded(project)
        # what had been written down to be sent next counts as sent where nobody had the time to take it back
        assert replies == 9
        assert AT_ONCE <= doubts <= 2 * AT_ONCE
        assert server.asked.total() == 9 + AT_ONCE, "nothing more is sent"
        until.begin(None)
        run = await started(project, "run", "recipe.yaml")
        _, err = await run.communicate()
        assert run.returncode == 0, err
        assert artifacts(project.run_dir) == wanted
        again = {key for key, times in server.asked.items() if times == 2}
        assert (len(again), max(server.asked.values())) == (AT_ONCE, 2), (len(server.asked), server.asked.total())
    assert took < 20, "nobody waits for a server that hangs"
    figure(f"twice: gone {took:.1f} s later; {AT_ONCE} calls in flight, {doubts} listed as in doubt")


async def test_a_terminal_that_is_closed_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    """What it prints from then on has nowhere to go, which is no reason to lose a reply."""
    until = Until()
    async with JudgeServer(script=until, latency_s=0.05) as server:
        project = judged(tmp_path / "project", server, 24)
        until.begin(9)
        ours, theirs = pty.openpty()
        run = await started(project, "run", "recipe.yaml", terminal=theirs)
        os.close(theirs)
        await until.reached.wait()
        os.close(ours)
        assert await run.wait() == 129
        assert recorded(project) == (server.asked.total(), 0)
        assert not (project.folder / ".solon" / "error.log").exists()


TRAINER = '''
import os, signal
from typing import ClassVar
from solon.data.records import Checkpoint, Preference
from solon.trainers.base import Trainer

class Slow(Trainer):
    """Keeps each step, and waits at the third the first time."""
    kind: ClassVar[str] = "slow"
    consumes: ClassVar[type] = Preference

    def train(self, job):
        state = job.kept / "state"
        last = int(state.read_text()) if state.exists() else 0
        if last:
            job.go_on_from(last)
        for step in range(last + 1, 6):
            if step == 4 and not last:
                with open(os.environ["GATE"], "w") as gate:
                    print(os.getpid(), file=gate, flush=True)
                    signal.pause()
            job.report(step, 5, {"loss": 1 / step})
            state.write_text(str(step))
        (job.out / "weights").write_text("trained")
        return Checkpoint(path=".", base_model=job.policy.model, form="full", trainer="slow", dataset="0" * 16)
'''


@pytest.mark.parametrize("by", ENDINGS, ids=lambda by: by.name)
async def test_a_signal_ends_a_training_which_goes_on_from_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: signal.Signals, full: bool
) -> None:
    """Its process is gone when the run is, and the curve is that of a training that nobody disturbed."""
    if not full:
        pytest.skip("tests/training/test_worker.py has the training process alone: make reliability")
    site, gate = tmp_path / "site", tmp_path / "gate"
    publish(site, "slow", {"solon.trainers": {"slow": "slow_trainer:Slow"}}, {"slow_trainer.py": TRAINER})
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setenv("GATE", str(gate))
    os.mkfifo(gate)
    project = small_project(tmp_path / "project")
    model = project.folder / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (model / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (model / "tokenizer.json").write_text("{}")
    with (project.folder / "recipe.yaml").open("a") as recipe:
        recipe.write("policy: model\ntrain: slow\n")
    run = await started(project, "train", "recipe.yaml", "--quiet")
    over = asyncio.create_task(run.communicate())
    opened = asyncio.create_task(asyncio.to_thread(gate.open))
    await asyncio.wait([over, opened], return_when=asyncio.FIRST_COMPLETED)
    assert not over.done(), over.result()
    with closing(await opened) as alive:
        assert int(alive.readline()) != run.pid
        run.send_signal(by)
        assert await asyncio.to_thread(alive.read) == ""  # the end of the file: who held it open is gone
    _, err = await over
    assert run.returncode == ENDINGS[by], err
    assert b"the same command goes on" in err
    assert not (project.run_dir / "checkpoints" / "slow").exists()
    again = await started(project, "train", "recipe.yaml", "--quiet")
    _, err = await again.communicate()
    assert again.returncode == 0, err
    curve = (project.run_dir / "checkpoints" / "slow" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in curve] == [1, 2, 3, 4, 5]


ASKING = '''
import asyncio, os
from typing import ClassVar
from solon.data.records import Checkpoint, Preference
from solon.loops import run_to_end
from solon.trainers.base import Trainer

class Asking(Trainer):
    """Waits for a reply that is recorded whatever happens."""
    kind: ClassVar[str] = "asking"
    consumes: ClassVar[type] = Preference

    def train(self, job):
        async def ask():
            with open(os.environ["GATE"], "w") as gate:
                print(os.getpid(), file=gate, flush=True)
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0)
                    print("recorded", file=gate, flush=True)
        run_to_end(ask())
'''
PARENT = """
import signal, sys
from pathlib import Path
from asking_trainer import Asking
from solon.data.records import Constitution, Principle
from solon.trainers.base import Judging, Policy
from solon.trainers.launch import run_training
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
run_dir = Path(sys.argv[1])
judging = Judging(constitution=Constitution(name="c", principles=(Principle(id="p", text="Be brief."),)),
                  ledger=run_dir / "ledger.sqlite", run="r")
run_training(Asking(), Policy(model="org/name"), dataset=run_dir, seed=0, run_dir=run_dir,
             out=run_dir / "checkpoints", judging=judging, on_step=lambda *_: None)
"""


async def test_a_training_that_asks_judges_records_what_is_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies to a training's rewards are paid for as others are: its process is asked to end, not killed."""
    site, gate = tmp_path / "site", tmp_path / "gate"
    publish(site, "asking", {"solon.trainers": {"asking": "asking_trainer:Asking"}}, {"asking_trainer.py": ASKING})
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setenv("GATE", str(gate))
    os.mkfifo(gate)
    (tmp_path / "run").mkdir()
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "run"), start_new_session=True, stderr=asyncio.subprocess.PIPE
    )
    over = asyncio.create_task(parent.communicate())
    opened = asyncio.create_task(asyncio.to_thread(gate.open))
    await asyncio.wait([over, opened], return_when=asyncio.FIRST_COMPLETED)
    assert not over.done(), over.result()
    with closing(await opened) as alive:
        assert int(alive.readline()) != parent.pid
        parent.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(alive.read) == "recorded\n"
    _, err = await over
    assert err.rstrip().endswith(b"KeyboardInterrupt")
