"""What comes of a batch: replies, recorded as they stream in, a few hundred at a time, and all that is no reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import assert_never

from solon.errors import ModelError, ModelRejected, ModelUnavailable, PromptTooLong, StorageError
from solon.ledger import Ledger
from solon.ledger.rows import Answered, Call, Change, Doubted, Dropped, Known, Outcome, Ticket
from solon.models.base import Reply, Request
from solon.models.batch import BatchApi, Collected, Refused
from solon.stream.clock import Clock
from solon.stream.journal import Journal
from solon.stream.lane import Lane
from solon.stream.pace import Pace
from solon.stream.retries import Retries
from solon.stream.tally import Event, EventKind, OnEvent, Tally

AT_ONCE = 500
"""How many results share a transaction: what memory holds of a batch, and what is read again after a kill."""


@dataclass(eq=False)
class Asked:
    """A request that somebody waits for.

    Attributes:
        size: bytes that it adds to a batch.
        failures: how often it came back without a reply.
        reply: what they wait for.
    """

    call: Call
    request: Request
    size: int
    failures: int = 0
    reply: asyncio.Future[Reply] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def name(self) -> str:
        """What it is called in a batch."""
        return name_of(self.call.key)


def name_of(key: str) -> str:
    """What the request with this key is called in a batch: 160 bits of it, so that a label fits beside them."""
    return key[:40]


@dataclass(frozen=True)
class Means:
    """What all batches of one model work with.

    Attributes:
        asked: those who wait, by the name of their request, in whatever batch it comes.
    """

    lane: Lane
    api: BatchApi
    ledger: Ledger | None
    journal: Journal | None
    asked: MutableMapping[str, Asked]
    clock: Clock
    retries: Retries
    pace: Pace
    tally: Tally
    on_event: OnEvent

    def tell(self, kind: EventKind, detail: str = "") -> None:
        """An event of this model."""
        self.on_event(Event(kind, self.lane.model.name, detail))

    async def write(self, *changes: Change) -> list[Outcome]:
        """Records all of them, which share a transaction; nothing without a ledger."""
        if self.journal is None:
            return [None] * len(changes)
        return list(await asyncio.gather(*map(self.journal.write, changes)))


class Harvest:
    """What one batch has brought so far.

    Attributes:
        begun: whether anything was collected.
        replies: how many replies there were.
        again: what to ask again, and why; ``None`` where no try was used up.
        refused: what not to ask again, each for a reason of its own.
        rejected: why the model has to be asked no more.
        problem: why the whole batch came back without an answer.
        nameless: results that could not be read and do not say whose they are.
        calls: those of this batch that nobody waits for, by name, as far as they are needed now.
    """

    def __init__(self, means: Means, rows: MutableMapping[str, Ticket | None]) -> None:
        self.begun = False
        self.replies = 0
        self.again: list[tuple[str, ModelUnavailable | None]] = []
        self.refused: list[tuple[str, Refused | PromptTooLong]] = []
        self.rejected: ModelRejected | None = None
        self.problem: ModelUnavailable | None = None
        self.nameless = 0
        self._means = means
        self._rows = rows
        self.calls: dict[str, Call] = {}

    async def gather(self, batch: str, sent_at: float) -> None:
        """Collects what there is, and takes it out of the rows. What was collected before is not asked for again."""
        self.begun, self.nameless = True, 0
        pending: dict[str, Collected] = {}
        async with aclosing(self._means.api.collect(batch, self._request_of)) as results:
            async for name, came in results:
                if name in self._rows:
                    pending[name] = came
                elif not name:
                    self.nameless += 1
                if len(pending) >= AT_ONCE:
                    await self._take_in(pending, sent_at)
                    pending = {}
        await self._take_in(pending, sent_at)

    async def _take_in(self, pending: dict[str, Collected], sent_at: float) -> None:
        """Records a part of the results, and then hands them on."""
        changes = [self._change(name, came, sent_at) for name, came in pending.items()]
        outcomes = await self._means.write(*changes)
        for (name, came), change, outcome in zip(pending.items(), changes, outcomes, strict=True):
            del self._rows[name]
            self.calls.pop(name, None)
            match came:
                case Reply():
                    assert isinstance(change, Answered)
                    self._reply(name, change, outcome.reply if isinstance(outcome, Known) else change.reply)
                case Refused() | PromptTooLong():
                    self.refused.append((name, came))
                case ModelRejected():
                    self.rejected = self.rejected or came
                    self.again.append((name, None))
                case ModelUnavailable():
                    self.again.append((name, came))
                case ModelError():
                    self.again.append((name, ModelUnavailable(str(came))))
                case _:
                    assert_never(came)

    def _reply(self, name: str, answered: Answered, reply: Reply) -> None:
        self.replies += 1
        self._means.tally.add(answered.reply, self._means.lane.model.cost_of(answered.reply))
        asked = self._means.asked.get(name)
        if asked is not None and not asked.reply.done():
            asked.reply.set_result(reply)
        self._means.tell("answered")

    def _change(self, name: str, came: Collected, sent_at: float) -> Change:
        ticket = self._rows[name]
        if isinstance(came, Reply):
            reply = came.model_copy(update={"batched": True})
            cost = self._means.lane.model.cost_of(reply)
            return Answered.of(self._call_of(name), reply, cost, sent_at=sent_at, ticket=ticket)
        # the ticket is there wherever there is a ledger, and without one nothing is written
        known = ticket or Ticket(0, 0)
        return Doubted(known) if isinstance(came, ModelUnavailable) and came.maybe_billed else Dropped(known)

    def _request_of(self, name: str) -> Request | None:
        if name not in self._rows:
            return None
        asked = self._means.asked.get(name)
        return asked.request if asked is not None else _request(self._call_of(name))

    def _call_of(self, name: str) -> Call:
        """The call of that name: of whoever waits for it, or of an earlier process, from the ledger."""
        asked = self._means.asked.get(name)
        if asked is not None:
            return asked.call
        call = self.calls.get(name)
        if call is None:
            ticket, ledger = self._rows[name], self._means.ledger
            call = None if ticket is None or ledger is None else ledger.open_call(ticket)
            if call is None:
                raise StorageError("a call that is under way is gone from the ledger: was it changed by hand?")
            self.calls[name] = call
        return call


def _request(call: Call) -> Request:
    return Request.model_validate(json.loads(call.request))
