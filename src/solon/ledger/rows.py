"""What goes into the ledger, what it answers, and what comes out of it.

Money is counted in whole nano-dollars, rounded up, so that a budget adds up exactly however often it is added to.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from solon.data.identity import sha256_of
from solon.data.records import Usage, canonical
from solon.models.base import ChatModel, Reply, Request, written

NANO = 1_000_000_000

UNKNOWN = "{}"
"""The description of a model of which a damaged ledger held only the id, until the model is asked again."""


def nano(usd: float) -> int:
    """US dollars as whole nano-dollars, rounded up."""
    return 0 if usd == 0 else math.ceil(round(usd * NANO, 3))


def id_of(description: str) -> str:
    """The name of a model's description: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(description.encode("ascii")).hexdigest()[:16]


def key_of(description: str, request: str) -> str:
    """The key of a call: the hash of the canonical JSON of the pair, put together from its two halves."""
    return sha256_of(f'{{"model":{description},"request":{request}}}'.encode("ascii"))


class Call(NamedTuple):
    """One request to one model, as the ledger names and keeps it.

    Attributes:
        key: ``digest({"model": model.describe(), "request": request.content()})``.
        model: the model's short name, for people.
        description: canonical JSON of ``model.describe()``.
        request: canonical JSON of the request.
        run, stage: who asks. Not part of the key: another run that asks the same gets the same reply.
    """

    key: str
    model: str
    description: str
    request: str
    run: str = ""
    stage: str = ""

    @property
    def description_id(self) -> str:
        """16 hexadecimal digits that name the description."""
        return id_of(self.description)

    @classmethod
    def of(
        cls, model: ChatModel, request: Request, *, run: str = "", stage: str = "", description: str | None = None
    ) -> Call:
        """The call of ``model`` with ``request``; pass ``description`` where it is known already, it is not cheap."""
        described = canonical(model.describe()) if description is None else description
        asked = request.written()
        return cls(key_of(described, asked), model.name, described, asked, run, stage)


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on what all calls under one name may cost together, over all processes and runs that use the ledger."""

    name: str
    cap_usd: float


# ---------------------------------------------------------------- changes: what is written


class Sent(NamedTuple):
    """A request is about to go out: its worst-case cost is reserved in each budget, in the same transaction."""

    call: Call
    reserve: int
    budgets: tuple[Budget, ...] = ()


class Answered(NamedTuple):
    """A reply came. ``ticket`` is that of its ``Sent``; ``None`` for models that run here."""

    call: Call
    reply: Reply
    text: str
    cost: int
    sent_at: float
    ticket: Ticket | None = None

    @classmethod
    def of(cls, call: Call, reply: Reply, cost_usd: float, *, sent_at: float, ticket: Ticket | None = None) -> Answered:
        """Writes the reply out as JSON. ``ValueError`` when it holds a number that JSON does not have."""
        return cls(call, reply, written(reply), nano(cost_usd), sent_at, ticket)


@dataclass(frozen=True, slots=True)
class Dropped:
    """The server said that it will not do the work: nothing is owed, the reservation is free again."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Doubted:
    """Nobody knows whether the work was done and billed: the reservation counts as spent."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Gathered:
    """Many requests are about to go out as one batch. Each is decided on by itself, as a single ``Sent`` is.

    Those that get a ``Ticket`` are the batch; where none does, there is no batch.

    Attributes:
        label: names the submission; 16 hexadecimal digits.
        provider: who is to answer, for people.
    """

    label: str
    provider: str
    sent: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider has the batch, under this id."""

    label: str
    id: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Nobody is at work on this batch any more; this process goes on with it."""

    label: str


@dataclass(frozen=True, slots=True)
class Left:
    """This process works no more on the batch, which goes on at the provider; any process may take it over."""

    label: str


Ending = Literal["collected", "refused", "lost"]
"""``collected``: what came is recorded. ``refused``: nothing of it was or will be done. ``lost``: nobody knows."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes of the batch. What of it is still open is dropped; when it is ``lost``, it is in doubt."""

    label: str
    how: Ending


Change = Sent | Answered | Dropped | Doubted | Gathered | Submitted | TakenOver | Left | Ended


# ---------------------------------------------------------------- outcomes: what the ledger says to a change


class Ticket(NamedTuple):
    """Leave to send. ``in_doubt`` counts earlier sendings of the same call of which nobody knows how they ended."""

    id: int
    reserved: int
    budgets: tuple[str, ...] = ()
    in_doubt: int = 0


class Known(NamedTuple):
    """The reply that the ledger holds for this call; ``earlier`` when it was there before the one that came now."""

    reply: Reply
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process that is alive has sent this very call and not heard yet."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The reservation would pass a cap, so nothing was reserved.

    Attributes:
        budget: which.
        cap, needed: of the budget, and of this call, in nano-dollars.
        spent: what is spent for good, calls in doubt included, in nano-dollars.
        in_doubt: the part of ``spent`` that is in doubt.
        left_out: the part of that which batches hold that a process has left and that go on at their provider.
    """

    budget: str
    cap: int
    needed: int
    spent: int
    in_doubt: int
    left_out: int = 0

    @property
    def for_good(self) -> bool:
        """Whether it would not fit even if all calls under way turned out to cost nothing."""
        return self.spent + self.needed > self.cap

    @property
    def until_collected(self) -> bool:
        """Whether it does not fit for good, and yet might once those batches have come back."""
        return self.for_good and self.spent - self.left_out + self.needed <= self.cap


@dataclass(frozen=True, slots=True)
class InBatch:
    """This very call is in a batch that nobody is at work on: take that over instead of sending it again."""

    label: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What the ledger says to each request of a ``Gathered``, in order."""

    outcomes: tuple[Ticket | Known | Elsewhere | NoRoom | InBatch, ...]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A batch that was taken over.

    Attributes:
        id: the provider's; ``None`` when nobody knows whether the submission arrived.
        submitted_at: when it was about to go out, in seconds since 1970.
        open: the key and the ticket of each request that has neither a reply nor an error yet.
        requests: how many it was submitted with.
    """

    label: str
    id: str | None
    submitted_at: float
    open: tuple[tuple[str, Ticket], ...]
    requests: int


Outcome = Ticket | Known | Elsewhere | NoRoom | InBatch | Decided | Resumed | None


# ---------------------------------------------------------------- what is read


@dataclass(frozen=True, slots=True)
class Entry:
    """One reply with all that is known of it. Times are seconds since 1970."""

    key: str
    run: str
    stage: str
    model: str
    description: dict[str, Any]
    request: Request
    reply: Reply
    cost_usd: float
    sent_at: float
    replied_at: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """A call that was sent and of which nobody knows how it ended.

    Attributes:
        reserved_usd: the most it can have cost; counted as spent.
        answered: whether the same call was asked again since, and answered.
    """

    key: str
    run: str
    stage: str
    model: str
    request: Request
    reserved_usd: float
    sent_at: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Total:
    """What one model was paid: replies, tokens, dollars, and beside them what is in doubt."""

    model: str
    replies: int
    usage: Usage
    cost_usd: float
    in_doubt: int
    in_doubt_usd: float


Phase = Literal["submitting", "submitted"] | Ending


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch at a provider, as far as the ledger knows.

    Attributes:
        label: names the submission.
        id: the provider's name for it; ``None`` when nobody knows whether it arrived.
        provider, model: who answers, for people.
        run, stage: who asked.
        requests: how many it was submitted with.
        open: how many of them have neither a reply nor an error yet.
        phase: ``submitting``, ``submitted``, or how it ended.
        at_work: whether a process that is alive waits for it.
        submitted_at: when it was about to go out, in seconds since 1970.
        ended_at: when it was collected or given up; ``None`` before.
    """

    label: str
    id: str | None
    provider: str
    model: str
    run: str
    stage: str
    requests: int
    open: int
    phase: Phase
    at_work: bool
    submitted_at: float
    ended_at: float | None
