"""``kill -9`` and Ctrl-C at every step of a batch: no reply is lost, nothing is asked again, no batch is made twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from solon.ledger import Ledger
from solon.testing import BatchServer, Trouble

pytestmark = [pytest.mark.slow, pytest.mark.reliability("kill-batch")]

REQUESTS = 700
KINDS = ("openai", "anthropic")
FULL = os.environ.get("SOLON_FULL") == "1"


def with_kinds(*points: Any) -> list[Any]:
    """Each point with one kind before it, in turn; with both by SOLON_FULL=1, though what is killed is the same."""
    return [(kind, one) for n, one in enumerate(points) for kind in (KINDS if FULL else KINDS[n % 2 :][:1])]


STAGE = """
import asyncio, os, signal, sys
from solon.data.records import Message
from solon.ledger import Answered, Ledger
from solon.models.base import Request
from solon.plugins.registry import load
from solon.stream import Pace, Stream, ask

path, root, kind, count, when = *sys.argv[1:4], int(sys.argv[4]), sys.argv[5]

class Mortal(Ledger):
    "Ends its process right before or after a certain kind of change is committed."
    def apply(self, changes):
        hit = any(when.endswith(type(change).__name__) for change in changes)
        if hit and when.startswith("before"):
            os.kill(os.getpid(), signal.SIGKILL)
        outcomes = super().apply(changes)
        if hit and when.startswith("after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return outcomes

async def stage(ledger):
    settings = dict(model="served", api_key_env=None, price={"input": 1, "output": 1, "batch": 0.5}, batch=True)
    address = root + "/v1" if kind == "openai" else root
    model = load("solon.models", kind)(base_url=address, **settings)  # a provider's SDK takes seconds to import
    pace = Pace(first_s=0.02, longest_s=0.1, settle_s=0.3)
    async with Stream(ledger, run="r", stage="s", pace=pace, max_usd=100) as stream:
        async def deed(number):
            request = Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)
            return (await ask(model, request)).text
        async for number, text in stream.map(deed, range(count), window=10_000):
            print(number, text, flush=True)
    await model.aclose()

with Mortal.open(path) as ledger:
    asyncio.run(stage(ledger))
"""


async def run_stage(ledger: Path, server: BatchServer, kind: str, when: str = "") -> asyncio.subprocess.Process:
    arguments = (str(ledger), server.root, kind, f"{REQUESTS}", when)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", STAGE, *arguments, stdout=pipe, stderr=pipe)


async def rerun_is_whole(path: Path, server: BatchServer, kind: str) -> None:
    """The same command again prints what an undisturbed run prints, and leaves nothing open."""
    again = await run_stage(path, server, kind)
    printed, complaint = await again.communicate()
    assert (again.returncode, complaint.decode()) == (0, "")
    assert printed.decode().splitlines() == [f"{number} to {number}" for number in range(REQUESTS)]
    with Ledger.open(path) as ledger:
        assert len(list(ledger.entries())) == REQUESTS
        assert ledger.in_doubt() == []
        assert {batch.phase for batch in ledger.batches()} <= {"collected", "refused"}
        # "7" is read, one token, and "to 7" is written, one too, but two from "to 10" on; at $0.5 a million
        tokens = 2 * 10 + 3 * (REQUESTS - 10)
        assert sum(total.cost_usd for total in ledger.summary()) == pytest.approx(tokens * 0.5e-6)
        ((spent, reserved),) = ledger._reading.execute("SELECT spent_nano_usd, reserved_nano_usd FROM budgets")
        assert (spent, reserved) == (tokens * 500, 0)


@pytest.mark.parametrize(
    ("kind", "when"),
    with_kinds(
        "after Gathered", "before Submitted", "after Submitted", "before Answered", "after Answered", "before Ended"
    ),
)
async def test_killed_between_any_two_commits_it_goes_on_where_it_was(kind: str, when: str, tmp_path: Path):
    """Whatever the ledger says last is enough to go on from."""
    path = tmp_path / "l.sqlite"
    async with BatchServer(answer=lambda asked: f"to {asked.text}") as server:
        first = await run_stage(path, server, kind, when)
        await first.communicate()
        assert first.returncode == -signal.SIGKILL
        await rerun_is_whole(path, server, kind)
    assert max(server.came.values()) == 1
    assert len(server.batches) == 1


POINTS = [
    ("after", "create", 0),
    ("before", "look", 0),
    ("after", "look", 1),
    ("before", "results", 0),
    ("during", "results", 600),
]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=lambda by: by.name)
@pytest.mark.parametrize(
    ("kind", "point"), with_kinds(*POINTS), ids=lambda part: part if isinstance(part, str) else " ".join(map(str, part))
)
async def test_ended_while_the_server_is_asked_it_goes_on_where_it_was(
    kind: str, by: signal.Signals, point: tuple[str, str, int], tmp_path: Path
):
    """Among others right after the batch came to be, and before anybody was told so."""
    path = tmp_path / "l.sqlite"
    clients: list[asyncio.subprocess.Process] = []

    async def watch(when: str, verb: str, before: int) -> None:
        if (when, verb, before) == point and len(clients) == 1 and clients[0].returncode is None:
            clients[0].send_signal(by)
            if by is signal.SIGKILL:
                await clients[0].wait()

    async with BatchServer(answer=lambda asked: f"to {asked.text}", watch=watch) as server:
        clients.append(await run_stage(path, server, kind))
        await asyncio.wait_for(clients[0].communicate(), 20)
        assert clients[0].returncode != 0
        clients.append(clients[0])
        await rerun_is_whole(path, server, kind)
    assert max(server.came.values()) == 1
    assert len(server.batches) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_killed_before_anything_arrived_it_is_sent_once(kind: str, tmp_path: Path):
    """The request was on its way and never came to be a batch: once that is sure, another is made."""
    path = tmp_path / "l.sqlite"
    clients: list[asyncio.subprocess.Process] = []

    def trouble(verb: str, before: int) -> Trouble | None:
        return Trouble(0) if (verb, before) == ("create", 0) else None

    async def watch(when: str, verb: str, before: int) -> None:
        if (when, verb, before) == ("before", "create", 0):
            clients[0].kill()
            await clients[0].wait()

    async with BatchServer(answer=lambda asked: f"to {asked.text}", trouble=trouble, watch=watch) as server:
        clients.append(await run_stage(path, server, kind))
        await clients[0].communicate()
        await rerun_is_whole(path, server, kind)
    assert max(server.came.values()) == 1
    assert len(server.batches) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_two_processes_that_want_the_same_make_one_batch(kind: str, tmp_path: Path):
    """The second waits for the first one's replies, and takes over when that one is killed."""
    path = tmp_path / "l.sqlite"
    looked = asyncio.Event()

    async def watch(when: str, verb: str, before: int) -> None:
        if verb == "look":
            looked.set()

    async with BatchServer(answer=lambda asked: f"to {asked.text}", polls=10, watch=watch) as server:
        first = await run_stage(path, server, kind)
        await looked.wait()
        second = await run_stage(path, server, kind)
        await asyncio.sleep(0.5)
        first.kill()
        await first.communicate()
        printed, _ = await second.communicate()
    assert printed.decode().splitlines() == [f"{number} to {number}" for number in range(REQUESTS)]
    assert max(server.came.values()) == 1
    assert len(server.batches) == 1
