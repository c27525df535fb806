"""The calls of one model, step by step: written down, in a slot, sent, written down with their replies."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from solon.errors import InputError, ModelError, ModelUnavailable, StorageError
from solon.ledger.rows import Answered, Doubted, Dropped, Known, NoRoom, Outcome, Ticket
from solon.models.base import ChatModel, Reply
from solon.models.estimate import likely_tokens
from solon.stream.flight import Flight
from solon.stream.journal import Journal
from solon.stream.limiter import Limiter
from solon.stream.retries import Attempts
from solon.stream.service import Service, Setting

LOOK_AGAIN_S = 0.05
LOOK_AGAIN_GROWS = 1.5
SELDOM_S = 5.0
"""How often to look whether another process has its reply, or whether a budget has room again: soon, then more and more
seldom. Beside a batch of a provider that may take hours."""

AHEAD = 2
"""For each slot, how many requests may be journalled and not yet answered: while some are on the network others are
written down, so that no slot stands idle while the disk works. After a kill at most so many are in doubt; of those that
had been sent there is one for each slot at most, since a reply is noted before its slot is free."""

REMEMBERED = 32
"""Of how many replies, about, the mean length is taken that the next ones are expected to have."""

T = TypeVar("T")


class Lane(Service):
    """The way to one model. Models with the same description share one, if they are asked on the same terms.

    A call is written down (``Sent``), takes a slot of its provider, goes to the model, is written down with its reply
    (``Answered``), and handed to those who wait. Each step begins the next; there is a task only for what is on the
    network, and it sends one request after the other: to begin a task takes longer than to wake one.

    Attributes:
        looks_up: whether the ledger may hold replies of it. Where it held none at first, calls are not looked up one by
            one: what is written tells when a reply was there after all.
    """

    def __init__(self, model: ChatModel, description: str, setting: Setting, limiter: Limiter) -> None:
        super().__init__(model, description, setting, limiter)
        self.looks_up = True
        self._prepared = False
        self._most = model.max_in_flight
        self._busy = 0
        self._journalled = 0
        self._without_room: set[Flight] = set()  # of those, the ones that wait for room in a budget
        self._behind: deque[Flight] = deque()  # those who wait until fewer are journalled
        self._ready: deque[Flight | asyncio.Future[None]] = deque()  # those who wait for a slot
        self._idle: list[asyncio.Future[Flight | None]] = []  # tasks that have nothing to send
        self._reply_tokens: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ended = False
        limiter.join(self, self._most, model.limits)

    @property
    def stuck(self) -> bool:
        """Whether none of its calls can go before there is more room in a budget."""
        return 0 < len(self._without_room) == self._journalled

    def close(self) -> None:
        """Lets the timers go."""
        for task in self._tasks:
            task.cancel()

    # ------------------------------------------------------------ written down

    def begin(self, flight: Flight) -> None:
        """Sets out to get the reply: tried again as long as that may help, and recorded before it is handed out."""
        setting = self._setting
        if flight.over or not self._is_prepared(flight):
            return
        if flight.attempts is None:
            flight.attempts = Attempts(setting.retries, flight.call.key, setting.clock.now())
        if (lost := self._circuit.lost()) is not None:
            flight.fail(lost)
        elif setting.journal is None or not self.model.remote:
            self._make_ready(flight)
        elif self._journalled < AHEAD * self._most:
            self._journalled += 1
            self._journal(flight, setting.journal)
        else:
            self._behind.append(flight)

    def _is_prepared(self, flight: Flight) -> bool:
        if not self._prepared:
            try:
                self.model.prepare()
            except Exception as error:  # noqa: BLE001 - whatever a plugin raises, those who wait are told
                flight.fail(error)
                return False
            self._prepared = True
        return True

    def abandon(self, flight: Flight) -> None:
        """Nobody waits any more. What a server may have begun is left to end; all else is broken off."""
        if flight.sender is None and not flight.recording:
            flight.fail(asyncio.CancelledError())
            self._settle(flight, doubt=False)

    def _journal(self, flight: Flight, journal: Journal) -> None:
        """Asks for leave to send."""
        try:
            sent = self.purse.reservation(flight.call, flight.request)
        except InputError as error:
            flight.fail(error)
            self._no_longer_journalled()
            return
        journal.tell(sent, partial(self._guarded, flight, self._permitted))
        if self._journalled == 1:
            journal.hurry()  # nothing is under way that others could come with

    def _permitted(self, flight: Flight, outcome: Outcome | StorageError) -> None:
        tally = self._setting.tally
        self._without_room.discard(flight)
        match outcome:
            case Ticket():
                flight.ticket = outcome
                tally.in_doubt += outcome.in_doubt
                if flight.over:
                    self._settle(flight, doubt=False)
                else:
                    self._make_ready(flight)
                return
            case Known(reply=reply):
                self.looks_up = True
                tally.from_ledger += 1
                self.knew()
                self._no_longer_journalled()
                self._tell("from_ledger")
                flight.land(reply)
                return
            case StorageError():
                flight.fail(outcome)
            case NoRoom() if self.is_reached(outcome):
                flight.fail(self.purse.no_room(outcome))
            case _:  # another process has sent it, or a budget may have room in a moment
                if isinstance(outcome, NoRoom):
                    self._without_room.add(flight)
                wait = min(LOOK_AGAIN_S * LOOK_AGAIN_GROWS**flight.looked, SELDOM_S)
                flight.looked = min(flight.looked + 1, 64)
                self._later(wait, lambda: self._look_again(flight))
                return
        self._no_longer_journalled()

    def _look_again(self, flight: Flight) -> None:
        if not flight.over and (lost := self._circuit.lost()) is not None:
            flight.fail(lost)
        if flight.over or self._setting.journal is None:
            self._without_room.discard(flight)
            self._no_longer_journalled()
        else:
            self._journal(flight, self._setting.journal)

    def _no_longer_journalled(self) -> None:
        self._journalled -= 1
        while self._behind and self._journalled < AHEAD * self._most:
            self.begin(self._behind.popleft())
        self._let_go()

    def _make_ready(self, one: Flight | asyncio.Future[None]) -> None:
        self._ready.append(one)
        self.limiter.admit()

    # ------------------------------------------------------------ in a slot (``solon.stream.limiter.Line``)

    def tokens(self) -> float | None:
        """Tokens that the next request will take, about; ``None`` when none may go now."""
        while self._ready and (self._ready[0].over if isinstance(self._ready[0], Flight) else self._ready[0].done()):
            self._ready.popleft()
        if not self._ready or self._busy >= self._most or self._is_ended:
            return None
        first = self._ready[0]
        if not self.limiter.counts_tokens or not isinstance(first, Flight):
            return 0.0
        first.tokens = likely_tokens(first.request, self._reply_tokens)
        return first.tokens

    def go(self) -> None:
        """Sends the next request."""
        self._busy += 1
        first = self._ready.popleft()
        if not isinstance(first, Flight):
            first.set_result(None)
        elif not self._wake_for(first):
            self._tasks.add(asyncio.get_running_loop().create_task(self._work(first)))

    def _wake_for(self, flight: Flight | None) -> bool:
        """Whether there was a task to send it; without a flight, one that ends."""
        while self._idle:
            turn = self._idle.pop()
            if not turn.done():  # cancelled with its task
                turn.set_result(flight)
                return True
        return False

    async def _work(self, flight: Flight | None) -> None:
        """Sends one request after the other, as long as any is under way."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        try:
            while flight is not None:
                try:
                    await self._send(flight, task)
                except Exception as error:  # noqa: BLE001 - of somebody's ``on_event``, say: nobody may wait for ever
                    flight.fail(error)
                except BaseException:
                    self._leave()
                    raise
                turn: asyncio.Future[Flight | None] = loop.create_future()
                self._idle.append(turn)
                self._leave()
                flight = await turn
        finally:
            if task is not None:
                self._tasks.discard(task)

    def _leave(self) -> None:
        self._busy -= 1
        self.limiter.left()
        self._let_go()

    def _let_go(self) -> None:
        """No task outlives the calls."""
        if not self._busy and not self._journalled:
            while self._wake_for(None):
                pass

    async def _send(self, flight: Flight, task: asyncio.Task[None] | None) -> None:
        """One attempt. Whatever happens to it, its ticket is settled or turned into a reply."""
        if flight.over:  # abandoned since it got its slot: nothing is reserved for it any more
            return
        clock = self._setting.clock
        if (lost := self._circuit.lost()) is not None:
            self._settle(flight, doubt=False)
            flight.fail(lost)
            return
        flight.sender = task
        sent_at, since = clock.now(), time.time()
        self._setting.tally.sent += 1
        try:
            reply = await self.model.complete(flight.request)
            usd = self.model.cost_of(reply)
            answered = Answered.of(flight.call, reply, usd, sent_at=since, ticket=flight.ticket)
            self._count(flight, reply, usd)
        except ModelUnavailable as error:
            flight.sender = None
            self._throttle(error, sent_at)
            self._settle(flight, doubt=error.maybe_billed)
            self._try_again(flight, error)
        except ModelError as error:
            self._circuit.notice(error)
            self._settle(flight, doubt=False)
            flight.fail(error)
        except BaseException as error:
            # also what somebody's plugin raises: those who wait for its reply are told
            self._settle(flight, doubt=True)
            flight.fail(error)
            if not isinstance(error, Exception):
                # ended with the loop: its slot is for nobody, whoever is ready. A model may raise it of itself, too
                of_itself = isinstance(error, asyncio.CancelledError) and task is not None and not task.cancelling()
                self._is_ended = self._is_ended or not (flight.broken_off or of_itself)
                raise
        else:
            flight.sender, flight.recording = None, True
            self._record(flight, reply, answered)

    def _count(self, flight: Flight, reply: Reply, usd: float) -> None:
        usage = reply.usage
        self.limiter.succeeded()
        if flight.first_try:
            self._circuit.tried(answered=True)
        self._circuit.count(unavailable=False)
        self._setting.tally.add(reply, usd)
        if self.limiter.counts_tokens:
            self.limiter.counted(flight.tokens, usage.input_tokens + usage.output_tokens)
            before = usage.output_tokens if self._reply_tokens is None else self._reply_tokens
            self._reply_tokens = before + (usage.output_tokens - before) / REMEMBERED

    # ------------------------------------------------------------ what became of it

    def _record(self, flight: Flight, reply: Reply, answered: Answered) -> None:
        journal = self._setting.journal
        if journal is None:
            self._guarded(flight, self._recorded, Known(reply))
            return
        journal.note(answered)
        journal.tell(answered, partial(self._guarded, flight, self._recorded))
        if self._busy == 1 and not self._ready and not self._behind:
            journal.hurry()  # this was the last one under way
        if flight.ticket is not None:
            flight.ticket = None
            self._no_longer_journalled()

    def _recorded(self, flight: Flight, outcome: Outcome | StorageError) -> None:
        if isinstance(outcome, Known):
            self.looks_up = self.looks_up or outcome.earlier
            self._tell("answered")
            flight.land(outcome.reply)
        elif isinstance(outcome, StorageError):
            flight.fail(outcome)

    def _settle(self, flight: Flight, *, doubt: bool) -> None:
        ticket, flight.ticket = flight.ticket, None
        if ticket is not None and self._setting.journal is not None:
            self._setting.tally.in_doubt += doubt
            self._setting.journal.tell(Doubted(ticket) if doubt else Dropped(ticket), _unheard)
            self._no_longer_journalled()

    def _guarded(
        self, flight: Flight, step: Callable[[Flight, Outcome | StorageError], None], outcome: Outcome | StorageError
    ) -> None:
        """Whatever goes wrong in a step (in somebody's ``on_event``, say), nobody may wait for ever."""
        try:
            step(flight, outcome)
        except Exception as error:  # noqa: BLE001
            flight.fail(error)

    def _try_again(self, flight: Flight, error: ModelUnavailable) -> None:
        assert flight.attempts is not None
        first = flight.first_try
        if first and not error.throttled:
            self._circuit.tried(answered=False)
        now, well = self._setting.clock.now(), self._circuit.well
        wait = None if flight.abandoned else flight.attempts.wait(error, now, well=well)
        if wait is None:
            if first and error.throttled:  # to the end of its patience, which was one try
                self._circuit.tried(answered=False)
            self.gave_up(error)
            flight.fail(error)
            return
        self._retrying(error)
        if error.throttled:  # the limiter makes it wait, together with all others
            self.begin(flight)
        else:
            self._later(wait, lambda: self.begin(flight))

    # ------------------------------------------------------------ other deeds than single calls

    async def in_a_slot(self, deed: Callable[[], Awaitable[T]]) -> T:
        """One attempt at a call that asks for no reply, within the limits of the provider."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._make_ready(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise
        sent_at = self._setting.clock.now()
        try:
            self.check()
            with self._circuit.noticing():
                result = await deed()
        except ModelUnavailable as error:
            self._throttle(error, sent_at)
            raise
        else:
            self.limiter.succeeded()
            return result
        finally:
            self._leave()

    # ------------------------------------------------------------ small things

    def _later(self, seconds: float, deed: Callable[[], None]) -> None:
        async def wait() -> None:
            await self._setting.clock.sleep(seconds)
            deed()

        task = asyncio.get_running_loop().create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unheard(outcome: Outcome | StorageError) -> None:
    """For what nobody waits for; ``Journal.settle`` tells when it could not be written."""
