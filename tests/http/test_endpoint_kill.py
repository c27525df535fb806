"""``kill -9`` and Ctrl-C in the middle of a stage that asks a server: nothing recorded is asked again."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from solon.ledger import Ledger
from solon.testing import Asked, Fault, FaultServer

CALLS, AT_ONCE = 60, 8

STAGE = """
import asyncio, sys
from solon.data.records import Message
from solon.ledger import Ledger
from solon.models.base import Request
from solon.models.endpoint import Endpoint
from solon.stream import Stream, ask

async def stage(ledger):
    model = Endpoint(base_url=sys.argv[2], model="served", concurrency=int(sys.argv[4]))
    async with Stream(ledger, run="r", stage="s") as stream:
        async def deed(number):
            request = Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)
            return (await ask(model, request)).text
        async for number, text in stream.map(deed, range(int(sys.argv[3])), window=2 * int(sys.argv[4])):
            print(number, text, flush=True)
    await model.aclose()

with Ledger.open(sys.argv[1]) as ledger:
    asyncio.run(stage(ledger))
"""


async def run_stage(ledger: Path, server: FaultServer) -> asyncio.subprocess.Process:
    arguments = (str(ledger), server.base_url, f"{CALLS}", f"{AT_ONCE}")
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", STAGE, *arguments, stdout=pipe, stderr=pipe)


@pytest.mark.slow
@pytest.mark.reliability("kill-label")
@pytest.mark.parametrize("position", [0, 7, 25, 59])
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=lambda by: by.name)
async def test_a_stage_that_was_ended_goes_on_where_it_was(by: signal.Signals, position: int, tmp_path: Path):
    """Ended when the server gets its n-th request. The rerun prints what an undisturbed run prints."""
    path = tmp_path / "l.sqlite"
    reached = asyncio.Event()

    def script(asked: Asked) -> Fault | None:
        if asked.position == position:
            reached.set()
        return None

    async with FaultServer(script, latency_s=0.02, answer=lambda asked: f"to {asked.text}") as server:
        first = await run_stage(path, server)
        await reached.wait()
        first.send_signal(by)
        await first.communicate()
        with Ledger.open(path) as ledger:
            recorded = {entry.request.messages[0].content for entry in ledger.entries()}
            doubts = {doubt.request.messages[0].content for doubt in ledger.in_doubt()}
        before = {asked.text for asked in server.requests}
        again = await run_stage(path, server)
        printed, complaint = await again.communicate()
    assert (again.returncode, complaint.decode()) == (0, "")
    assert printed.decode().splitlines() == [f"{number} to {number}" for number in range(CALLS)]
    times = {asked.text: server.asked[asked.key] for asked in server.requests}
    assert {times[text] for text in recorded} <= {1}
    if by is signal.SIGINT:
        assert before == recorded  # what the server had was waited for
        assert doubts == set()
    else:
        assert before <= recorded | doubts  # each request that went out had been journalled
        assert len(before - recorded) <= AT_ONCE
