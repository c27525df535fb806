"""One call under way: who waits for it, how far it is, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from solon.ledger.rows import Call, Ticket
from solon.models.base import Reply, Request
from solon.stream.retries import Attempts

if TYPE_CHECKING:
    from solon.stream.lane import Lane


class Gatherer(Protocol):
    """Puts requests into batches."""

    def abandon(self, key: str) -> None:
        """Nobody wants this reply any more."""
        ...


class Flight:
    """A call from its first request to its reply. Those who ask for the same call share it.

    Args:
        lane: the way to its model.
        call: as the ledger names it.
        request: what is asked.
        landed: told when it is over.

    Attributes:
        gatherer: who puts it into a batch with others; ``None`` when it goes by itself.
        ticket: leave to send it, journalled.
        attempts: its tries so far; made when it is first tried.
        looked: how often it was looked whether it may go now.
        tokens: what its request was expected to take.
        sender: the task that is sending it. The server may have the request by then, so its answer is waited for and
            recorded even if nobody asks any more.
        recording: the reply came and is being written down.
        abandoned: nobody asks any more, so it is not tried again.
        broken_off: its server took too long to answer after that.
    """

    __slots__ = (
        "_end",
        "_landed",
        "_landing",
        "_waiting",
        "abandoned",
        "attempts",
        "broken_off",
        "call",
        "gatherer",
        "lane",
        "looked",
        "recording",
        "request",
        "sender",
        "ticket",
        "tokens",
    )

    def __init__(self, lane: Lane, call: Call, request: Request, landed: Callable[[Flight], None]) -> None:
        self.lane = lane
        self.call = call
        self.request = request
        self.gatherer: Gatherer | None = None
        self._landed = landed
        self.ticket: Ticket | None = None
        self.attempts: Attempts | None = None
        self.looked = 0
        self.tokens = 0.0
        self.sender: asyncio.Task[None] | None = None
        self.recording = False
        self.abandoned = False
        self.broken_off = False
        self._end: Reply | BaseException | None = None
        self._waiting: list[asyncio.Future[Reply]] = []
        self._landing: asyncio.Future[None] | None = None

    @property
    def over(self) -> bool:
        """Whether its reply, or why there is none, was handed out."""
        return self._end is not None

    @property
    def first_try(self) -> bool:
        """Whether no try of it has failed."""
        return self.attempts is None or not self.attempts.failures

    async def reply(self) -> Reply:
        """Waits for the reply. Whoever waits may go without the others noticing; the last one leaves it abandoned."""
        if isinstance(self._end, Reply):
            return self._end
        if self._end is not None:
            raise self._end
        mine: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self.abandoned = False
        try:
            return await mine
        except asyncio.CancelledError:
            self._waiting = [other for other in self._waiting if other is not mine]
            self.abandoned = not self._waiting and not self.over
            raise

    def landing(self) -> asyncio.Future[None]:
        """Done once the call is over."""
        if self._landing is None:
            self._landing = asyncio.get_running_loop().create_future()
            if self.over:
                self._landing.set_result(None)
        return self._landing

    def land(self, reply: Reply) -> None:
        """Hands the reply out."""
        if self.over:
            return
        self._ended(reply)
        for one in self._waiting:
            if not one.done():
                one.set_result(reply)

    def fail(self, error: BaseException) -> None:
        """Tells all who wait why there is no reply."""
        if self.over:
            return
        self._ended(error)
        for one in self._waiting:
            if one.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                one.cancel()
            else:
                one.set_exception(error)

    def end_as(self, reply: asyncio.Future[Reply]) -> None:
        """Ends as the future did that stood for it in a batch."""
        if self.over:
            return
        if reply.cancelled():
            self.fail(asyncio.CancelledError())
        elif (error := reply.exception()) is not None:
            self.fail(error)
        else:
            self.land(reply.result())

    def break_off(self) -> None:
        """Waits no longer for the server."""
        if self.sender is not None:
            self.broken_off = True
            self.sender.cancel()

    def _ended(self, end: Reply | BaseException) -> None:
        self._end = end
        self._landed(self)
        if self._landing is not None and not self._landing.done():
            self._landing.set_result(None)
