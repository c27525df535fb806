"""Several deeds at once, the first of them in the caller's own task."""

from __future__ import annotations

import asyncio

import pytest

from solon.labelers.together import together


async def test_what_deeds_return_comes_in_their_order_whichever_ends_first():
    """Each ends one turn of the loop before the one in front of it."""

    async def deed(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await together(deed(turns) for turns in (3, 2, 1)) == [3, 2, 1]


async def test_of_no_deeds_nothing_comes():
    """A prompt to which no principle applies has no questions."""
    assert await together([]) == []


@pytest.mark.parametrize("failing", [0, 1])
async def test_a_deed_that_raises_stops_the_others_first(failing: int):
    """Nobody is left who goes on asking a judge, whether it was the caller's own deed or another."""
    stopped: list[int] = []

    async def deed(number: int) -> int:
        try:
            await asyncio.sleep(0)
            if number == failing:
                raise ValueError(f"{number} failed")
            if number > failing:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(number)
            raise
        return number

    with pytest.raises(ValueError, match=f"{failing} failed"):
        await together(deed(number) for number in range(4))
    assert stopped == list(range(failing + 1, 4))


async def test_who_cancels_the_caller_cancels_all():
    """Ctrl-C in the middle of a comparison."""
    stopped: list[int] = []

    async def deed(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(number)

    task = asyncio.ensure_future(together(deed(number) for number in range(2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(stopped) == [0, 1]
