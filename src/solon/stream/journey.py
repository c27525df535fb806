"""The way of one provider batch: recorded, handed over, waited for, brought home. Each step is on disk before the next.

Wherever it is cut off, the ledger says how far it was, and the next process goes on from there
(docs/design/batches.md).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, assert_never

from solon.errors import ModelDown, ModelRejected, ModelUnavailable
from solon.ledger.rows import (
    Decided,
    Doubted,
    Ended,
    Ending,
    Gathered,
    Left,
    Outcome,
    Resumed,
    Submitted,
    TakenOver,
    Ticket,
)
from solon.models.base import Request
from solon.models.batch import Arrival
from solon.stream.harvest import Asked, Harvest, Means, name_of

T = TypeVar("T")


class Journey:
    """One batch under way. ``start`` or ``resume`` does all of it.

    Attributes:
        label: names the submission.
        rows: the tickets of what is still to come, by name.
        size: how many requests it was submitted with.
        busy: whether what it does now is worth waiting for, even when somebody wants to go.
        harvest: what has come of it.
    """

    def __init__(self, means: Means, label: str) -> None:
        self.label = label
        self.rows: dict[str, Ticket | None] = {}
        self.busy = True
        self.harvest = Harvest(means, self.rows)
        self.size = 0
        self._means = means
        self._id: str | None = None
        self._submitted_at = time.time()
        self._begun_at: float | None = means.clock.now()  # unknown of one that another process began
        self._heard_at = means.clock.now()
        self._recorded = False

    @property
    def collecting(self) -> bool:
        """Whether replies are coming in right now, each of which may bring new requests."""
        return self.busy and self.harvest.begun

    # ------------------------------------------------------------ its two beginnings

    async def start(self, taken: Sequence[Asked], decide: Callable[[Sequence[Asked], Sequence[Outcome]], None]) -> None:
        """Records the batch, hands it over and brings it home.

        Args:
            taken: what shall go out.
            decide: told what the ledger says to each of them; those with a ticket go out.

        Raises:
            ModelRejected: key, quota or model are wrong.
            ModelDown: the provider cannot be reached. What was handed over is recorded.
            StorageError: the ledger cannot be written.
        """
        means = self._means
        tickets = await self._record(taken)
        decide(taken, tickets)
        going = [(one, ticket) for one, ticket in zip(taken, tickets, strict=True) if _may_go(ticket)]
        self.rows.update((one.name, ticket if isinstance(ticket, Ticket) else None) for one, ticket in going)
        self.size = len(self.rows)
        if not self.rows:
            return
        means.tally.sent += self.size
        means.tally.retried += sum(one.failures > 0 for one, _ in going)
        means.tally.in_doubt += sum(ticket.in_doubt for _, ticket in going if isinstance(ticket, Ticket))
        if means.journal is None:
            self.harvest.calls.update((one.name, one.call) for one, _ in going)
        if await self._hand_over({one.name: one.request for one, _ in going}):
            await self._go_on(f"{self.size:,} requests handed over", look_at_once=False)

    async def resume(self) -> None:
        """Goes on with a batch of a process that has ended. Nothing happens when another process was first."""
        means = self._means
        (resumed,) = await means.write(TakenOver(self.label))
        if not isinstance(resumed, Resumed):
            return
        self._recorded = True
        self._id, self.size, self._submitted_at = resumed.id, resumed.requests, resumed.submitted_at
        self._begun_at = None
        self.rows.update((name_of(key), ticket) for key, ticket in resumed.open)
        if self._id is None:
            arrival = await self._search()
            if arrival.id is None:
                # those who want it ask again, and perhaps in other company
                await (self._end("refused") if arrival.sure else self._lose())
                return
            self._id = arrival.id
        await self._go_on(
            f"taken up again, {len(self.rows):,} of {self.size:,} requests are to come", look_at_once=True
        )

    async def leave(self) -> None:
        """Lets another process go on with it, if there is anything to go on with."""
        if self._recorded:
            self._recorded = False
            await self._means.write(Left(self.label))
            if self._id is not None:
                self._means.tell("batch", f"{self._id} goes on at the provider; the same command picks it up")

    async def _record(self, taken: Sequence[Asked]) -> Sequence[Outcome]:
        lane = self._means.lane
        sent = tuple(lane.purse.reservation(one.call, one.request, batched=True) for one in taken)
        (decided,) = await self._means.write(Gathered(self.label, lane.model.kind, sent))
        if not isinstance(decided, Decided):  # no ledger
            return [None] * len(taken)
        self._recorded = any(isinstance(outcome, Ticket) for outcome in decided.outcomes)
        return decided.outcomes

    # ------------------------------------------------------------ handed over

    async def _hand_over(self, requests: Mapping[str, Request]) -> bool:
        """Whether it arrived. Submits nothing again that may have arrived."""
        means = self._means
        unseen, throttled = False, 0

        async def attempt() -> str | None:
            nonlocal unseen, throttled
            if unseen:
                arrival = await self._search()
                if arrival.id is not None or not arrival.sure:
                    return arrival.id
            try:
                return await means.lane.in_a_slot(lambda: means.api.submit(requests, label=self.label))
            except ModelUnavailable as error:
                unseen = error.maybe_billed
                throttled += error.throttled
                if throttled >= means.retries.tries:
                    raise _TooMuchError(error) from error
                raise

        try:
            self._id = await means.lane.administer(self.label, attempt)
        except _TooMuchError as error:
            await self._refused(error.why)
            return False
        except ModelUnavailable as error:
            if not unseen:
                await self._end("refused")
            raise self._down(error) from error
        except ModelRejected:
            await self._end("refused")
            raise
        if self._id is None:
            await self._lose()
        return self._id is not None

    async def _search(self) -> Arrival:
        """Whether the submission arrived, asked until it is sure, or until it no longer makes sense."""
        means, pace = self._means, self._means.pace
        began, wait = means.clock.now(), pace.first_s
        # how long ago it went out: by the wall clock where another process sent it, not below 0 as it may have been put
        # back since. It may have been put forward too, so what has to settle settles anew: a batch that is not there
        # yet is not taken for one that never will be, and paid for twice
        age = max(0.0, time.time() - self._submitted_at) if self._begun_at is None else began - self._begun_at
        settled = 0.0 if self._begun_at is None else age
        self._heard_at, self.busy = began, False
        while True:
            arrival = await self._look(
                lambda: means.api.find(self.label, since=self._submitted_at, requests=self.size)
            ) or Arrival(sure=False)
            since = means.clock.now() - began
            enough = arrival.sure or age + since >= pace.give_up_s
            if arrival.id is not None or (enough and settled + since >= pace.settle_s):
                self.busy = True
                return arrival
            means.tell("waiting", f"looking whether a batch of {self.size:,} requests has arrived")
            # where it only has to settle, no longer than that takes
            await means.clock.sleep(min(wait, pace.settle_s - settled - since) if arrival.sure else wait)
            wait = min(wait * pace.factor, pace.longest_s)

    # ------------------------------------------------------------ waited for, and brought home

    async def _go_on(self, told: str, *, look_at_once: bool) -> None:
        assert self._id is not None
        await self._means.write(Submitted(self.label, self._id))
        self._means.tell("batch", f"{self._id}: {told}")
        self.busy = False
        problem = await self._until_ended(look_at_once)
        self.busy = True
        match problem:
            case ModelRejected():
                await self._end("refused")
                self._means.lane.reject(problem)
                raise problem
            case ModelUnavailable():
                await self._refused(problem)
            case None:
                await self._collect()
                await self._end("collected", why=await self._why_missing())
            case _:
                assert_never(problem)

    async def _until_ended(self, look_at_once: bool) -> ModelUnavailable | ModelRejected | None:
        """Waits; why the whole batch was refused, if it was."""
        means, pace, batch = self._means, self._means.pace, self._id
        assert batch is not None
        self._heard_at = means.clock.now()
        wait = pace.first_s
        while True:
            if not look_at_once:
                await means.clock.sleep(wait)
                wait = min(wait * pace.factor, pace.longest_s)
            look_at_once = False
            state = await self._look(lambda: means.api.poll(batch))
            if state is not None:
                means.tell("waiting", f"{batch}: {state.done:,} of {state.total or self.size:,} done")
                if state.ended:
                    return state.problem

    async def _why_missing(self) -> str:
        """What to say of those that did not come. One of them may be a result that could not be read: all in doubt."""
        why = "did not come back with its batch"
        if not self.harvest.nameless:
            return why
        await self._means.write(*(Doubted(ticket) for ticket in self.rows.values() if ticket is not None))
        return f"{why}, {self.harvest.nameless:,} of whose results cannot be read"

    async def _collect(self) -> None:
        means, batch = self._means, self._id
        assert batch is not None

        async def attempt() -> None:
            await means.lane.in_a_slot(lambda: self.harvest.gather(batch, self._submitted_at))

        try:
            await means.lane.administer(self.label, attempt)
        except ModelUnavailable as error:
            raise self._down(error) from error

    async def _look(self, deed: Callable[[], Awaitable[T]]) -> T | None:
        """What the provider says; ``None`` as long as it cannot be reached, for which a batch has much patience."""
        means = self._means
        try:
            said = await means.lane.in_a_slot(deed)
        except ModelUnavailable as error:
            if means.clock.now() - self._heard_at > means.retries.patience_s:
                raise self._down(error) from error
            means.tell("retry", str(error))
            return None
        self._heard_at = means.clock.now()
        return said

    async def _refused(self, problem: ModelUnavailable) -> None:
        self.harvest.problem = problem
        # one that only asks for less at once uses up no try, as long as there is less
        less = problem.throttled and self.size > 1
        await self._end("refused", why="" if less else f"came back with its batch: {problem}")

    async def _lose(self) -> None:
        await self._end("lost", why="went out with a batch of which nobody knows what became")

    async def _end(self, how: Ending, *, why: str = "") -> None:
        """Nothing more comes of it. ``why`` is what to say to those who got nothing; empty where no try was used up."""
        await self._means.write(Ended(self.label, how))
        self._recorded = False
        error = ModelUnavailable(f"{self._means.lane.model.name}: the request {why}", maybe_billed=how == "lost")
        self.harvest.again += [(name, error if why else None) for name in self.rows]
        self.rows.clear()

    def _down(self, error: ModelUnavailable) -> ModelDown:
        what = f"its batch {self._id}" if self._id is not None else f"a batch of {self.size:,} requests"
        return ModelDown(
            f"{self._means.lane.model.name}: {what} cannot be asked about: {error}. Everything so far is kept; run the "
            "same command again when it answers"
        )


def _may_go(outcome: Outcome) -> bool:
    return outcome is None or isinstance(outcome, Ticket)


class _TooMuchError(Exception):
    """The provider has been asking for less at once for long enough."""

    def __init__(self, why: ModelUnavailable) -> None:
        super().__init__(str(why))
        self.why = why
