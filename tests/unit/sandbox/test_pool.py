"""Workers are started when they are needed, kept, and replaced; where they cannot be shut in, code is refused."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from solon.errors import PluginError
from solon.sandbox.pool import Pool, SandboxFailed, processors
from solon.sandbox.worker import Job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux only"),
]


def job(code: str, **limits: float) -> Job:
    return Job("python", {"code": code, "setup": "", "expression": "f()", "truth": False}, **limits)  # type: ignore[arg-type]


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool("python", 2, "required")
    yield made
    made.end()


async def test_jobs_run_beside_each_other_and_the_event_loop_goes_on(pool: Pool) -> None:
    """Two that wait for half a second each, on two workers, while the loop counts."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count())
    waiting = "import time\ndef f():\n    time.sleep(0.5)\n    return 1"
    results = await asyncio.gather(*(pool.run(job(waiting)) for _ in range(2)))
    counting.cancel()
    assert [result.claim for result in results] == [{"value": ["i", "1"]}] * 2
    assert turns > 10
    assert len(pool._free) == 2


async def test_no_more_workers_than_were_asked_for(pool: Pool) -> None:
    """Each holds memory; they are used again."""
    await asyncio.gather(*(pool.run(job("def f(): return 1")) for _ in range(10)))
    assert len(pool._free) <= 2


async def test_a_worker_that_was_killed_is_replaced(pool: Pool) -> None:
    """By the kernel, for want of memory, say. What it was running is run again."""
    await pool.run(job("def f(): return 1"))
    os.killpg(pool._free[0]._process.pid, signal.SIGKILL)
    assert (await pool.run(job("def f(): return 2"))).claim == {"value": ["i", "2"]}


async def test_a_job_that_cannot_be_run_twice_is_a_failure_of_ours(pool: Pool) -> None:
    """Never a verdict on the code: here a program is asked for that the worker has not loaded."""
    with pytest.raises(SandboxFailed, match="the worker process was lost twice: KeyError: 'expression'"):
        await pool.run(Job("expression"))
    assert (await pool.run(job("def f(): return 2"))).claim == {"value": ["i", "2"]}


async def test_where_nothing_can_be_shut_off_code_is_refused() -> None:
    """And the message says what to do."""
    with pytest.raises(PluginError, match=r"cannot shut off files and network .* `isolation: best_effort`"):
        await Pool("python", 1, "required", rungs=()).run(job("def f(): return 1"))


async def test_best_effort_goes_on_with_limits_alone() -> None:
    """For code that one trusts."""
    pool = Pool("python", 1, "best_effort", rungs=())
    assert pool.holds() == "none"
    assert (await pool.run(job("def f():\n    while True: pass", seconds=1))).beyond == "seconds"
    pool.end()


def test_there_are_as_many_workers_as_processors_and_at_most_eight() -> None:
    """When nobody says how many."""
    assert 1 <= processors() <= 8
