"""Local models: whole flushes or nothing, and the same ones after a kill, because floats depend on the batch."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import PrivateAttr

from solon.data.records import Message, digest
from solon.errors import ModelError, ModelUnavailable, PromptTooLong
from solon.ledger import Ledger
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Event, Retries, Stream, ask
from solon.testing import VirtualClock


class Composed(ChatModel):
    """A local model whose reply depends on its whole batch, as the last bits of floats do."""

    kind: ClassVar[str] = "composed"
    size: int = 4
    label: str = "composed"
    _batches: list[list[str]] = PrivateAttr(default_factory=list)

    @property
    def requests_in_a_batch(self) -> int:
        """As set."""
        return self.size

    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        """The digest of the whole batch, and of each request."""
        await asyncio.sleep(0)
        self._batches.append([request.messages[-1].content for request in requests])
        whole = digest([request.id for request in requests])[:8]
        return [Reply(text=f"{whole} {request.id}") for request in requests]


def request(text: str, system: str | None = None) -> Request:
    first = () if system is None else (Message(role="system", content=system),)
    return Request(messages=(*first, Message(role="user", content=text)), max_tokens=8)


async def test_requests_that_wait_at_the_same_time_go_into_batches_alike_beside_alike():
    """By system text (it is kept in the KV cache), then by length (less padding), whatever came first."""
    model = Composed(size=3)
    texts = [("dddd", "x"), ("a", "y"), ("ccc", "x"), ("bb", "y"), ("e", "x")]
    async with Stream(None, run="r", stage="s"):
        await asyncio.gather(*(ask(model, request(text, system)) for text, system in texts))
    assert model._batches == [["e", "ccc", "dddd"], ["a", "bb"]]


async def test_a_flush_waits_for_those_who_are_about_to_ask():
    """Deeds that pass through several tasks before they ask still share a batch."""
    model = Composed(size=8)

    async def nested(depth: int, text: str) -> Reply:
        if depth:
            (reply,) = await asyncio.gather(nested(depth - 1, text))
            return reply
        return await ask(model, request(text))

    async with Stream(None, run="r", stage="s"):
        await asyncio.gather(*(nested(depth, f"{depth}") for depth in range(8)))
    assert [len(batch) for batch in model._batches] == [8]


async def test_two_models_that_wait_are_flushed_together_in_an_order_of_their_own(tmp_path: Path):
    """The flush is one transaction for both, so a kill cannot come between them."""
    one, other = Composed(size=2, label="b"), Composed(size=2, label="a")
    events: list[Event] = []
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", on_event=events.append):
            await asyncio.gather(ask(one, request("333")), ask(other, request("2")), ask(one, request("1")))
    assert one._batches == [["1", "333"]]
    assert other._batches == [["2"]]
    assert [event.kind for event in events] == ["flushed", "answered", "answered", "answered"]


async def test_a_local_model_waits_until_all_remote_replies_are_there():
    """Otherwise the composition of its batch would depend on the network."""
    model = Composed(size=8)
    slow = Scripted(default="there", remote=True, price=Price(input=0, output=0))

    async def after_remote(text: str) -> None:
        await ask(slow, request(text))
        await ask(model, request(text))

    async with Stream(None, run="r", stage="s"):
        await asyncio.gather(ask(model, request("at once")), after_remote("later"), after_remote("much later"))
    assert model._batches == [["later", "at once", "much later"]]


async def test_nothing_of_an_interrupted_flush_is_recorded(tmp_path: Path):
    """Half a flush in the ledger would make the rest another batch when the run is resumed."""

    class Breaks(Composed):
        kind: ClassVar[str] = "breaks"

        async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
            if len(self._batches) == 1:
                raise MemoryError("no more")
            return await super().complete_batch(requests)

    model = Breaks(size=2)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            outcomes = await asyncio.gather(
                *(ask(model, request(f"{number}")) for number in range(4)), return_exceptions=True
            )
        assert [type(outcome) for outcome in outcomes] == [MemoryError] * 4
        assert list(ledger.entries()) == []


async def test_a_cancelled_flush_leaves_the_model_usable(tmp_path: Path):
    """A deed that failed cancels those beside it; the stage's next question must still be answered."""
    begun, never = asyncio.Event(), asyncio.Event()

    class Hangs(Composed):
        kind: ClassVar[str] = "hangs"

        async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
            if not begun.is_set():
                begun.set()
                await never.wait()
            return await super().complete_batch(requests)

    model = Hangs(size=2)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s"):
            asked = asyncio.ensure_future(ask(model, request("first")))
            await begun.wait()
            asked.cancel()
            second = asyncio.ensure_future(ask(model, request("second")))
            await asyncio.gather(asked, return_exceptions=True)
            await second
        assert [entry.request.messages[0].content for entry in ledger.entries()] == ["second"]


async def test_a_chunk_that_stays_unavailable_fails_alone(tmp_path: Path):
    """Its requests are named failures; the others of the flush are recorded."""
    model = Scripted(replies=[{"when": "bad", "fault": "unavailable"}], default="fine", batch_size=2)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", retries=Retries(tries=3), clock=VirtualClock()) as stream:
            asked = [ask(model, request(text)) for text in ("a", "b", "bad", "bad too")]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert stream.tally.unavailable == 1
        assert [type(outcome) for outcome in outcomes] == [Reply, Reply, ModelUnavailable, ModelUnavailable]
        assert len(list(ledger.entries())) == 2


class Narrow(Composed):
    """Takes at most three letters, and refuses a whole batch before it computes anything."""

    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        """As ``Composed``, for short prompts."""
        places = [place for place, one in enumerate(requests) if len(one.messages[-1].content) > 3]
        if places:
            raise PromptTooLong("more than three letters", places=places)
        return await super().complete_batch(requests)


async def test_prompts_that_are_too_long_fail_alone_and_the_rest_are_answered():
    """One overlong row must not cost a stage the rest of its flush."""
    model = Narrow(size=2)
    async with Stream(None, run="r", stage="s"):
        results = await asyncio.gather(
            *(ask(model, request(text)) for text in ("long", "a", "longer", "bb", "ccc")), return_exceptions=True
        )
    assert [isinstance(result, PromptTooLong) for result in results] == [True, False, True, False, False]
    assert model._batches == [["a", "bb"], ["ccc"]]


async def test_a_plugin_that_returns_too_few_replies_is_found_out():
    """Otherwise replies would be handed to the wrong requests."""

    class Forgets(Composed):
        kind: ClassVar[str] = "forgets"

        async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
            return (await super().complete_batch(requests))[1:]

    async with Stream(None, run="r", stage="s"):
        with pytest.raises(ModelError, match="forgets gave 0 replies to 1 requests"):
            await ask(Forgets(), request("a"))


DRIVER = '''
"""Runs the same stage undisturbed and killed after each flush or inside each batch, resumed until it is done."""
import asyncio, json, os, sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from solon.data.records import Message, digest
from solon.ledger import Ledger
from solon.models.base import ChatModel, Reply, Request
from solon.stream import Stream, ask

KILL = {"flush": 0, "batch": 0}
COUNT = {"flush": 0, "batch": 0}

def passed(what):
    COUNT[what] += 1
    if COUNT[what] == KILL[what]:
        os._exit(9)

class Composed(ChatModel):
    kind: ClassVar[str] = "composed"
    label: str = "x"
    @property
    def requests_in_a_batch(self) -> int:
        return 5
    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        passed("batch")
        whole = digest([request.id for request in requests])
        return [Reply(text=digest([whole, request.id])) for request in requests]

def request(text):
    return Request(messages=(Message(role="user", content=text),), max_tokens=8)

async def deed(number):
    """Asks 1 to 3 questions at once, then ones that depend on the replies, through a second model every third time."""
    texts = [f"{number} {part} {'.' * (number * part)}" for part in range(1 + number % 3)]
    first = await asyncio.gather(*(ask(Composed(), request(text)) for text in texts))
    if number % 2:
        model = Composed(label="y") if number % 3 == 0 else Composed()
        return (await ask(model, request(first[-1].text))).text
    return first[0].text

def listen(event):
    if event.kind == "flushed":
        passed("flush")

async def stage(ledger):
    async with Stream(ledger, run="r", stage="s", on_event=listen) as stream:
        return [pair async for pair in stream.map(deed, range(17), window=6)]

def contents(path):
    with Ledger.open(path) as ledger:
        return digest(sorted((entry.key, entry.reply.text) for entry in ledger.entries()))

def run(path, what, kill):
    """One process of its own; its exit code."""
    child = os.fork()
    if child == 0:
        KILL[what] = kill
        with Ledger.open(path) as ledger:
            results = asyncio.run(stage(ledger))
        Path(str(path) + ".json").write_text(json.dumps(results))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

folder = Path(sys.argv[1])
assert run(folder / "whole", "flush", 0) == 0
outcome = {"whole": [contents(folder / "whole"), (folder / "whole.json").read_text()], "killed": {}}
for what in KILL:
    for kill in range(1, 100):
        path = folder / f"{what}{kill}"
        if run(path, what, kill) == 0:
            break
        while run(path, "flush", 1) == 9:  # and killed again after each flush that it gets done
            pass
        outcome["killed"][f"{what} {kill}"] = [contents(path), Path(str(path) + ".json").read_text()]
print(json.dumps(outcome))
'''


@pytest.mark.slow
def test_runs_killed_after_any_flush_or_in_any_batch_end_with_the_same_ledger(tmp_path: Path):
    """Replies depend on the composition of their batch, so one other batch anywhere would show."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, tmp_path], capture_output=True, text=True, check=True, timeout=120
    )
    outcome = json.loads(done.stdout)
    assert len([name for name in outcome["killed"] if name.startswith("flush")]) >= 6
    assert len([name for name in outcome["killed"] if name.startswith("batch")]) >= 8
    assert {name: ended == outcome["whole"] for name, ended in outcome["killed"].items()} == dict.fromkeys(
        outcome["killed"], True
    )
