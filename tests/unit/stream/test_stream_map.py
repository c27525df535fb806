"""Many deeds: in order, in bounded memory, stopped by the first that raises."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from solon.data.records import Message
from solon.errors import DataError, ModelRejected, ModelUnavailable
from solon.ledger import Ledger, Sent
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream, ask
from solon.stream.flight import Flight
from solon.stream.retries import Attempts
from solon.testing import VirtualClock

FREE = Price(input=0, output=0)


def request(text: str) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=8)


async def read_all(results: AsyncIterator[object]) -> list[object]:
    return [result async for result in results]


async def test_results_come_in_the_order_of_the_items_whichever_ends_first():
    """Arrival order never reaches the output."""

    async def deed(number: int) -> str:
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return f"result {number}"

    async with Stream(None, run="r", stage="s") as stream:
        results = [pair async for pair in stream.map(deed, range(10), window=4)]
    assert results == [(number, f"result {number}") for number in range(10)]


async def test_items_are_taken_as_they_are_needed_and_few_are_at_work():
    """A million prompts are not held in memory: the source is at most a window ahead of what was read."""
    taken, at_work, most = 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    async def deed(number: int) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1

    async with Stream(None, run="r", stage="s") as stream:
        async for number, _ in stream.map(deed, items(), window=8):
            assert taken <= number + 8
            if number == 100:
                break
    assert most == 8
    assert taken <= 108


async def test_deeds_that_ask_only_local_models_work_in_waves():
    """A wave is begun when the one before is done, so its batches do not depend on who was quick."""
    begun: list[int] = []
    model = Scripted(default="yes", batch_size=4)

    async def deed(number: int) -> list[int]:
        begun.append(number)
        await ask(model, request(f"{number}"))
        if number == 0:
            await ask(model, request("a second one"))
        return sorted(begun)

    async with Stream(None, run="r", stage="s") as stream:
        seen = [result async for _, result in stream.map(deed, range(6), window=3)]
    assert seen == [[0, 1, 2]] * 3 + [[0, 1, 2, 3, 4, 5]] * 3


async def test_a_row_that_is_slow_to_fail_holds_up_nobody():
    """Item 0 is tried six times; with 2 at work, 30 others are done by then (AHEAD = 16 windows).

    It waits 0.5 s once, before anything is known of the model, and then 4 times 0.05 s: the model is well.
    """
    model = Scripted(
        replies=[{"when": "poison", "fault": "unavailable"}], default="fine", remote=True, price=FREE, concurrency=2
    )
    clock, done_at = VirtualClock(), {}

    async def deed(text: str) -> str:
        try:
            return (await ask(model, request(text))).text
        except ModelUnavailable:
            return "unavailable"
        finally:
            done_at[text] = clock.now()

    items = ["poison", *(f"good {number}" for number in range(30))]
    async with Stream(None, run="r", stage="s", retries=Retries(jitter=0), clock=clock) as stream:
        results = [result async for _, result in stream.map(deed, items, window=2)]
    assert results == ["unavailable"] + ["fine"] * 30
    assert done_at["poison"] == pytest.approx(0.5 + 4 * 0.05)
    assert max(when for text, when in done_at.items() if text != "poison") <= 0.5


async def test_the_first_deed_that_raises_stops_all_and_what_was_sent_is_recorded(tmp_path: Path):
    """One call is refused for good while another is under way: its reply is on disk when the error arrives."""
    under_way, let = asyncio.Event(), asyncio.Event()

    class Mixed(Scripted):
        async def complete(self, request: Request) -> Reply:
            if request.messages[0].content == "2":
                under_way.set()
                await let.wait()
            if request.messages[0].content == "3":
                await under_way.wait()
                asyncio.get_running_loop().call_later(0.01, let.set)
                raise ModelRejected("no")
            return await super().complete(request)

    model = Mixed(default="yes", remote=True, price=FREE, concurrency=8)

    async def deed(number: int) -> str:
        return (await ask(model, request(f"{number}"))).text

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            with pytest.raises(ModelRejected):
                await read_all(stream.map(deed, range(100), window=4))
            recorded = {entry.request.messages[0].content for entry in ledger.entries()}
        assert {"0", "1", "2"} <= recorded
        assert ledger.in_doubt() == []
    assert len(model.seen) < 10


async def test_an_item_that_cannot_be_read_stops_the_map_with_its_error():
    """A broken line in a prompt file, say."""

    def items() -> Iterator[int]:
        yield 1
        raise DataError("prompts.jsonl:2: not JSON")

    async def deed(number: int) -> int:
        return number

    async with Stream(None, run="r", stage="s") as stream:
        with pytest.raises(DataError, match=r"prompts\.jsonl:2"):
            await read_all(stream.map(deed, items(), window=4))


async def test_when_the_reader_fails_no_deed_works_on():
    """A full disk in the body of the loop must stop the asking, not only the writing."""
    model = Scripted(default="yes", remote=True, price=FREE, concurrency=2)
    working: set[int] = set()

    async def deed(number: int) -> None:
        working.add(number)
        try:
            for part in range(50):
                await ask(model, request(f"{number} {part}"))
                if number == 0:
                    return
        finally:
            working.discard(number)

    async def stage() -> None:
        async with Stream(None, run="r", stage="s") as stream:
            async for _ in stream.map(deed, range(100), window=4):
                raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await stage()
    assert working == set()


async def test_a_window_holds_at_least_one():
    """Zero would wait for ever."""
    async with Stream(None, run="r", stage="s") as stream:
        with pytest.raises(ValueError, match="at least 1"):
            await read_all(stream.map(asyncio.sleep, [0], window=0))


def in_memory() -> list[object]:
    return [one for one in gc.get_objects() if type(one) in (Flight, Attempts, Sent)]


@pytest.mark.slow
async def test_a_stream_holds_nothing_of_calls_that_are_over(tmp_path: Path):
    """A million questions take no more memory than ten thousand."""
    before = in_memory()  # of other tests in this process
    model = Scripted(default="yes", remote=True, price=Price(input=1, output=1), concurrency=4)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", max_usd=1) as stream:
            async for _ in stream.map(lambda number: ask(model, request(f"{number % 150}")), range(200), window=16):
                pass
            await asyncio.sleep(0)
            gc.collect()
            held = [one for one in in_memory() if not any(one is other for other in before)]
            assert Counter(type(one).__name__ for one in held) == {}
            assert (stream.tally.sent, stream.tally.asked) == (150, 200)
