"""Rows that a well model never answers, in virtual time: they hold up nobody, and are no model that is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
from pydantic import PrivateAttr

from solon.data.records import Message
from solon.errors import ModelDown, ModelUnavailable
from solon.models.base import ChatModel, Reply, Request
from solon.stream import Stream, ask
from solon.stream.circuit import Circuit
from solon.testing import VirtualClock

pytestmark = pytest.mark.slow  # a thousand calls, each with its sleeps
CALLS = 1000


class Poisoned(ChatModel):
    """Takes so many seconds a reply, and never answers some requests: each so many-th of the first ``poisoned``."""

    kind: ClassVar[str] = "poisoned"
    seconds: float = 0.05
    every: int = 20
    first: int = 0
    poisoned: int = CALLS
    _clock: VirtualClock = PrivateAttr(default_factory=VirtualClock)

    @property
    def max_in_flight(self) -> int:
        """As an endpoint."""
        return 64

    @property
    def remote(self) -> bool:
        """Behind a network."""
        return True

    @property
    def clock(self) -> VirtualClock:
        """Its time."""
        return self._clock

    def answers(self, number: int) -> bool:
        """Whether it ever does."""
        return number % self.every != self.every - 1 or not self.first <= number < self.first + self.poisoned

    async def complete(self, request: Request) -> Reply:
        """One attempt."""
        await self._clock.sleep(self.seconds)
        if not self.answers(int(request.messages[0].content)):
            raise ModelUnavailable("poisoned")
        return Reply(text="ok")


async def stage(model: Poisoned) -> int:
    """Asks for everything; how many requests that took."""

    async def deed(number: int) -> bool:
        asked = Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)
        try:
            return (await ask(model, asked)).text == "ok"
        except ModelUnavailable:
            return False

    async with Stream(None, run="r", stage="s", clock=model.clock) as stream:
        answered = [result async for _, result in stream.map(deed, range(CALLS), window=128)]
    assert answered == [model.answers(number) for number in range(CALLS)]
    return stream.tally.sent


@pytest.mark.reliability("poisoned")
async def test_rows_that_are_never_answered_end_a_stage_within_twice_its_time(figure: Callable[[str], None]) -> None:
    """Each twentieth of 1,000 calls, 64 at once, 50 ms each: the slower the replies, the less the waits count.

    They are tried longest, so all 50 are among the last to end.
    """
    clean, poisoned = Poisoned(poisoned=0), Poisoned()
    assert await stage(clean) == CALLS
    assert await stage(poisoned) == 950 + 50 * 6
    ratio = poisoned.clock.now() / clean.clock.now()
    assert ratio < 2
    figure(f"{ratio:.2f} times the clean time in virtual time, 64 at once")


def test_a_model_that_has_answered_most_of_what_a_rerun_asks_is_not_down_for_the_rest_of_it() -> None:
    """950 replies are in the ledger and 50 questions are never answered: nothing else is asked. At the 95th it is."""
    circuit = Circuit("model")
    for _ in range(950):
        circuit.knew()
    for number in range(95):
        assert circuit.lost() is None, number
        circuit.tried(answered=False)
        circuit.count(unavailable=True)
    assert isinstance(circuit.lost(), ModelDown)


def test_a_server_that_nobody_can_connect_to_is_down_after_twenty_calls_whatever_the_ledger_holds() -> None:
    """No row keeps a connection from being made: somebody forgot to start the server before the rerun."""
    circuit = Circuit("model")
    for _ in range(5000):
        circuit.knew()
    for number in range(20):
        assert circuit.lost() is None, number
        circuit.tried(answered=False)
        circuit.count(unavailable=True, reached=False)
    assert isinstance(circuit.lost(), ModelDown)


async def test_a_server_that_goes_down_while_rows_are_poisoned_is_down_all_the_same() -> None:
    """It answers 500 calls, all but the poisoned ones, and none after that."""
    with pytest.raises(ModelDown, match=r"poisoned is down: \d+ of \d+ calls"):
        await stage(Poisoned(every=1, first=500))
