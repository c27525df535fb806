"""One door for asynchronous work: in a script, in a running event loop, and from asynchronous code."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

import solon
from solon.loops import Stopped, heed, in_thread, run_to_end

_seen: ContextVar[str] = ContextVar("seen", default="nothing")


async def _seven() -> int:
    await asyncio.sleep(0)
    return 7


def test_a_call_returns_what_the_work_returns() -> None:
    """As asyncio.run does."""
    assert run_to_end(_seven()) == 7


async def test_a_call_works_where_a_loop_is_running() -> None:
    """A notebook runs its cells inside one, where asyncio.run refuses."""
    assert run_to_end(_seven()) == 7


async def test_what_the_caller_has_set_for_itself_is_seen_by_the_work() -> None:
    """Relative paths are read by a context variable; lost, they would be read from elsewhere."""

    async def seen() -> str:
        return _seen.get()

    _seen.set("the caller's")
    assert run_to_end(seen()) == "the caller's"


async def test_what_the_work_raises_reaches_the_caller() -> None:
    """An error in another thread would otherwise be lost."""

    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_to_end(fails())


async def test_ctrl_c_stops_the_work_and_then_the_caller() -> None:
    """The work ends in its own time, to record what is paid for, before the cell ends."""
    ended = []

    async def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append("recorded")

    with pytest.raises(KeyboardInterrupt):
        run_to_end(interrupted())
    assert ended == ["recorded"]


async def test_a_call_can_be_made_again_after_ctrl_c() -> None:
    """The next cell works as if nothing had been."""

    async def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        run_to_end(interrupted())
    assert run_to_end(_seven()) == 7


async def test_an_awaited_call_leaves_the_loop_free() -> None:
    """Asynchronous code goes on while it waits: here only the loop can let the work end."""
    go_on = threading.Event()

    def work() -> int:
        assert go_on.wait(timeout=60)
        return run_to_end(_seven())

    waiting = asyncio.ensure_future(in_thread(work))
    await asyncio.sleep(0)
    go_on.set()
    assert await waiting == 7


async def test_an_awaited_call_that_is_cancelled_stops_its_work() -> None:
    """Otherwise it would go on spending unseen."""
    begun, ended = threading.Event(), []

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("recorded")

    waiting = asyncio.ensure_future(in_thread(lambda: run_to_end(endless())))
    await asyncio.to_thread(begun.wait, 60)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["recorded"]


async def test_work_without_a_loop_heeds_that_it_was_cancelled() -> None:
    """A training is followed without one: it looks at each of its steps."""
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def steps() -> None:
        begun.set()
        assert go_on.wait(timeout=60)
        try:
            heed()
        except Stopped:
            ended.append("stopped")
            raise

    waiting = asyncio.ensure_future(in_thread(steps))
    await asyncio.to_thread(begun.wait, 60)
    waiting.cancel()
    await asyncio.sleep(0)  # the cancelled call tells its work
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["stopped"]


def test_nothing_is_to_be_heeded_in_ordinary_calls() -> None:
    """Only an awaited call can be cancelled."""
    heed()


def test_the_main_path_runs_its_loops_through_the_one_door() -> None:
    """An ``asyncio.run`` anywhere else works on the command line, and fails in every notebook."""
    source = Path(solon.__file__).parent
    own_processes = ("testing", "viewing", "plugins/testing")
    found = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"\basyncio\.run[(,]", path.read_text("utf-8"))
    ]
    assert [name for name in found if not name.startswith(own_processes)] == ["loops.py"]
