"""The scheduler: every call of every model goes through ``ask``, and every stage's work through ``Stream.map``."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from solon.ledger import Budget, Call, Ledger
from solon.models.base import ChatModel, Reply, Request
from solon.models.remote import RemoteModel
from solon.stream.batches import Batches
from solon.stream.clock import Clock, SystemClock
from solon.stream.findings import Found
from solon.stream.flight import Flight
from solon.stream.harvest import Means
from solon.stream.journal import Journal
from solon.stream.lane import Lane
from solon.stream.limiter import Limiter
from solon.stream.ordered import ordered
from solon.stream.pace import Pace
from solon.stream.provider_batches import ProviderBatches
from solon.stream.retries import Retries
from solon.stream.service import Setting
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


def _ignore(event: Event) -> None:
    """What a stream tells when nobody listens."""


class Stream:
    """Runs the calls of one stage: ledger, budget, retries, limits. An asynchronous context manager.

    Args:
        ledger: where replies are looked up and recorded; ``None`` records nothing.
        run: stands beside each reply in the ledger, and names the budget where ``budget`` does not.
        stage: stands beside each reply in the ledger.
        retries: how patiently calls are tried again.
        max_usd: cap on what all stages and reruns of all runs of one budget may spend; ``None`` is no cap.
        budget: names the budget, where several runs share one: the phases of a recipe.
        on_event: told what happens, for progress bars.
        clock: the time; tests pass ``solon.testing.VirtualClock()``.
        pace: how patiently batches of providers are gathered and looked at.
        keeps_worth: whether ``worth`` will be asked for, which takes a few bytes of memory for each call.
        asks_remote: whether a remote model will be asked; found out at the first call otherwise.

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
        budget: str | None = None,
        on_event: OnEvent | None = None,
        clock: Clock | None = None,
        pace: Pace = Pace(),
        keeps_worth: bool = False,
        asks_remote: bool = False,
    ) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._run, self._stage = run, stage
        self._tell: OnEvent = on_event or _ignore
        self._journal = None if ledger is None else Journal(ledger)
        self._on_event = on_event
        self._setting = Setting(
            budget=budget or run,
            journal=self._journal,
            budgets=() if max_usd is None else (Budget(f"run {budget or run}", max_usd),),
            retries=retries,
            clock=clock or SystemClock(),
            tally=self.tally,
            on_event=on_event,
            collects=self._collects,
        )
        self._limiters: dict[str, Limiter] = {}
        self._batches = Batches(ledger, self.tally, self._tell, self._remote_work)
        self._pace = pace
        self._gatherers: dict[Lane, ProviderBatches] = {}
        self._singles: set[Flight] = set()
        self._lanes: dict[tuple[object, ...], Lane] = {}
        self._lane_of: dict[int, tuple[ChatModel, Lane]] = {}
        self._under_way: dict[str, Flight] = {}
        self._asked_remote = asks_remote
        self._worth: dict[str, float] | None = {} if keeps_worth else None
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
        for flight in list(self._under_way.values()):
            self._abandon(flight)
        try:
            await self._batches.close()
            for gatherer in self._gatherers.values():
                await gatherer.close()
            await self._drain()
        finally:
            for lane in self._lanes.values():
                lane.close()
            for limiter in self._limiters.values():
                limiter.close()

    # ------------------------------------------------------------ one call

    async def ask(self, model: ChatModel, request: Request) -> Reply:
        """As the function ``ask``, in this stream."""
        lane = self._lane(model)
        call = Call.of(model, request, run=self._run, stage=self._stage, description=lane.description)
        self.tally.asked += 1
        self._asked_remote = self._asked_remote or model.remote
        reply = None if self._ledger is None or not lane.looks_up else self._ledger.get(call.key)
        if reply is not None:
            self.tally.from_ledger += 1
            lane.knew()
            if self._on_event is not None:
                self._on_event(Event("from_ledger", call.model))
        else:
            flight = self._under_way.get(call.key)
            if flight is None:
                flight = self._begin(lane, call, request)
            else:
                self.tally.shared += 1
            try:
                reply = await flight.reply()
            except asyncio.CancelledError:
                if flight.abandoned:
                    self._abandon(flight)
                raise
        if self._worth is not None and (usd := model.cost_of(reply)):
            self._worth[call.key] = usd
        return reply

    def worth(self) -> float:
        """What all replies that were handed out cost, in US dollars, each call once, whoever paid for it and when.

        So a stage that is repeated from the ledger says the same as the first time, while ``tally.usd`` is 0.
        """
        if self._worth is None:
            raise ValueError("only a stream that was made with keeps_worth=True says what its replies are worth")
        return math.fsum(self._worth.values())

    def found(self) -> tuple[Found, ...]:
        """What was learned of each provider that was asked: how many calls at once it bears, and how many a second."""
        limiters = {lane.model.provider: lane.limiter for lane in self._lanes.values() if lane.model.remote}
        return tuple(found for limiter in limiters.values() if (found := limiter.found()).answered)

    def _lane(self, model: ChatModel) -> Lane:
        # by object first: describing a model takes longer than asking whether it is the same one as before
        known = self._lane_of.get(id(model))
        if known is not None:
            return known[1]
        description = Lane.description_of(model)
        key = (description, *_terms(model))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(model, description, self._setting, self._limiter(model))
            # the flushes of a local model have to be the same after a kill, so that of those all is looked up
            lane.looks_up = not model.remote or (self._ledger is not None and self._ledger.knows(description))
            self._gather_for(lane)
        self._lane_of[id(model)] = (model, lane)
        return lane

    def _limiter(self, model: ChatModel) -> Limiter:
        """That of the model's provider: the limits are the account's."""
        limiter = self._limiters.get(model.provider)
        if limiter is None:
            name = model.server if isinstance(model, RemoteModel) else model.name
            limiter = self._limiters[model.provider] = Limiter(name, self._setting.clock)
        return limiter

    def _gather_for(self, lane: Lane) -> None:
        """Sends the model's requests as batches of its provider, when its settings say so."""
        api, setting = lane.model.provider_batches(), self._setting
        if api is not None:
            means = Means(
                lane,
                api,
                self._ledger,
                self._journal,
                asked={},
                clock=setting.clock,
                retries=setting.retries,
                pace=self._pace,
                tally=self.tally,
                on_event=self._tell,
            )
            self._gatherers[lane] = ProviderBatches(means, self._may_ask_soon)

    def _begin(self, lane: Lane, call: Call, request: Request) -> Flight:
        flight = self._under_way[call.key] = Flight(lane, call, request, self._landed)
        if (gatherer := self._gatherers.get(lane)) is not None:
            flight.gatherer = gatherer
            gatherer.ask(call, request).add_done_callback(flight.end_as)
        elif not lane.model.remote and lane.model.requests_in_a_batch > 1:
            flight.gatherer = self._batches
            self._batches.ask(lane, call, request).add_done_callback(flight.end_as)
        else:
            self._singles.add(flight)
            lane.begin(flight)
        return flight

    def _landed(self, flight: Flight) -> None:
        self._singles.discard(flight)
        if self._under_way.get(flight.call.key) is flight:
            del self._under_way[flight.call.key]

    def _abandon(self, flight: Flight) -> None:
        """Nobody waits any more. What a server may have begun is left to end; all else is broken off."""
        flight.abandoned = True
        if flight.gatherer is None:
            flight.lane.abandon(flight)
        else:
            flight.gatherer.abandon(flight.call.key)
            flight.fail(asyncio.CancelledError())

    def _remote_work(self) -> set[asyncio.Future[Any]]:
        """What a flush of local models waits for: every other reply, whose like may bring new requests."""
        singles = (flight.landing() for flight in self._singles)
        return {*singles, *(work for one in self._gatherers.values() if (work := one.work) is not None)}

    def _may_ask_soon(self) -> bool:
        """Whether replies are to come that do not take hours, each of which may bring requests for a batch."""
        if any(not flight.lane.stuck for flight in self._singles):
            return True
        return self._batches.flushing or any(one.collecting for one in self._gatherers.values())

    def _collects(self) -> bool:
        """Whether a batch is out, or about to go out: of those that an earlier run left it is told then."""
        return any(one.on_its_way for one in self._gatherers.values())

    async def _drain(self) -> None:
        """Waits until what was abandoned has ended and all that came is on disk."""
        left = {
            flight.landing(): flight
            for flight in self._under_way.values()
            if flight.gatherer is self._batches or (flight.gatherer is None and flight.abandoned)
        }
        if left:
            _, late = await asyncio.wait(left, timeout=DRAIN_S)
            for landing in late:
                left[landing].break_off()
            await asyncio.gather(*late)
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
                ordered(deed, items, window=window, in_waves=lambda: not self._asked_remote, turn=self._turn)
            ) as results:
                async for item, result in results:
                    yield item, result
            clean = True
        finally:
            self._maps[number] = None
            if not clean:
                await self._drain()

    async def _turn(self) -> None:
        """Lets those at work go on; and the journal write its first group, which the first request waits for.

        Its thread would wait for Python's lock again and again while further requests are made.
        """
        await asyncio.sleep(0)
        if self._journal is not None:
            await self._journal.begun()


def _terms(model: ChatModel) -> tuple[object, ...]:
    """On what terms a server is asked, which says nothing about its replies: one model may be named twice."""
    if not model.remote:
        return ()
    return model.provider, model.max_in_flight, model.max_usd, model.provider_batches() is not None, model.cost()


_active: ContextVar[Stream | None] = ContextVar("solon_stream", default=None)
_defaults: WeakKeyDictionary[asyncio.AbstractEventLoop, Stream] = WeakKeyDictionary()


def _default() -> Stream:
    """The stream without a ledger that serves callers outside any stage, one for each event loop."""
    loop = asyncio.get_running_loop()
    stream = _defaults.get(loop)
    if stream is None:
        stream = _defaults[loop] = Stream(None, run="", stage="")
    return stream
