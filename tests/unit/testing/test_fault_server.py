"""What ``FaultServer`` remembers, and that its page names all that it does."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from solon.testing import Fault, FaultServer

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def post(server: FaultServer, times: int) -> list[int]:
    """The statuses of so many requests with the same body."""
    async with aiohttp.ClientSession() as session:
        return [(await session.post(f"{server.base_url}/chat/completions", json=BODY)).status for _ in range(times)]


async def test_for_a_long_run_it_counts_what_it_does_not_keep() -> None:
    """A sequence of faults goes by the order of arrival all the same."""
    async with FaultServer([Fault.INTERNAL_ERROR, None, Fault.THROTTLED], remembers=False) as server:
        assert await post(server, 4) == [500, 200, 429, 200]
    assert (server.requests, server.headers) == ([], [])
    assert [*server.asked.values()] == [4]
    assert server.failed == {Fault.INTERNAL_ERROR: 1, Fault.THROTTLED: 1}


async def test_the_same_requests_meet_the_same_faults_whatever_the_order() -> None:
    """A share is drawn from the body and from how often it came."""
    found = []
    for _ in range(2):
        async with FaultServer(share=0.5, faults=[Fault.INTERNAL_ERROR], seed=3) as server:
            found.append(await post(server, 12))
    assert found[0] == found[1]
    assert {200, 500} == set(found[0])


async def test_two_headers_of_one_name_arrive_as_two() -> None:
    """As no library writes them."""
    async with FaultServer([Fault.THROTTLED_TWICE], retry_after=8) as server, aiohttp.ClientSession() as session:
        response = await session.post(f"{server.base_url}/chat/completions", json=BODY)
    assert response.headers.getall("Retry-After") == ["2.0", "8"]


def test_every_fault_is_told_on_its_page() -> None:
    """By its name, in the table."""
    page = PAGE.read_text("utf-8")
    assert [fault.name for fault in Fault if f"`{fault.name}`" not in page] == []
