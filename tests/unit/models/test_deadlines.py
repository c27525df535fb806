"""Many deeds, each with the same time, and one timer."""

from __future__ import annotations

import asyncio

import pytest

from solon.models.deadlines import Deadlines


async def test_what_is_done_in_time_returns():
    """And what it raises is raised."""
    deadlines = Deadlines(60)

    async def deed(text: str) -> str:
        await asyncio.sleep(0)
        if text == "bad":
            raise ValueError(text)
        return text

    assert await asyncio.gather(*(deadlines.within(deed(text)) for text in "abc")) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="bad"):
        await deadlines.within(deed("bad"))


async def test_each_is_broken_off_when_its_own_time_is_over():
    """The second began later, and is still at work when the first is late; a quick one in between is not touched."""
    deadlines, ended = Deadlines(0.05), []

    async def slow(name: str) -> None:
        try:
            await deadlines.within(asyncio.sleep(60))
        except TimeoutError:
            ended.append(name)

    first = asyncio.ensure_future(slow("first"))
    await asyncio.sleep(0.03)
    second = asyncio.ensure_future(slow("second"))
    await deadlines.within(asyncio.sleep(0))
    await first
    assert ended == ["first"]
    await second
    assert ended == ["first", "second"]


async def test_a_task_that_was_late_can_be_used_again():
    """A worker that sends one request after the other must not stay cancelled."""
    deadlines = Deadlines(0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await deadlines.within(asyncio.sleep(60))
    assert await deadlines.within(asyncio.sleep(0, "fine")) == "fine"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_deed_that_others_cancel_is_cancelled_and_not_late():
    """Whoever stops a stage must stop it."""
    deadlines = Deadlines(60)
    task = asyncio.ensure_future(deadlines.within(asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deed_that_is_late_and_cancelled_at_once_is_cancelled():
    """Both in the same turn of the event loop: the stage is what counts."""
    deadlines = Deadlines(0)
    task = asyncio.ensure_future(deadlines.within(asyncio.sleep(60)))
    await asyncio.sleep(0)
    deadlines._look()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
