"""The cap: never overrun, used up to the last call that fits, and remembered over reruns."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import ClassVar

import pytest

from solon.data.records import Message
from solon.errors import BudgetReached
from solon.ledger import Ledger
from solon.models.base import Price, Request
from solon.models.estimate import most_prompt_tokens, most_usd
from solon.models.scripted import Scripted
from solon.stream import Stream, ask
from solon.testing import VirtualClock

ONE = Price(input=0, output=1e6)
"""One dollar for each token of the reply, and nothing for the prompt."""


def request(text: str, max_tokens: int = 8) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=max_tokens)


async def ask_many(ledger: Ledger, model: Scripted, *, cap: float, window: int, run: str = "r") -> None:
    async with Stream(ledger, run=run, budget="r", stage="s", max_usd=cap) as stream:
        async for _ in stream.map(lambda number: ask(model, request(f"{number}")), range(100), window=window):
            pass


def test_a_prompt_has_at_most_as_many_tokens_as_bytes():
    """5 ASCII characters, 4 + 3 bytes of an emoji and a kanji; 64 for the prompt and 16 for each of 2 turns."""
    messages = (Message(role="system", content="hello"), Message(role="user", content="🙂書"))
    assert most_prompt_tokens(messages) == 64 + 16 + 5 + 16 + 7


def test_a_request_costs_at_most_its_bytes_and_all_the_tokens_it_allows():
    """64 + 16 + 4 bytes at $1 a million, and 100 tokens at $10."""
    model = Scripted(remote=True, price=Price(input=1, output=10))
    assert math.isclose(most_usd(model, request("four", 100)), (84 * 1 + 100 * 10) / 1e6)


async def test_a_stage_stops_before_the_request_that_could_pass_the_cap(tmp_path: Path):
    """Each reply costs $1 and could cost $8. Of $20, 12 are spent when 8 no longer fit behind them: 13 replies."""
    model = Scripted(default="four", remote=True, price=ONE, concurrency=4)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        with pytest.raises(BudgetReached, match=r"budget 'run r' is reached: \$13\.0000 of \$20\.0000 is spent"):
            await ask_many(ledger, model, cap=20, window=8)
        assert sum(entry.cost_usd for entry in ledger.entries()) == 13
        assert len(model.seen) == 13


async def test_calls_wait_for_room_as_long_as_those_under_way_may_make_some(tmp_path: Path):
    """16 at once could cost $128, but 16 replies do cost $16: all fit under $24, two or three at a time."""
    model = Scripted(default="four", remote=True, price=ONE, concurrency=16)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", max_usd=24, clock=VirtualClock()):
            await asyncio.gather(*(ask(model, request(f"{number}")) for number in range(16)))
        assert len(list(ledger.entries())) == 16


async def test_a_rerun_goes_on_from_what_was_spent_and_pays_for_nothing_twice(tmp_path: Path):
    """Cap $9: 2 replies ($1 spent + $8 <= $9); then nothing more fits. With $11, two more."""
    model = Scripted(default="four", remote=True, price=ONE)
    asked = []
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        for cap in (9, 9, 11):
            with pytest.raises(BudgetReached):
                await ask_many(ledger, model, cap=cap, window=1)
            asked.append(len(model.seen))
    assert asked == [2, 2, 4]


async def test_local_models_need_no_budget(tmp_path: Path):
    """What costs nothing is never refused."""
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s", max_usd=0):
            assert (await ask(Scripted(default="yes"), request("a"))).text == "yes"


async def test_a_free_server_answers_although_the_cap_is_reached(tmp_path: Path):
    """It costs nothing, so it passes no cap: not even the one that a dearer judge has used up before it."""
    paid = Scripted(default="four", remote=True, price=ONE)
    free = Scripted(default="yes", remote=True, price=Price(input=0, output=0), model="free")
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        with pytest.raises(BudgetReached):
            await ask_many(ledger, paid, cap=9, window=1)
        async with Stream(ledger, run="r", stage="s", max_usd=1):  # less than is spent
            assert (await ask(free, request("a"))).text == "yes"


async def test_a_stage_is_worth_the_same_whoever_paid_for_it(tmp_path: Path):
    """3 different requests of $1, one of them asked twice; then all of them once more, from the ledger."""
    model = Scripted(default="four", remote=True, price=ONE)
    worth, paid = [], []
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        for run in ("one", "two"):
            async with Stream(ledger, run=run, stage="s", keeps_worth=True) as stream:
                for text in ("a", "b", "a", "c"):
                    await ask(model, request(text))
            worth.append(stream.worth())
            paid.append(stream.tally.usd)
    assert worth == [3.0, 3.0]
    assert paid == [3.0, 0.0]


async def test_a_stream_holds_nothing_of_its_calls_unless_it_is_asked_to(tmp_path: Path):
    """A dollar a reply for a million replies would be a hundred megabytes that nobody reads."""
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            with pytest.raises(ValueError, match="keeps_worth=True"):
                stream.worth()


class Capped(Scripted):
    """A model with a cap of its own."""

    kind: ClassVar[str] = "capped"
    cap: float

    @property
    def max_usd(self) -> float:
        """``cap``."""
        return self.cap


async def test_runs_of_one_budget_share_its_cap_and_are_told_apart(tmp_path: Path):
    """Each reply costs $1 and could cost $8. Of $20, 13 are spent in all: the first run's 5 leave 8 to the second."""
    model = Capped(default="four", remote=True, price=ONE, cap=100)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r/first", budget="r", stage="s", max_usd=20):
            for number in range(5):
                await ask(model, request(f"early {number}"))
        with pytest.raises(BudgetReached, match=r"budget 'run r' is reached: \$13\.0000 of \$20\.0000"):
            await ask_many(ledger, model, cap=20, window=1, run="r/second")
        spent = [sum(entry.cost_usd for entry in ledger.entries(run=f"r/{name}")) for name in ("first", "second")]
        assert spent == [5, 8]
        with pytest.raises(BudgetReached, match=r"budget 'run r: scripted' is reached: \$13\.0000 of \$14\.0000"):
            await ask_many(ledger, model.model_copy(update={"cap": 14}), cap=100, window=1, run="r/third")


async def test_a_model_has_a_cap_of_its_own_beside_that_of_the_run(tmp_path: Path):
    """Each reply costs $1 and could cost $8. A cap of $10 takes 3 of one model; the other has what the run allows."""
    capped = Capped(default="four", remote=True, price=ONE, model="capped", cap=10)
    other = Scripted(default="four", remote=True, price=ONE, model="other")
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        reached = r"budget 'run r: capped' is reached: \$3\.0000 of \$10\.0000 is spent"
        with pytest.raises(BudgetReached, match=reached):
            await ask_many(ledger, capped, cap=100, window=1)
        with pytest.raises(BudgetReached, match=r"budget 'run r' is reached: \$13\.0000 of \$20\.0000"):
            await ask_many(ledger, other, cap=20, window=1)
    assert (len(capped.seen), len(other.seen)) == (3, 10)
