"""Gathers the requests of a model whose provider takes batches, so that a whole stage goes out at once.

A batch is made when nobody can add to it, when it is full, or when the first of its requests has waited long enough.
Replies are keyed by content and do not depend on what else is in the batch, so batches need not be the same after a
kill; what went out is not sent again, whatever batch it is in. docs/design/batches.md says more.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.ledger.rows import Call, Elsewhere, InBatch, Known, NoRoom, Outcome
from solon.models.base import Reply, Request
from solon.models.batch import Refused
from solon.stream.batches import QUIET_ROUNDS
from solon.stream.harvest import Asked, Means, name_of
from solon.stream.journey import Journey

LOOK_S = 0.1
"""How often to look whether other models have come to rest."""

LOOK_AGAIN_S, LOOK_AGAIN_AT_MOST_S = 0.5, 60.0
"""How soon to look whether another process has a reply or has let a budget go; each further wait is twice as long."""

LEAVE_S = 30.0
"""How long, when a stage stops, to wait for a batch that is just being handed over or collected."""


class ProviderBatches:
    """The way to one model by its provider's batches.

    Args:
        means: what its batches work with.
        busy: whether anything goes on in the stream that may soon bring new requests.
    """

    def __init__(self, means: Means, busy: Callable[[], bool]) -> None:
        self._means = means
        self._busy = busy
        self._queue: dict[str, Asked] = {}  # goes out with the next batch
        self._parked: dict[str, Asked] = {}  # another process has it, or a batch of an earlier one
        self._no_room: dict[str, tuple[Asked, NoRoom]] = {}
        self._journeys: dict[Journey, asyncio.Task[None]] = {}
        self._stranded: list[Journey] = []
        self._freed = False  # whether a batch has come back since those without room were decided on
        self._most = means.api.most_requests
        self._one_at_a_time = False
        self._not_before = 0.0
        self._look_after = LOOK_AGAIN_S
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @property
    def work(self) -> asyncio.Task[None] | None:
        """What ends when nothing is waited for any more."""
        return None if self._work is None or self._work.done() else self._work

    @property
    def on_its_way(self) -> bool:
        """Whether a batch is out, or requests are gathered for the next."""
        return bool(self._queue or self._journeys)

    @property
    def collecting(self) -> bool:
        """Whether replies are coming in right now."""
        return any(journey.collecting for journey in self._journeys)

    def ask(self, call: Call, request: Request) -> asyncio.Future[Reply]:
        """The reply, once it came with a batch and is recorded."""
        asked = Asked(call, request, self._means.api.size_of(request))
        self._means.asked[asked.name] = asked
        asked.reply.add_done_callback(lambda _: self._forget(asked))
        if asked.size > self._means.api.most_bytes:
            self._fail(asked, PromptTooLong(f"{call.model}: a request of {asked.size:,} bytes fits into no batch"))
        elif not self._is_under_way(asked):
            self._queue[asked.name] = asked
        self._news.set()
        if self.work is None:
            self._work = asyncio.get_running_loop().create_task(self._run())
            self._work.add_done_callback(self._stopped)
        return asked.reply

    def abandon(self, key: str) -> None:
        """Nobody wants this reply any more. A batch that it is in goes on: it is paid for, and will be recorded."""
        asked = self._means.asked.get(name_of(key))
        if asked is not None:
            asked.reply.cancel()
            self._forget(asked)

    async def close(self) -> None:
        """Leaves at once, but for what is just being handed over or collected. Another process may go on from there."""
        if self._work is not None:
            self._work.cancel()
        handling = {task for journey, task in self._journeys.items() if journey.busy}
        if handling:
            await asyncio.wait(handling, timeout=LEAVE_S)
        journeys, tasks = [*self._stranded, *self._journeys], list(self._journeys.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for journey in journeys:
            await journey.leave()
        self._stranded = []

    # ------------------------------------------------------------ gathered

    async def _run(self) -> None:
        while self._queue or self._parked or self._no_room or self._journeys:
            self._news.clear()
            if self._queue and not (self._one_at_a_time and self._journeys):
                if await self._is_gathered():
                    self._means.lane.check()
                    taken = self._take()
                    # the label names one submission, so it differs each time; no result depends on it
                    journey = Journey(self._means, secrets.token_hex(8))
                    self._travel(journey, journey.start(taken, self._decided))
            else:
                await self._until_news()
                self._look_again()

    def _stopped(self, work: asyncio.Task[None]) -> None:
        if not work.cancelled() and (error := work.exception()) is not None:
            self._fail_all(error)

    async def _is_gathered(self) -> bool:
        """Waits until nobody can add to the queue, or it need not grow; whether there is anything left in it."""
        clock, pace, tally = self._means.clock, self._means.pace, self._means.tally
        began, quiet = clock.now(), 0
        while self._queue and quiet < QUIET_ROUNDS and not self._is_full() and clock.now() - began < pace.gather_s:
            asked = tally.asked
            if clock.now() < self._not_before:
                await clock.sleep(self._not_before - clock.now())
                quiet = 0
            elif self._busy():
                await clock.sleep(LOOK_S)
                quiet = 0
            else:
                await asyncio.sleep(0)
                quiet = quiet + 1 if asked == tally.asked else 0
        return bool(self._queue)

    def _is_full(self) -> bool:
        waiting = self._queue.values()
        return len(waiting) >= self._most or sum(one.size for one in waiting) >= self._means.api.most_bytes

    def _take(self) -> list[Asked]:
        """The first of the queue, as many as go into one batch."""
        taken: list[Asked] = []
        size = 0
        for asked in self._queue.values():
            size += asked.size
            if len(taken) == self._most or (taken and size > self._means.api.most_bytes):
                break
            taken.append(asked)
        for asked in taken:
            del self._queue[asked.name]
        return taken

    def _decided(self, taken: Sequence[Asked], outcomes: Sequence[Outcome]) -> None:
        """What happens to those who do not go out with this batch."""
        for asked, outcome in zip(taken, outcomes, strict=True):
            match outcome:
                case Known(reply=reply) if not asked.reply.done():
                    self._means.tally.from_ledger += 1
                    asked.reply.set_result(reply)
                case InBatch(label=label) if not asked.reply.done():
                    self._parked[asked.name] = asked
                    if all(journey.label != label for journey in self._journeys):
                        journey = Journey(self._means, label)
                        self._travel(journey, journey.resume())
                case Elsewhere() if not asked.reply.done():
                    self._parked[asked.name] = asked
                case NoRoom() if not asked.reply.done():
                    self._no_room[asked.name] = asked, outcome
                case _:
                    pass  # it has its ticket, or nobody wants it any more

    async def _until_news(self) -> None:
        """Waits until somebody asks, a batch comes back, or it is time to look at what other processes do."""
        waits: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._news.wait())]
        if self._parked or (self._no_room and not self._journeys):
            waits.append(asyncio.ensure_future(self._means.clock.sleep(self._look_after)))
            self._look_after = min(2 * self._look_after, LOOK_AGAIN_AT_MOST_S)
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _look_again(self) -> None:
        """Those who wait for something outside of this process are put in the queue again, to be decided on anew."""
        for asked in list(self._parked.values()):
            del self._parked[asked.name]
            if not self._is_under_way(asked):
                self._queue[asked.name] = asked
        if self._journeys:
            return  # a batch that comes back makes room, and first of all it is recorded
        freed, self._freed = self._freed, False
        for asked, full in list(self._no_room.values()):
            if self._means.lane.is_reached(full) and not freed:
                self._fail(asked, self._means.lane.purse.no_room(full))
            else:
                del self._no_room[asked.name]
                self._queue[asked.name] = asked

    # ------------------------------------------------------------ come back

    def _travel(self, journey: Journey, way: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._there_and_back(journey, way))
        self._journeys[journey] = task
        task.add_done_callback(lambda _: self._is_back(journey, task))

    async def _there_and_back(self, journey: Journey, way: Coroutine[Any, Any, None]) -> None:
        await way
        self._look_after = LOOK_AGAIN_S
        self._pace_down(journey)
        self._refuse(journey)
        self._ask_again(journey)

    def _is_back(self, journey: Journey, task: asyncio.Task[None]) -> None:
        del self._journeys[journey]
        self._freed = self._freed or journey.size > 0
        self._news.set()
        if task.cancelled():
            self._stranded.append(journey)
        elif (error := task.exception()) is not None:
            self._stranded.append(journey)
            self._fail_all(error)

    def _pace_down(self, journey: Journey) -> None:
        """Submits less at once when the provider asks for that, and carefully more when it took what it got."""
        problem, clock, pace = journey.harvest.problem, self._means.clock, self._means.pace
        if problem is None:
            self._most = min(self._means.api.most_requests, 2 * self._most)
        elif problem.throttled:
            self._means.tally.throttled += 1
            if len(self._journeys) == 1:  # else it may be the others that are too much
                self._most = max(1, journey.size // 2)
            self._one_at_a_time = True
            self._not_before = clock.now() + max(pace.longest_s, problem.retry_after or 0.0)
            self._means.tell("throttled", f"{problem}; now {self._most:,} requests a batch, one batch at a time")

    def _refuse(self, journey: Journey) -> None:
        """What will not be answered however often it is asked."""
        harvest, lane, ledger = journey.harvest, self._means.lane, self._means.ledger
        rejected = harvest.rejected
        refused = [(name, why.why) for name, why in harvest.refused if isinstance(why, Refused)]
        if refused and not harvest.replies and not (ledger is not None and ledger.has_replies(lane.description)):
            # not one reply, ever: then it is not these requests, but how all of them are asked
            rejected = rejected or ModelRejected(refused[0][1])
        if rejected is not None:
            lane.reject(rejected)
            self._fail_all(rejected)
        for name, why in harvest.refused:
            asked = self._means.asked.get(name)
            if asked is not None:
                self._fail(asked, ModelUnavailable(why.why) if isinstance(why, Refused) else why)

    def _ask_again(self, journey: Journey) -> None:
        """What did not come goes out with the next batch, as long as it has tries left."""
        retries, lane, harvest = self._means.retries, self._means.lane, journey.harvest
        again = [(self._means.asked.get(name), why) for name, why in harvest.again]
        first = sum(asked is not None and why is not None and not asked.failures for asked, why in again)
        lane.came_back(answered=harvest.replies, failed=first)
        failures = 0
        for asked, why in again:
            if asked is None:
                continue
            if why is not None:
                asked.failures += 1
                failures = max(failures, asked.failures)
                if asked.failures >= retries.tries:
                    lane.gave_up(why)
                    self._fail(asked, why)
                    continue
                self._means.tell("retry", str(why))
            self._queue[asked.name] = asked
        if failures:
            wait = retries.wait(journey.label, failures)
            self._not_before = max(self._not_before, self._means.clock.now() + wait)

    # ------------------------------------------------------------ told

    def _is_under_way(self, asked: Asked) -> bool:
        return any(asked.name in journey.rows for journey in self._journeys)

    def _forget(self, asked: Asked) -> None:
        if self._means.asked.get(asked.name) is asked:
            del self._means.asked[asked.name]
            for where in (self._queue, self._parked, self._no_room):
                where.pop(asked.name, None)

    def _fail(self, asked: Asked, error: BaseException) -> None:
        if not asked.reply.done():
            asked.reply.set_exception(error)
            asked.reply.exception()  # whoever asked may have gone; that is no second error
        self._forget(asked)

    def _fail_all(self, error: BaseException) -> None:
        for asked in list(self._means.asked.values()):
            self._fail(asked, error)
