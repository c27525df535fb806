"""Both batch protocols over real HTTP: what is sent, what is made of the results, and what when an exchange fails."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from served import model_at, request
from solon.data.records import Usage
from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.ledger import Ledger
from solon.models.base import Reply
from solon.stream import Pace, Retries, Stream, ask
from solon.testing import BatchServer, RowFault, Trouble, VirtualClock

PROVIDERS = ("openai", "anthropic")
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", PROVIDERS)]

PACE = Pace(first_s=0.01, longest_s=0.05, settle_s=0)


@asynccontextmanager
async def stage(server: BatchServer, kind: str, folder: Path, **settings: Any) -> AsyncIterator[tuple[Any, Stream]]:
    """A judge that goes by batches, and a stream around it."""
    retries = settings.pop("retries", Retries(first_wait_s=0.001, longest_wait_s=0.01))
    pace, clock, cap = settings.pop("pace", PACE), settings.pop("clock", None), settings.pop("max_usd", None)
    model = model_at(server, kind, batch=True, **settings)
    with Ledger.open(folder / "l.sqlite") as ledger:
        try:
            async with Stream(
                ledger, run="r", stage="s", retries=retries, pace=pace, clock=clock, max_usd=cap
            ) as stream:
                yield model, stream
        finally:
            await model.aclose()


async def ask_all(model: Any, *texts: str) -> list[Any]:
    return await asyncio.gather(*(ask(model, request(text)) for text in texts), return_exceptions=True)


def echo(asked: Any) -> str:
    return f"to {asked.text}"


async def test_a_stage_is_one_batch_and_each_request_gets_its_own_reply(kind: str, tmp_path: Path):
    """Results come in another order than requests."""
    texts = [f"{number}" for number in range(200)]
    async with BatchServer(answer=echo) as server, stage(server, kind, tmp_path) as (model, stream):
        replies = await ask_all(model, *texts)
    assert [reply.text for reply in replies] == [f"to {text}" for text in texts]
    assert all(reply.batched for reply in replies)
    first = {"upload": 1} if kind == "openai" else {}
    assert dict(server.calls) == {**first, "create": 1, "look": server.calls["look"], "results": 1}
    assert stream.tally.sent == 200
    assert server.requests == []  # none by itself


async def test_a_request_in_a_batch_is_the_one_that_goes_out_alone(kind: str, tmp_path: Path):
    """So a reply does not depend on how it was asked for, and the ledger's key may be the same."""
    asked = request("hello", system="Be brief.", temperature=0.5, json_schema={"type": "object"})
    async with BatchServer() as server, stage(server, kind, tmp_path) as (model, _):
        in_batch = await ask(model, asked)
        alone = await model.complete(asked)
        describes = model.describe(), model_at(server, kind).describe()
    (batch,) = server.batches.values()
    assert list(batch.rows.values()) == [server.requests[0].body]
    assert describes[0] == describes[1]
    assert in_batch.text == alone.text


async def test_tokens_are_counted_and_paid_at_the_batch_price(kind: str, tmp_path: Path):
    """2 tokens are read and 1 written, at $1 and $2 a token, half of it: $2."""
    price = {"input": 1e6, "output": 2e6, "batch": 0.5}
    async with (
        BatchServer(answer=lambda asked: "ok") as server,
        stage(server, kind, tmp_path, price=price) as (model, stream),
    ):
        reply = await ask(model, request("hello"))
    assert reply.usage == Usage(input_tokens=2, output_tokens=1)
    assert stream.tally.usd == pytest.approx(2)


async def test_text_that_breaks_lines_or_is_no_valid_unicode_goes_there_and_back(kind: str, tmp_path: Path):
    """Line separators of Unicode end no line of JSON; half a surrogate pair is no UTF-8."""
    odd = 'one\ntwo\u2028three\x85four\x0cfive \ud800 "six"'
    async with (
        BatchServer(answer=lambda asked: "a\u2028b\x85c\x1cd") as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        (reply,) = await ask_all(model, odd)
    (batch,) = server.batches.values()
    assert [body["messages"][-1]["content"] for body in batch.rows.values()] == [odd]
    assert reply.text == "a\u2028b\x85c\x1cd"


@pytest.mark.parametrize(
    "fault",
    [
        RowFault.EXPIRED,
        RowFault.CANCELLED,
        RowFault.FAILED,
        RowFault.MISSING,
        RowFault.GARBLED,
        RowFault.NAMELESS,
        RowFault.SPOILT,
    ],
)
async def test_a_request_that_may_be_answered_next_time_is_asked_again(kind: str, fault: RowFault, tmp_path: Path):
    """And only that one. What was answered without sense, or cannot be read, may be billed and is in doubt."""
    async with (
        BatchServer(answer=echo, row=lambda text, times: fault if text == "b" and times == 0 else None) as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        replies = await ask_all(model, *"abc")
    assert [reply.text for reply in replies] == ["to a", "to b", "to c"]
    assert [len(batch.rows) for batch in server.batches.values()] == [3, 1]
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        paid = fault in (RowFault.GARBLED, RowFault.NAMELESS, RowFault.SPOILT)
        assert len(ledger.in_doubt()) == (1 if paid else 0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (RowFault.MISSING, r"the request did not come back with its batch$"),
        (RowFault.GARBLED, r"sent a result that cannot be read: .*custom_id"),
        (RowFault.NAMELESS, r"did not come back with its batch, 1 of whose results cannot be read$"),
    ],
)
async def test_a_result_that_cannot_be_read_is_told_from_one_that_is_missing(
    kind: str, fault: RowFault, said: str, tmp_path: Path
):
    """It fails alone, after all its tries, with that reason; its neighbours' results are read."""
    async with (
        BatchServer(answer=echo, row=lambda text, times: fault if text == "b" else None) as server,
        stage(server, kind, tmp_path, retries=Retries(tries=2, first_wait_s=0.001)) as (model, _),
    ):
        replies = await ask_all(model, *"abc")
    assert [type(reply) for reply in replies] == [Reply, ModelUnavailable, Reply]
    assert re.search(said, str(replies[1]))
    assert server.came["b"] == 2


@pytest.mark.parametrize(("fault", "error"), [(RowFault.REFUSED, ModelUnavailable), (RowFault.TOO_LONG, PromptTooLong)])
async def test_a_request_that_is_wrong_in_itself_fails_alone(
    kind: str, fault: RowFault, error: type[Exception], tmp_path: Path
):
    """It is asked once."""
    async with (
        BatchServer(answer=echo, row=lambda text, times: fault if text == "b" else None) as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        replies = await ask_all(model, *"abc")
    assert [type(reply) for reply in replies] == [Reply, error, Reply]
    assert len(server.batches) == 1


@pytest.mark.parametrize("fault", [RowFault.REFUSED, RowFault.QUOTA])
async def test_what_is_wrong_with_every_request_stops_the_stage_after_one_batch(
    kind: str, fault: RowFault, tmp_path: Path
):
    """Asked once, as a single request would be."""
    async with (
        BatchServer(row=lambda text, times: fault) as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        for _ in range(2):
            assert {type(reply) for reply in await ask_all(model, *"abc")} == {ModelRejected}
    assert len(server.batches) == 1


async def test_with_nearly_a_third_of_all_requests_failing_every_one_is_answered(kind: str, tmp_path: Path):
    """300 requests: expired, failed, spoilt, missing. Each goes out 1 / .7 = 1.43 times on average."""
    shares = {RowFault.EXPIRED: 0.1, RowFault.FAILED: 0.1, RowFault.SPOILT: 0.05, RowFault.MISSING: 0.05}
    texts = [f"{number}" for number in range(300)]
    async with (
        BatchServer(answer=echo, shares=shares) as server,
        stage(server, kind, tmp_path, retries=Retries(tries=12, first_wait_s=0.001)) as (model, stream),
    ):
        replies = await ask_all(model, *texts)
    assert [reply.text for reply in replies] == [f"to {text}" for text in texts]
    assert stream.tally.sent == server.came.total() <= 1.5 * 300


# ---------------------------------------------------------------- exchanges that fail


@pytest.mark.parametrize("status", [429, 500, 0], ids=["429", "500", "connection broken"])
@pytest.mark.parametrize("verb", ["upload", "create", "look", "results"])
async def test_an_exchange_that_fails_is_made_again(kind: str, verb: str, status: int, tmp_path: Path):
    """And no batch is made twice, although nobody can know whether the failed creation made one."""
    async with (
        BatchServer(
            answer=echo, trouble=lambda said, before: Trouble(status) if (said, before) == (verb, 0) else None
        ) as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        assert [reply.text for reply in await ask_all(model, "a", "b")] == ["to a", "to b"]
    assert len(server.batches) == 1


@pytest.mark.parametrize("status", [500, 0], ids=["500", "connection broken"])
async def test_a_batch_that_came_to_be_although_its_creation_failed_is_found(kind: str, status: int, tmp_path: Path):
    """Two others of this account stand beside it, one of the same size, so number and time alone tell nothing."""
    async with BatchServer(answer=echo) as server:
        async with stage(server, kind, tmp_path / "other") as (model, _):
            await ask_all(model, "x", "y")
            await ask_all(model, "z")
        lost = Trouble(status, done=True)
        server._trouble = lambda verb, before: lost if (verb, before) == ("create", 2) else None
        async with stage(server, kind, tmp_path / "this") as (model, stream):
            assert [reply.text for reply in await ask_all(model, "a", "b")] == ["to a", "to b"]
    assert [len(batch.rows) for batch in server.batches.values()] == [2, 1, 2]
    assert server.calls["create"] == 3
    assert stream.tally.in_doubt == 0


async def test_results_that_break_off_are_read_again(kind: str, tmp_path: Path):
    """The replies that had come are recorded once."""
    texts = [f"{number}" for number in range(1200)]
    cut = Trouble(after_lines=700)
    async with (
        BatchServer(
            answer=echo, trouble=lambda verb, before: cut if (verb, before) == ("results", 0) else None
        ) as server,
        stage(server, kind, tmp_path, price={"input": 1, "output": 1}) as (model, stream),
    ):
        replies = await ask_all(model, *texts)
    assert [reply.text for reply in replies] == [f"to {text}" for text in texts]
    assert len(server.batches) == 1
    assert stream.tally.input_tokens == len(texts)


async def test_results_that_end_in_the_middle_of_a_line_are_read_again(kind: str, tmp_path: Path):
    """As a gateway may cut them, without an error: what is missing was answered and paid for, and has not expired."""
    texts = [f"{number}" for number in range(20)]
    cut = Trouble(after_lines=10, mid_line=True)
    async with (
        BatchServer(
            answer=echo, trouble=lambda verb, before: cut if (verb, before) == ("results", 0) else None
        ) as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        replies = await ask_all(model, *texts)
    assert [reply.text for reply in replies] == [f"to {text}" for text in texts]
    assert len(server.batches) == 1


async def test_a_submission_is_found_by_a_clock_that_is_hours_ahead(kind: str, tmp_path: Path):
    """That of a machine in the wrong time zone, say. Not to find it would be to pay for it twice."""
    async with BatchServer() as server, stage(server, kind, tmp_path) as (model, _):
        batches = model.provider_batches()
        batch = await batches.submit({"0" * 40: request("hello")}, label="0123456789abcdef")
        for _ in range(3):
            await batches.poll(batch)
        arrival = await batches.find("0123456789abcdef", since=time.time() + 12 * 3600, requests=1)
    assert arrival.id == batch


async def test_a_wrong_key_is_asked_once_and_not_repeated(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server repeats the key in its complaint; we do not."""
    monkeypatch.setenv("A_KEY", "sk-wrong")
    async with BatchServer(key="sk-right") as server, stage(server, kind, tmp_path, api_key_env="A_KEY") as (model, _):
        replies = await ask_all(model, *"abc")
    assert {type(reply) for reply in replies} == {ModelRejected}
    assert "A_KEY" in str(replies[0])
    assert "sk-wrong" not in str(replies[0])
    assert server.calls.total() == 1


async def test_a_batch_that_is_gone_stops_the_stage_and_says_what_to_do(kind: str, tmp_path: Path):
    """With another key it would be there; asking everything again would be paid twice."""

    def gone(verb: str, before: int) -> Trouble | None:
        return Trouble(404) if verb == "look" else None

    async with BatchServer(trouble=gone) as server, stage(server, kind, tmp_path) as (model, _):
        (reply,) = await ask_all(model, "a")
    assert isinstance(reply, ModelRejected)
    name = next(iter(server.batches))
    assert f"solon ledger give-up {name}" in str(reply)


async def test_a_batch_that_was_cancelled_by_hand_is_asked_again(kind: str, tmp_path: Path):
    """Somebody pressed the button on the provider's page."""
    looked = asyncio.Event()

    async def watch(when: str, verb: str, before: int) -> None:
        if (when, verb, before) == ("after", "look", 1):
            looked.set()

    async with (
        BatchServer(answer=echo, polls=5, watch=watch) as server,
        stage(server, kind, tmp_path) as (model, _),
    ):
        waiting = asyncio.ensure_future(ask_all(model, "a", "b"))
        await looked.wait()
        next(iter(server.batches.values())).cancelled = True
        assert [reply.text for reply in await waiting] == ["to a", "to b"]
    assert [len(batch.rows) for batch in server.batches.values()] == [2, 2]


async def test_a_queue_that_is_full_is_filled_bit_by_bit(kind: str, tmp_path: Path):
    """10 requests where 4 may be queued. OpenAI refuses such a batch after it was made, Anthropic at once."""
    async with (
        BatchServer(answer=echo, most_queued=4) as server,
        stage(server, kind, tmp_path, clock=VirtualClock()) as (model, _),
    ):
        replies = await ask_all(model, *"abcdefghij")
    assert [reply.text for reply in replies] == [f"to {text}" for text in "abcdefghij"]
    taken = [len(batch.rows) for batch in server.batches.values() if batch.problem is None]
    assert sum(taken) == 10
    assert max(taken) <= 4


async def test_the_account_pages_through_its_batches(kind: str, tmp_path: Path):
    """More batches than a page holds, all of them newer than the one that is looked for."""
    async with BatchServer() as server:
        model = model_at(server, kind, batch=True)
        door = model.provider_batches()
        first = await door.submit({"0" * 40: request("first")}, label="a" * 16)
        for number in range(130):
            await door.submit({f"{number:040}": request(f"{number}")}, label=f"{number:016}")
        server._polls = 0
        found = await door.find("a" * 16, since=0.0, requests=1)
        missing = await door.find("b" * 16, since=0.0, requests=1)
        await model.aclose()
    assert (found.id, missing.id, missing.sure) == (first, None, True)
    assert server.calls["list"] == 4


def test_a_batch_is_as_large_as_its_provider_allows(kind: str):
    """By their documentation: 50,000 requests or 200 MB; 100,000 or 256 MB."""
    model = model_at(BatchServerAt(), kind, batch=True)
    door = model.provider_batches()
    assert (door.most_requests, door.most_bytes) == {
        "openai": (50_000, 200_000_000),
        "anthropic": (100_000, 256_000_000),
    }[kind]
    assert model_at(BatchServerAt(), kind).provider_batches() is None


class BatchServerAt:
    """An address, where no server needs to be."""

    base_url = "http://127.0.0.1:1/v1"
    root = "http://127.0.0.1:1"


async def test_the_size_of_a_request_is_what_it_adds_to_the_body(kind: str, tmp_path: Path):
    """Else a batch could pass the limit and be refused whole."""
    model = model_at(BatchServerAt(), kind, batch=True)
    door = model.provider_batches()
    requests = {f"{number:040}": request("x" * number, system="é") for number in range(50)}
    async with BatchServer() as server:
        served = model_at(server, kind, batch=True)
        await served.provider_batches().submit(requests, label="a" * 16)
        (sent,) = server.uploaded
        await served.aclose()
    assert abs(sent - sum(map(door.size_of, requests.values()))) < 20
