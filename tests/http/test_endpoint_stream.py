"""The whole way of a call, from ``ask`` through stream, ledger and aiohttp to a server that fails, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from solon.data.records import Message
from solon.errors import ModelDown, ModelRejected, ModelUnavailable
from solon.ledger import Ledger
from solon.models.base import Request
from solon.models.endpoint import Endpoint
from solon.stream import Retries, Stream, ask
from solon.testing import Asked, Fault, FaultServer

pytestmark = pytest.mark.slow  # real servers, many calls

QUICK = Retries(first_wait_s=0.01, longest_wait_s=0.05)


def request(text: str) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=64)


async def test_with_a_third_of_the_requests_failing_every_call_is_answered_once(tmp_path: Path):
    """200 calls, 30 % of all requests fail in twelve ways: on average 1 / .7 = 1.43 requests a reply, at most 1.5."""
    server = FaultServer(share=0.3, answer=lambda asked: f"to {asked.text}")
    async with server:
        model = Endpoint(base_url=server.base_url, model="served", concurrency=32, timeout_s=20)
        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            async with Stream(ledger, run="r", stage="s", retries=QUICK) as stream:

                async def deed(number: int) -> str:
                    return (await ask(model, request(f"question {number}"))).text

                results = [result async for _, result in stream.map(deed, range(200), window=64)]
            assert results == [f"to question {number}" for number in range(200)]
            assert len(list(ledger.entries())) == 200
            assert stream.tally.sent == len(server.requests)
            assert len(server.requests) <= 1.5 * 200
            assert server.most_at_once <= 32
            asked_before = len(server.requests)
            async with Stream(ledger, run="again", stage="s") as again:
                results = [result async for _, result in again.map(deed, range(200), window=64)]
                assert again.tally.from_ledger == 200
            assert len(server.requests) == asked_before
        await model.aclose()


async def test_rows_that_always_fail_are_named_and_hold_up_nobody(tmp_path: Path):
    """Every twentieth question breaks its connection each time; the others are answered all the same."""

    def script(asked: Asked) -> Fault | None:
        return Fault.RESET_BEFORE if int(asked.text) % 20 == 0 else None

    async with FaultServer(script) as server:
        model = Endpoint(base_url=server.base_url, model="served", concurrency=16)
        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            async with Stream(ledger, run="r", stage="s", retries=QUICK) as stream:

                async def deed(number: int) -> bool:
                    try:
                        await ask(model, request(f"{number}"))
                    except ModelUnavailable:
                        return False
                    return True

                answered = [result async for _, result in stream.map(deed, range(200), window=32)]
                assert stream.tally.unavailable == 10
            assert answered == [number % 20 != 0 for number in range(200)]
            assert len(ledger.in_doubt()) == 60  # six tries of ten questions, any of which may have been billed
        await model.aclose()
    assert max(server.asked.values()) == 6


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.NOT_FOUND, Fault.QUOTA_USED_UP, Fault.WRONG_MODEL])
async def test_what_fails_for_good_is_asked_once_and_stops_the_stage(fault: Fault, tmp_path: Path):
    """100 questions, 64 of which could be under way at once."""
    async with FaultServer(lambda asked: fault) as server:
        model = Endpoint(base_url=server.base_url, model="served")

        async def stage(ledger: Ledger) -> None:
            async with Stream(ledger, run="r", stage="s") as stream:
                async for _ in stream.map(lambda number: ask(model, request(f"{number}")), range(100), window=64):
                    pass

        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            with pytest.raises(ModelRejected):
                await stage(ledger)
            assert ledger.in_doubt() == []
        await model.aclose()
    assert len(server.requests) == 1


async def test_a_server_that_is_down_stops_the_stage(tmp_path: Path):
    """After 20 calls that failed with all their retries, not after 1,000."""
    async with FaultServer(lambda asked: Fault.OVERLOADED) as server:
        model = Endpoint(base_url=server.base_url, model="served", concurrency=8)

        async def deed(number: int) -> None:
            try:
                await ask(model, request(f"{number}"))
            except ModelUnavailable:
                return

        async def stage(ledger: Ledger) -> None:
            async with Stream(ledger, run="r", stage="s", retries=Retries(tries=2, first_wait_s=0.01)) as stream:
                async for _ in stream.map(deed, range(1000), window=16):
                    pass

        with Ledger.open(tmp_path / "l.sqlite") as ledger, pytest.raises(ModelDown, match="served is down"):
            await stage(ledger)
        await model.aclose()
    assert len(server.requests) < 100


async def test_what_is_under_way_when_a_stage_stops_is_recorded(tmp_path: Path):
    """Eight replies take a moment; the stage is cancelled when the server has their requests; all are on disk."""
    all_came = asyncio.Event()

    def script(asked: Asked) -> Fault | None:
        if asked.position == 8:
            all_came.set()
        return None

    async with FaultServer(script, latency_s=0.1) as server:
        model = Endpoint(base_url=server.base_url, model="served", concurrency=8)

        async def stage(ledger: Ledger) -> None:
            async with Stream(ledger, run="r", stage="s"):
                await ask(model, request("first"))
                await asyncio.gather(*(ask(model, request(f"{number}")) for number in range(8)))

        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            work = asyncio.ensure_future(stage(ledger))
            await all_came.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert len(list(ledger.entries())) == 9
            assert ledger.in_doubt() == []
        await model.aclose()
