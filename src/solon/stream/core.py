"""The scheduler: every call of every model goes through ``ask``, and every stage's work through ``Stream.map``."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from solon.ledger import Budget, Call, Ledger
from solon.models.base import ChatModel, Reply, Request
from solon.stream.batches import Batches
from solon.stream.clock import Clock, SystemClock
from solon.stream.journal import Journal
from solon.stream.lane import Flight, Lane, Setting
from solon.stream.ordered import ordered
from solon.stream.retries import Retries
from solon.stream.tally import Event, OnEvent, Tally

Item = TypeVar("Item")
Result = TypeVar("Result")

DRAIN_S = 30.0
"""How long, when a stage stops early, to wait for replies that are paid for already."""


async def ask(model: ChatModel, request: Request) -> Reply:
    """The reply of ``model`` to ``request``: from the ledger, from the same call if it is under way, or from the model.

    Goes through the ``Stream`` that is open around the caller; where none is, through one without a ledger, and whoever
    asks closes the model (``model.aclose()``).

    Raises:
        ModelUnavailable: it did not answer, however often it was asked. The next call may work.
        PromptTooLong: this request does not fit the model's context. The next call may work.
        ModelRejected: it never will answer: key, quota, model name, malformed request.
        ModelDown: most recent calls failed.
        BudgetReached: the request could have passed the cap, so it was not sent.
        StorageError: the reply could not be recorded.
    """
    stream = _active.get() or _default()
    return await stream.ask(model, request)


@dataclass(eq=False)
class _Shared:
    """A call under way and how many wait for it."""

    reply: asyncio.Future[Reply]
    flight: Flight | None = None
    waiting: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it was broken off, so that whoever wants it now has to begin again."""
        return self.reply.cancelled() or (self.flight is not None and self.flight.abandoned and not self.flight.sending)


def _ignore(event: Event) -> None:
    """What a stream tells when nobody listens."""


class Stream:
    """Runs the calls of one stage: ledger, budget, retries, limits. An asynchronous context manager.

    Args:
        ledger: where replies are looked up and recorded; ``None`` records nothing.
        run: names the budget, and stands beside each reply in the ledger.
        stage: stands beside each reply in the ledger.
        retries: how patiently calls are tried again.
        max_usd: cap on what all stages and reruns of ``run`` may spend; ``None`` is no cap.
        on_event: told what happens, for progress bars.
        clock: the time; tests pass ``solon.testing.VirtualClock()``.

    Attributes:
        tally: what was done so far.
    """

    def __init__(
        self,
        ledger: Ledger | None,
        *,
        run: str,
        stage: str,
        retries: Retries = Retries(),
        max_usd: float | None = None,
        on_event: OnEvent | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._run, self._stage = run, stage
        self._tell: OnEvent = on_event or _ignore
        self._journal = None if ledger is None else Journal(ledger)
        self._setting = Setting(
            journal=self._journal,
            budgets=() if max_usd is None else (Budget(f"run {run}", max_usd),),
            retries=retries,
            clock=clock or SystemClock(),
            tally=self.tally,
            on_event=self._tell,
        )
        self._batches = Batches(ledger, self.tally, self._tell, self._single_calls)
        self._lanes: dict[str, Lane] = {}
        self._lane_of: dict[int, tuple[ChatModel, Lane]] = {}
        self._under_way: dict[str, _Shared] = {}
        self._asked_remote = False
        self._worth: dict[str, float] = {}
        self._maps: list[Any] = []  # held until they end: one that its reader dropped would otherwise work on
        self._token: Token[Stream | None] | None = None

    async def __aenter__(self) -> Self:
        self._token = _active.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None
        for results in self._maps:
            if results is not None:
                await results.aclose()
        for key, shared in list(self._under_way.items()):
            self._abandon(key, shared)
        try:
            await self._batches.close()
            await self._drain()
        finally:
            for lane in self._lanes.values():
                lane.close()

    # ------------------------------------------------------------ one call

    async def ask(self, model: ChatModel, request: Request) -> Reply:
        """As the function ``ask``, in this stream."""
        lane = self._lane(model)
        call = Call.of(model, request, run=self._run, stage=self._stage, description=lane.description)
        self.tally.asked += 1
        self._asked_remote |= model.remote
        known = None if self._ledger is None else self._ledger.get(call.key)
        if known is not None:
            self.tally.from_ledger += 1
            self._tell(Event("from_ledger", call.model))
            return self._valued(call.key, model, known)
        shared = self._under_way.get(call.key)
        if shared is None or shared.is_over:
            shared = self._begin(lane, call, request)
        else:
            self.tally.shared += 1
            if shared.flight is not None:
                shared.flight.abandoned = False
        return self._valued(call.key, model, await self._wait(call.key, shared))

    def worth(self) -> float:
        """What all replies that were handed out cost, in US dollars, each call once, whoever paid for it and when.

        So a stage that is repeated from the ledger says the same as the first time, while ``tally.usd`` is 0.
        """
        return math.fsum(self._worth.values())

    def _valued(self, key: str, model: ChatModel, reply: Reply) -> Reply:
        if usd := model.cost_of(reply):
            self._worth[key] = usd
        return reply

    def _lane(self, model: ChatModel) -> Lane:
        # by object first: describing a model takes longer than asking whether it is the same one as before
        known = self._lane_of.get(id(model))
        if known is not None:
            return known[1]
        description = Lane.description_of(model)
        lane = self._lanes.get(description)
        if lane is None:
            lane = self._lanes[description] = Lane(model, description, self._setting)
        self._lane_of[id(model)] = (model, lane)
        return lane

    def _begin(self, lane: Lane, call: Call, request: Request) -> _Shared:
        if not lane.model.remote and lane.model.requests_in_a_batch > 1:
            shared = _Shared(self._batches.ask(lane, call, request))
        else:
            flight = Flight()
            task = asyncio.get_running_loop().create_task(lane.answer(call, request, flight))
            shared = _Shared(task, flight)
        self._under_way[call.key] = shared
        shared.reply.add_done_callback(lambda _: self._landed(call.key, shared))
        return shared

    def _landed(self, key: str, shared: _Shared) -> None:
        if self._under_way.get(key) is shared:
            del self._under_way[key]
        if not shared.reply.cancelled():
            shared.reply.exception()  # whoever asked may have gone; that is no second error

    async def _wait(self, key: str, shared: _Shared) -> Reply:
        shared.waiting += 1
        try:
            # shielded, because one of those who wait may go while the others still want it
            return await asyncio.shield(shared.reply)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.reply.done():
                self._abandon(key, shared)

    def _abandon(self, key: str, shared: _Shared) -> None:
        """Nobody waits any more. What a server may have begun is left to end; all else is broken off."""
        if shared.flight is None:
            self._batches.abandon(key)
        else:
            shared.flight.abandoned = True
            if not shared.flight.sending:
                shared.reply.cancel()

    def _single_calls(self) -> set[asyncio.Future[Reply]]:
        return {shared.reply for shared in self._under_way.values() if shared.flight is not None}

    async def _drain(self) -> None:
        """Waits until what was abandoned has ended and all that came is on disk."""
        left = {shared.reply for shared in self._under_way.values() if shared.flight is None or shared.flight.abandoned}
        if left:
            _, late = await asyncio.wait(left, timeout=DRAIN_S)
            for reply in late:
                reply.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._journal is not None:
            await self._journal.settle()

    # ------------------------------------------------------------ many deeds

    def map(
        self, deed: Callable[[Item], Awaitable[Result]], items: Iterable[Item], *, window: int
    ) -> AsyncGenerator[tuple[Item, Result], None]:
        """Yields ``(item, await deed(item))`` in the order of the items, which are taken one by one, as needed.

        At most ``window`` deeds are at work at once. As long as only local models are asked they work in waves, which
        keeps their batches the same after an interruption; once a remote model is asked, each deed that ends makes room
        for the next. A deed that raises, or an interrupt, stops all others; replies that are under way are waited for
        and recorded first.
        """
        results = self._map(len(self._maps), deed, items, window)
        self._maps.append(results)
        return results

    async def _map(
        self, number: int, deed: Callable[[Item], Awaitable[Result]], items: Iterable[Item], window: int
    ) -> AsyncGenerator[tuple[Item, Result], None]:
        clean = False
        try:
            async with aclosing(
                ordered(deed, items, window=window, in_waves=lambda: not self._asked_remote)
            ) as results:
                async for item, result in results:
                    yield item, result
            clean = True
        finally:
            self._maps[number] = None
            if not clean:
                await self._drain()


_active: ContextVar[Stream | None] = ContextVar("solon_stream", default=None)
_defaults: WeakKeyDictionary[asyncio.AbstractEventLoop, Stream] = WeakKeyDictionary()


def _default() -> Stream:
    """The stream without a ledger that serves callers outside any stage, one for each event loop."""
    loop = asyncio.get_running_loop()
    stream = _defaults.get(loop)
    if stream is None:
        stream = _defaults[loop] = Stream(None, run="", stage="")
    return stream
