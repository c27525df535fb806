"""All calls of one model: its slots, its retries, its health, and what is journalled of each sending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from solon.data.records import canonical
from solon.errors import (
    BudgetReached,
    InputError,
    ModelDown,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    PromptTooLong,
)
from solon.ledger.rows import (
    NANO,
    Answered,
    Budget,
    Call,
    Doubted,
    Dropped,
    Elsewhere,
    Known,
    NoRoom,
    Outcome,
    Sent,
    Ticket,
    nano,
)
from solon.models.base import ChatModel, Reply, Request
from solon.models.estimate import most_usd
from solon.stream.circuit import FIRST, SHARE, WINDOW, Circuit
from solon.stream.clock import Clock
from solon.stream.journal import Journal
from solon.stream.limiter import Limiter
from solon.stream.retries import Retries
from solon.stream.tally import Event, EventKind, OnEvent, Tally

LOOK_AGAIN_S = 0.05
"""How often to look whether another process has its reply, or whether a budget has room again."""

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What all lanes of a stream share."""

    journal: Journal | None
    budgets: tuple[Budget, ...]
    retries: Retries
    clock: Clock
    tally: Tally
    on_event: OnEvent


class Flight:
    """One call under way, and whether it may be broken off.

    Attributes:
        sending: the server may have the request, so its answer is waited for and recorded even if nobody asks any more.
        abandoned: nobody asks any more, so it is not tried again.
    """

    __slots__ = ("abandoned", "sending")

    def __init__(self) -> None:
        self.sending = False
        self.abandoned = False


class Lane:
    """The way to one model. Models with the same description share one."""

    def __init__(self, model: ChatModel, description: str, setting: Setting) -> None:
        self.model = model
        self.description = description
        self._setting = setting
        self._limiter = Limiter(model.max_in_flight, setting.clock)
        # requests are journalled before they take a slot, so that no slot stands idle while the disk works
        self._gate = asyncio.Semaphore(2 * model.max_in_flight)
        self._circuit = Circuit()
        self._rejected: ModelRejected | None = None

    @classmethod
    def description_of(cls, model: ChatModel) -> str:
        """What the ledger's key holds of the model, as canonical JSON."""
        return canonical(model.describe())

    def check(self) -> None:
        """Raises what makes any further call of this model pointless.

        Raises:
            ModelDown: most recent calls failed.
            ModelRejected: an earlier call was refused for good.
        """
        if self._rejected is not None:
            raise ModelRejected(str(self._rejected)) from self._rejected
        if self._circuit.open:
            raise ModelDown(
                f"{self.model.name} is down: {self._circuit.failed} of {self._circuit.finished} calls failed after all "
                f"their retries (the first {FIRST}, or {SHARE:.0%} of the last {WINDOW}). Everything so far is kept; "
                "run the same command again when it answers"
            )

    async def answer(self, call: Call, request: Request, flight: Flight) -> Reply:
        """The reply of the model to one request: sent, tried again as long as that may help, and recorded."""
        return await self._persist(call.key, flight, lambda: self._attempt(call, request, flight))

    async def answer_batch(self, requests: Sequence[Request], key: str) -> list[Reply]:
        """The replies of a local model to a chunk of requests. Not recorded: the flush does that for all chunks."""

        async def attempt() -> list[Reply]:
            self.check()
            self._setting.tally.sent += len(requests)
            with self._noticing():
                replies = await self.model.complete_batch(requests)
            if len(replies) != len(requests):
                raise ModelError(f"{self.model.name} gave {len(replies)} replies to {len(requests)} requests")
            return replies

        return await self._persist(key, Flight(), attempt)

    def close(self) -> None:
        """Lets the timers go."""
        self._limiter.close()

    # ------------------------------------------------------------ the one retry loop

    async def _persist(self, key: str, flight: Flight, attempt: Callable[[], Awaitable[T]]) -> T:
        """Tries until it works, the tries are used up, patience is at its end, or the model is lost."""
        retries, clock, tally = self._setting.retries, self._setting.clock, self._setting.tally
        deadline = clock.now() + retries.patience_s
        failures = 0
        while True:
            try:
                result = await attempt()
            except ModelUnavailable as error:
                if error.throttled:
                    tally.throttled += 1
                    wait = error.retry_after or 0.0
                else:
                    failures += 1
                    wait = retries.wait(key, failures, error.retry_after)
                if failures >= retries.tries or clock.now() + wait > deadline or flight.abandoned:
                    self._circuit.count(unavailable=True)
                    tally.unavailable += 1
                    self._tell("unavailable", str(error))
                    raise
                self._tell("retry", str(error))
                tally.retried += 1
                if not error.throttled:  # the limiter makes that wait, for all callers together
                    await clock.sleep(wait)
            else:
                self._circuit.count(unavailable=False)
                return result

    # ------------------------------------------------------------ one attempt

    async def _attempt(self, call: Call, request: Request, flight: Flight) -> Reply:
        setting = self._setting
        async with self._gate:
            self.check()
            permit = await self._permit(call, request)
            if isinstance(permit, Reply):
                setting.tally.from_ledger += 1
                self._tell("from_ledger")
                return permit
            sent_at = time.time()
            reply = await self._send(request, permit, flight)
        try:
            usd = self.model.cost_of(reply)
            answered = Answered.of(call, reply, usd, sent_at=sent_at, ticket=permit)
        except BaseException:
            self._settle(permit, doubt=True)
            raise
        setting.tally.add(reply, usd)
        if setting.journal is not None:
            outcome = await setting.journal.write(answered)
            assert isinstance(outcome, Known)
            reply = outcome.reply
        self._tell("answered")
        return reply

    async def _send(self, request: Request, ticket: Ticket | None, flight: Flight) -> Reply:
        """One sending, in a slot. Whatever happens to it, its ticket is settled."""
        doubt = False
        sent_at = self._setting.clock.now()
        try:
            await self._limiter.acquire()
            try:
                self.check()
                flight.sending = doubt = True
                sent_at = self._setting.clock.now()
                self._setting.tally.sent += 1
                with self._noticing():
                    reply = await self.model.complete(request)
            finally:
                self._limiter.release()
        except ModelUnavailable as error:
            flight.sending = False
            self._settle(ticket, doubt=error.maybe_billed)
            if error.throttled and self._limiter.throttled(sent_at, error.retry_after):
                self._tell("throttled", f"{error}; now {self._limiter.slots} at a time")
            raise
        except ModelError:
            self._settle(ticket, doubt=False)
            raise
        except BaseException:
            self._settle(ticket, doubt=doubt)
            raise
        self._limiter.succeeded()
        return reply

    def _settle(self, ticket: Ticket | None, *, doubt: bool) -> None:
        journal = self._setting.journal
        if ticket is not None and journal is not None:
            self._setting.tally.in_doubt += doubt
            journal.write(Doubted(ticket) if doubt else Dropped(ticket))

    async def _permit(self, call: Call, request: Request) -> Ticket | Reply | None:
        """Leave to send, journalled with its worst-case cost; or the reply, if another process got it meanwhile."""
        setting = self._setting
        if setting.journal is None or not self.model.remote:
            return None
        if self.model.cost() is None:
            raise InputError(
                f"the price of {self.model.name} is not known, so nothing is asked of it: state it as "
                "`price: {input: ..., output: ...}`, in US dollars for a million tokens (0 if it is free)"
            )
        reserve = nano(most_usd(self.model, request))
        budgets = setting.budgets if reserve else ()  # what costs nothing passes no cap, not even one that is reached
        while True:
            outcome: Outcome = await setting.journal.send(Sent(call, reserve, budgets))
            match outcome:
                case Ticket():
                    setting.tally.in_doubt += outcome.in_doubt
                    return outcome
                case Known(reply=reply):
                    return reply
                case NoRoom() if outcome.for_good:
                    raise _reached(outcome, self.model.name)
                case NoRoom() | Elsewhere() | None:
                    await setting.clock.sleep(LOOK_AGAIN_S)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Remembers it when the model refuses for good, so that it is asked no more."""
        try:
            yield
        except PromptTooLong:
            raise
        except ModelRejected as error:
            self._rejected = self._rejected or error
            raise

    def _tell(self, kind: EventKind, detail: str = "") -> None:
        self._setting.on_event(Event(kind, self.model.name, detail))


def _reached(full: NoRoom, model: str) -> BudgetReached:
    doubt = f", ${full.in_doubt / NANO:.4f} of it in doubt" if full.in_doubt else ""
    return BudgetReached(
        f"budget {full.budget!r} is reached: ${full.spent / NANO:.4f} of ${full.cap / NANO:.4f} is spent{doubt}, and "
        f"the next request to {model} could cost ${full.needed / NANO:.4f}. Everything so far is kept; raise max_usd "
        "to go on"
    )
