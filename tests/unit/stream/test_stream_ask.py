"""One call: from the ledger, from the same call under way, or from the model, and recorded before it is used."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import PrivateAttr

from solon.data.records import Message, Usage
from solon.errors import BudgetReached, InputError, MissingExtra, ModelRejected, PromptTooLong, StorageError
from solon.ledger import Ledger
from solon.ledger.notes import notes_in
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Event, Retries, Stream, ask

FREE = Price(input=0, output=0)


def request(text: str = "hello", **fields: object) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=8, **fields)


class Slow(ChatModel):
    """A remote model that answers when the test lets it."""

    kind: ClassVar[str] = "slow"
    _begun: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _let: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    @property
    def remote(self) -> bool:
        """So it is journalled."""
        return True

    @property
    def max_in_flight(self) -> int:
        """So many at once."""
        return 8

    async def complete(self, request: Request) -> Reply:
        """One attempt."""
        self._begun.set()
        await self._let.wait()
        return Reply(text=f"slow {request.messages[0].content}")


async def test_outside_any_stage_a_model_can_be_asked_all_the_same():
    """A labeler can be tried in a notebook without a run directory."""
    assert (await ask(Scripted(default="yes"), request())).text == "yes"


async def test_a_task_sends_one_request_after_the_other_and_none_outlives_the_calls(tmp_path: Path):
    """Forty calls of a model that takes eight at once need eight tasks at most, which have ended by then."""
    senders = set[asyncio.Task[object] | None]()

    class Noting(Slow):
        async def complete(self, request: Request) -> Reply:
            senders.add(asyncio.current_task())
            await asyncio.sleep(0)
            return Reply(text="yes")

    model = Noting()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            await asyncio.gather(*(ask(model, request(str(number))) for number in range(40)))
            assert 1 <= len(senders) <= 8
            await asyncio.sleep(0)
            assert all(sender is not None and sender.done() for sender in senders)


async def test_a_reply_is_noted_before_its_slot_sends_the_next_request(tmp_path: Path):
    """So whoever kills the process, at any moment, has at most as many calls asked again as there are slots."""
    begun = 0
    under_way: list[int] = []

    class Counting(Slow):
        async def complete(self, request: Request) -> Reply:
            nonlocal begun
            begun += 1
            files = (tmp_path / "l.sqlite-owners").glob("*-*")
            safe = {note.key for file in files for note in notes_in(file.read_bytes())}
            with closing(sqlite3.connect(tmp_path / "l.sqlite")) as recorded:
                safe.update(key for (key,) in recorded.execute("SELECT key FROM replies"))
            under_way.append(begun - len(safe))
            return Reply(text="yes")

    model = Counting()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            await asyncio.gather(*(ask(model, request(str(number))) for number in range(60)))
    assert begun == 60
    assert max(under_way) <= 8


async def test_no_task_waits_on_when_the_last_call_is_answered_by_another_process(tmp_path: Path):
    """It needs no slot, so nobody leaves one."""
    senders = set[asyncio.Task[object] | None]()

    class Noting(Slow):
        async def complete(self, request: Request) -> Reply:
            senders.add(asyncio.current_task())
            return Reply(text="yes")

    slow, model = Slow(), Noting()
    with Ledger.open(tmp_path / "l.sqlite") as theirs, Ledger.open(tmp_path / "l.sqlite") as ours:
        async with Stream(theirs, run="r", stage="s") as other, Stream(ours, run="r", stage="s") as stream:
            theirs_first = asyncio.ensure_future(other.ask(slow, request("shared")))
            await slow._begun.wait()
            shared = asyncio.ensure_future(stream.ask(model, request("shared")))
            await asyncio.gather(*(stream.ask(model, request(text)) for text in "abc"))
            slow._let.set()
            assert (await shared).text == (await theirs_first).text == "slow shared"
            await asyncio.sleep(0)
            assert senders
            assert all(sender is not None and sender.done() for sender in senders)


async def test_what_is_given_up_as_it_gets_its_slot_is_not_sent():
    """Nothing is reserved for it any more. The first call goes alone; two get their slots as it ends."""
    sent: list[str] = []

    class Disturbed(Slow):
        async def complete(self, request: Request) -> Reply:
            sent.append(request.messages[0].content)
            await asyncio.sleep(0)
            asked[-1].cancel()
            return Reply(text="yes")

    model = Disturbed()
    async with Stream(None, run="r", stage="s") as stream:
        asked = [asyncio.ensure_future(stream.ask(model, request(text))) for text in "abc"]
        await asyncio.wait(asked)
    assert [one.cancelled() for one in asked] == [False, False, True]
    assert sent == ["a", "b"]


async def test_a_recorded_reply_is_never_asked_for_again(tmp_path: Path):
    """By another run, in another stage, from another object with the same description."""
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="one", stage="label") as stream:
            first = await ask(Scripted(answer=None, replies={"hello": "yes"}), request())
            assert (stream.tally.asked, stream.tally.sent, stream.tally.from_ledger) == (1, 1, 0)
        model = Scripted(replies={"hello": "yes"})
        async with Stream(ledger, run="two", stage="evaluate") as stream:
            assert await ask(model, request()) == first
            assert (stream.tally.asked, stream.tally.sent, stream.tally.from_ledger) == (1, 0, 1)
    assert model.seen == ()


async def test_another_seed_or_another_attempt_is_another_call(tmp_path: Path):
    """Otherwise samples of one prompt would all be the same one."""
    model = Scripted(default="yes")
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            for one in (request(), request(seed=1), request(seed=2), request(attempt=1), request()):
                await ask(model, one)
    assert len(model.seen) == 4


async def test_the_same_call_twice_at_once_is_sent_once(tmp_path: Path):
    """Both orders of a question about twin completions must not be paid twice."""
    model = Slow()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            both = asyncio.gather(ask(model, request()), ask(model, request()))
            await model._begun.wait()
            model._let.set()
            one, other = await both
            assert one == other
            assert (stream.tally.asked, stream.tally.sent, stream.tally.shared) == (2, 1, 1)
            assert len(list(ledger.entries())) == 1


async def test_one_of_two_who_wait_may_go_without_the_other_noticing(tmp_path: Path):
    """A cancelled deed must not take down the call that another deed shares."""
    model = Slow()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            going, staying = (asyncio.ensure_future(ask(model, request())) for _ in range(2))
            await model._begun.wait()
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            model._let.set()
            assert (await staying).text == "slow hello"


async def test_a_reply_that_was_under_way_when_the_stage_was_interrupted_is_recorded(tmp_path: Path):
    """It is paid for; Ctrl-C must not throw it away."""
    model = Slow()

    async def stage(ledger: Ledger) -> None:
        async with Stream(ledger, run="r", stage="s"):
            await ask(model, request())

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        work = asyncio.ensure_future(stage(ledger))
        await model._begun.wait()
        work.cancel()
        await asyncio.sleep(0)
        model._let.set()
        with pytest.raises(asyncio.CancelledError):
            await work
        (entry,) = ledger.entries()
        assert entry.reply.text == "slow hello"
        assert ledger.in_doubt() == []


async def test_a_remote_call_is_journalled_before_it_is_sent(tmp_path: Path):
    """When the process is killed now, the call is in the ledger as in doubt."""
    model = Slow()
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            asked = asyncio.ensure_future(ask(model, request()))
            await model._begun.wait()
            (row,) = ledger._reading.execute("SELECT stage, doubtful FROM sent").fetchall()
            assert row == ("s", 0)
            model._let.set()
            await asked
        assert ledger._reading.execute("SELECT COUNT(*) FROM sent").fetchall() == [(0,)]


async def test_two_runs_on_one_ledger_ask_once(tmp_path: Path):
    """The second waits for the first one's reply."""
    first, second = Slow(), Slow()
    with Ledger.open(tmp_path / "l.sqlite") as one, Ledger.open(tmp_path / "l.sqlite") as other:
        async with Stream(one, run="a", stage="s") as asks, Stream(other, run="b", stage="s") as waits:
            asked = asyncio.ensure_future(asks.ask(first, request()))
            await first._begun.wait()
            waited = asyncio.ensure_future(waits.ask(second, request()))
            first._let.set()
            assert await waited == await asked
            assert (asks.tally.sent, waits.tally.sent) == (1, 0)
    assert not second._begun.is_set()


async def test_a_call_that_comes_again_is_answered_from_a_ledger_that_was_empty(tmp_path: Path):
    """Nothing is looked up in a ledger without replies of the model; what is written tells that there is one now."""
    model = Scripted(answer=lambda asked: asked.messages[0].content.upper(), remote=True, price=FREE, concurrency=2)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            for text in ("a", "b", "a", "b", "a"):
                assert (await ask(model, request(text))).text == text.upper()
            assert (stream.tally.sent, stream.tally.from_ledger) == (2, 3)


class Capped(Scripted):
    """The same model, and half a dollar for it."""

    kind: ClassVar[str] = "scripted"

    @property
    def max_usd(self) -> float:
        """Less than one reply may cost."""
        return 0.5


async def test_a_model_asked_on_two_terms_keeps_to_both(tmp_path: Path):
    """The same model twice in a panel, once with a cap of its own: the cap of one binds only that one."""
    price = Price(input=0, output=1e6)
    answer = {"default": "four", "remote": True, "price": price}
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            await ask(Scripted(**answer, concurrency=4), request("first"))
            with pytest.raises(BudgetReached):
                await ask(Capped(**answer, concurrency=4), request("second"))
            assert (await ask(Scripted(**answer, concurrency=4), request("second"))).text == "four"


async def test_a_listener_that_raises_leaves_room_for_the_calls_behind(tmp_path: Path):
    """Somebody's progress bar breaks at replies from the ledger: each such call says so, and none hangs."""

    def listen(event: Event) -> None:
        if event.kind == "from_ledger":
            raise RuntimeError("no terminal")

    model = Scripted(default="yes", remote=True, price=FREE, concurrency=1)
    with Ledger.open(tmp_path / "l.sqlite") as one, Ledger.open(tmp_path / "l.sqlite") as other:
        async with Stream(one, run="r", stage="s") as quiet, Stream(other, run="r", stage="s", on_event=listen) as loud:
            # both know of an empty ledger, so that the loud one hears of the replies when it writes its own
            await asyncio.gather(quiet.ask(model, request("0")), loud.ask(model, request("own")))
            for number in range(6):
                await quiet.ask(model, request(f"{number}"))
            said = await asyncio.gather(*(loud.ask(model, request(f"{n}")) for n in range(6)), return_exceptions=True)
    assert {str(one) for one in said} == {"no terminal"}


async def test_a_refusal_for_good_is_asked_once_and_stops_all_others():
    """A wrong key with 64 calls waiting: the first call goes alone, and none follows."""
    model = Scripted(replies=[{"when": "q", "fault": "rejected"}], remote=True, price=FREE, concurrency=64)
    async with Stream(None, run="r", stage="s"):
        calls = [ask(model, request(f"q{number}")) for number in range(64)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ModelRejected}
    assert len(model.seen) == 1


class Unready(Scripted):
    """Needs a library that is not there, or something else before its first call."""

    kind: ClassVar[str] = "unready"
    _prepared: list[str] = PrivateAttr(default_factory=list)

    missing: bool = False

    def prepare(self) -> None:
        """Notes that it was called, or says what is missing."""
        if self.missing:
            raise MissingExtra("the model kind 'unready'", "unready")
        self._prepared.append("now")


async def test_a_model_is_prepared_once_before_its_first_call_goes_out(tmp_path: Path):
    """And not at all where the ledger has every reply."""
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        for times in (1, 0):
            model = Unready(default="yes", remote=True, price=FREE, concurrency=4)
            async with Stream(ledger, run="r", stage="s"):
                await asyncio.gather(*(ask(model, request(f"{number}")) for number in range(8)))
            assert len(model._prepared) == times


async def test_what_cannot_be_prepared_is_said_to_all_who_asked():
    """Nobody hangs, and nothing is sent."""
    model = Unready(default="yes", remote=True, price=FREE, concurrency=4, missing=True)
    async with Stream(None, run="r", stage="s"):
        said = await asyncio.gather(*(ask(model, request(f"{n}")) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in said] == [MissingExtra] * 3
    assert model.seen == ()


async def test_a_prompt_that_is_too_long_stops_nothing_else():
    """The model is there; it is that prompt alone that does not fit."""
    model = Scripted(replies=[{"when": "long", "fault": "too_long"}], default="fine")
    async with Stream(None, run="r", stage="s"):
        with pytest.raises(PromptTooLong):
            await ask(model, request("long"))
        assert (await ask(model, request("short"))).text == "fine"
    assert len(model.seen) == 2


async def test_a_remote_model_whose_price_is_unknown_is_not_asked(tmp_path: Path):
    """A budget that does not know what it pays is none."""
    model = Scripted(default="yes", remote=True, model="mystery")
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            with pytest.raises(InputError, match="price of mystery is not known"):
                await ask(model, request())
    assert model.seen == ()


async def test_the_tally_and_the_ledger_count_tokens_and_dollars(tmp_path: Path):
    """2 prompts of 8 characters (2 tokens) and replies of 4 (1 token) at $1 and $2 a token: 2 x (2 + 2) = $8."""
    model = Scripted(default="four", remote=True, price=Price(input=1e6, output=2e6))
    seen: list[Event] = []
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", on_event=seen.append) as stream:
            await ask(model, request("prompt 1"))
            await ask(model, request("prompt 2"))
            assert (stream.tally.input_tokens, stream.tally.output_tokens, stream.tally.usd) == (4, 2, 8.0)
        (total,) = ledger.summary()
    assert (total.usage, total.cost_usd) == (Usage(input_tokens=4, output_tokens=2), 8.0)
    assert [event.kind for event in seen] == ["answered", "answered"]


async def test_a_reply_that_cannot_be_written_down_is_an_error_and_leaves_its_call_in_doubt(tmp_path: Path):
    """A plugin that gives minus infinity must be told, and must not leave its call blocked as if under way."""
    model = Scripted(answer=lambda _: Reply(text="x", choices={"A": float("-inf")}), remote=True, price=FREE)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            with pytest.raises(ValueError, match="JSON"):
                await ask(model, request())
        assert len(ledger.in_doubt()) == 1


async def test_a_disk_that_fills_up_stops_the_stage_and_keeps_what_was_recorded(tmp_path: Path):
    """SQLite may not grow beyond 30 pages: some replies of 2,000 characters fit, then the stage says what to do."""
    model = Scripted(default="x" * 2000, remote=True, price=FREE, concurrency=4)

    async def stage(ledger: Ledger) -> None:
        async with Stream(ledger, run="r", stage="s") as stream:
            async for _ in stream.map(lambda number: ask(model, request(f"{number}")), range(1000), window=4):
                pass

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        ledger._writing.execute("PRAGMA max_page_count = 30")
        with pytest.raises(StorageError, match="free some space and run the same command again"):
            await stage(ledger)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        assert 4 <= len(list(ledger.entries())) < 100


async def test_a_call_that_everybody_left_can_be_asked_again_at_once(tmp_path: Path):
    """While it is being sent it is joined again, so it is not paid twice; what was not sent yet begins anew."""
    model, batched = Slow(), Scripted(default="yes", batch_size=4)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            left = [asyncio.ensure_future(ask(one, request())) for one in (model, batched)]
            await model._begun.wait()
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            again = [asyncio.ensure_future(ask(one, request())) for one in (model, batched)]
            await asyncio.sleep(0)
            model._let.set()
            assert [(await one).text for one in again] == ["slow hello", "yes"]
            assert stream.tally.sent == 2
    assert len(batched.seen) == 1


@pytest.mark.parametrize("kind", ["answered", "retry", "unavailable"])
async def test_a_listener_that_raises_is_heard_by_those_who_wait(kind: str, tmp_path: Path):
    """A bug in somebody's progress bar must not leave a stage waiting for ever."""

    def listen(event: Event) -> None:
        if event.kind == kind:
            raise RuntimeError("the bar is broken")

    replies = [] if kind == "answered" else [{"when": "hello", "fault": "unavailable"}]
    model = Scripted(replies=replies, default="yes", remote=True, price=FREE)
    retries = Retries(tries=2 if kind == "retry" else 1, first_wait_s=0)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", retries=retries, on_event=listen):
            with pytest.raises(RuntimeError, match="the bar is broken"):
                await ask(model, request())


async def test_a_reply_that_the_ledger_cannot_hold_is_an_error_and_not_a_silence(tmp_path: Path):
    """A server that counts 10 to the 30 tokens: no whole number of SQLite is that large."""
    model = Scripted(answer=lambda _: Reply(text="x", usage=Usage(input_tokens=10**30)), remote=True, price=FREE)
    with Ledger.open(tmp_path / "l.sqlite") as ledger, pytest.raises(StorageError, match="could not record"):
        async with Stream(ledger, run="r", stage="s"):
            await ask(model, request())
