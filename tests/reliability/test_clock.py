"""The wall clock jumps by days and back to 1970: no wait grows, nothing is asked twice, and what is done stays done."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from full_disk import solon
from project import Project, artifacts, jsonl, small_project
from solon.data.records import Message
from solon.errors import ModelUnavailable
from solon.ledger import Ledger
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.models.wire import LONGEST_BY_OUR_CLOCK_S, retry_after
from solon.stream import Stream, ask
from solon.stream.limiter import LONGEST_PAUSE_S
from solon.stream.retries import Attempts, Retries
from solon.testing import Asked, Fault, VirtualClock
from solon.testing.judge_server import JudgeServer

pytestmark = pytest.mark.reliability("clock")

JUDGED = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label:
  kind: pairwise
  judge: {{kind: endpoint, base_url: {url}, model: judge, api_key_env: null, price: {{input: 0, output: 0}}}}
build: {{held_out: 0}}
ledger: ledger.sqlite
"""
COMMAND = """
import sys, time
real, looked = time.time, 0
JUMPS = (0.0, 86400.0, -86400.0, -real(), 10 * 365 * 86400.0)

def jumping():
    global looked
    looked += 1
    return real() + JUMPS[looked // 3 % len(JUMPS)]

if sys.argv[1] == "jumping":
    time.time = jumping
from solon.cli.app import main
sys.argv = ["solon", *sys.argv[2:]]
try:
    main()
finally:
    print(looked)
"""


def judged(folder: Path, server: JudgeServer, rows: int) -> Project:
    """A project whose judge is the server."""
    project = small_project(folder)
    project.write("recipe.yaml", JUDGED.format(url=server.base_url))
    answers: list[dict[str, object]] = [
        {"prompt": f"What is {n}?", "responses": [f"{n}", f"It is {n}"]} for n in range(rows)
    ]
    project.write("candidates.jsonl", jsonl(answers))
    return project


async def run(project: Project, how: str) -> int:
    """A whole run, by a clock that is ``steady`` or ``jumping``; how often it was looked at."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, how, "run", "recipe.yaml", "--quiet", cwd=project.folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err
    return int(out)


@pytest.mark.slow
async def test_a_labeling_by_a_clock_that_jumps_asks_and_writes_the_same(
    tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """By days forwards and backwards, to 1970 and to ten years from now, at each third look at it."""
    faults = (Fault.THROTTLED_WITH_DATE, Fault.OVERLOADED, Fault.INTERNAL_ERROR)

    def script(asked: Asked) -> Fault | None:
        failing = int(asked.key, 16) % 10 == 0 and asked.times == 0
        return faults[int(asked.key, 16) // 10 % len(faults)] if failing else None

    async with JudgeServer(script=script) as server:
        found, asked, jumps = [], [], 0
        for how in ("steady", "jumping"):
            project = judged(tmp_path / how / "project", server, 200 if full else 20)
            server.asked.clear()
            jumps = await run(project, how) // 3
            found.append(artifacts(project.run_dir))
            asked.append(dict(server.asked))
            with Ledger.open(project.folder / "ledger.sqlite") as ledger:
                assert ledger.in_doubt() == []
                assert len(list(ledger.entries())) == len(server.asked)
    assert found[0] == found[1]
    assert asked[0] == asked[1]
    assert jumps > 3
    figure(f"{jumps:,} jumps of days to decades in {sum(asked[1].values()):,} requests: 0 asked twice, same bytes")


def http_date(days: float) -> str:
    """So many days from now."""
    return format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)


def test_a_date_to_wait_until_is_read_by_the_clock_of_the_server() -> None:
    """Ours may be a day off; where the server does not say its own, no date is believed to be far away."""
    headers = {"Date": "Mon, 05 Jan 1970 10:00:00 GMT", "Retry-After": "Mon, 05 Jan 1970 10:00:07 GMT"}
    assert retry_after(headers) == 7
    assert retry_after({"Retry-After": http_date(1)}) == LONGEST_BY_OUR_CLOCK_S
    assert retry_after({"Retry-After": http_date(10_000)}) == LONGEST_BY_OUR_CLOCK_S
    assert retry_after({"Retry-After": http_date(-1)}) == 0


@pytest.mark.parametrize("throttled", [True, False], ids=["429", "503"])
async def test_a_date_far_in_the_future_delays_a_call_by_a_minute_at_most(
    throttled: bool, figure: Callable[[str], None]
) -> None:
    """By virtual time, for a call that is throttled and one whose server is overloaded."""
    clock, times = VirtualClock(), 0

    def answer(_request: Request) -> Reply | str:
        nonlocal times
        times += 1
        if times == 1:
            waits = retry_after({"Retry-After": http_date(400)})
            raise ModelUnavailable("later", retry_after=waits, throttled=throttled)
        return "now"

    model = Scripted(answer=answer, over_a_network=True, price=Price(input=0, output=0))
    async with Stream(None, run="r", stage="s", clock=clock):
        reply = await ask(model, Request(messages=(Message(role="user", content="x"),), max_tokens=8))
    assert (reply.text, times) == ("now", 2)
    assert clock.now() <= max(LONGEST_BY_OUR_CLOCK_S, LONGEST_PAUSE_S) + 1
    if throttled:
        figure(f"a `Retry-After` of 400 days: {clock.now():.0f} s")


def test_a_deadline_is_kept_whatever_the_wall_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour's patience is an hour of the stream's clock."""
    attempts = Attempts(Retries(tries=100), "key", 0.0)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert attempts.wait(ModelUnavailable("no"), 3500.0, well=False) is not None
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert attempts.wait(ModelUnavailable("no"), 3500.0, well=False) is not None
    assert attempts.wait(ModelUnavailable("no"), 3601.0, well=False) is None


@pytest.mark.parametrize("when", [0.0, 4_102_444_800.0], ids=["1970", "2100"])
def test_what_is_done_is_done_whatever_the_times_of_its_files(tmp_path: Path, when: float) -> None:
    """Stages are skipped by what is in files, not by when they were written."""
    project = small_project(tmp_path / "project")
    assert solon(project.folder, "run", "recipe.yaml", "--quiet")[0] == 0
    before = artifacts(project.run_dir)
    for path in project.folder.rglob("*"):
        os.utime(path, (when, when))
    code, said = solon(project.folder, "run", "recipe.yaml")
    assert (code, said.count("done before")) == (0, 3), said
    assert artifacts(project.run_dir) == before
    code, said = solon(project.folder, "run", "recipe.yaml", "build.held_out=0.5")
    assert (code, said.count("done before")) == (0, 1), said
