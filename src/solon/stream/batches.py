"""Batches for models that run here, made so that a killed run and its rerun make the same ones.

What a model computes for a request may depend, in its last bits, on what else is in the batch. So a flush happens only
when nobody can add to it, its requests are sorted by content, and its replies are committed all together: the ledger
then always holds the state after some whole flush, and from that state the next flush is always the same.
docs/design/stream.md says more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from solon.errors import ModelUnavailable, PromptTooLong
from solon.ledger import Ledger
from solon.ledger.rows import Answered, Call, Known
from solon.models.base import Reply, Request
from solon.stream.lane import Lane
from solon.stream.tally import Event, OnEvent, Tally

QUIET_ROUNDS = 64
"""Turns of the event loop without a new request after which every task counts as waiting. A reply that is handed on
through nested tasks takes a few turns a level to become the next request."""


@dataclass(eq=False)
class Waiting:
    """A request that waits for the next flush."""

    lane: Lane
    call: Call
    request: Request
    reply: asyncio.Future[Reply] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def order(self) -> tuple[str, str, int, tuple[str, ...], int, str]:
        """Sorts alike requests together: by model, system text (kept in the KV cache), then length (less padding).

        Ends in the key, so that the order depends on the requests and never on which of them came first.
        """
        messages = self.request.messages
        system = messages[0].content if messages[0].role == "system" else ""
        length = sum(len(message.content) for message in messages)
        return self.lane.description, system, self.request.max_tokens, self.request.choices, length, self.call.key


class Batches:
    """Gathers the requests of all local models of a stream."""

    def __init__(
        self,
        ledger: Ledger | None,
        tally: Tally,
        on_event: OnEvent,
        remote_work: Callable[[], set[asyncio.Future[Any]]],
    ) -> None:
        self._ledger = ledger
        self._tally = tally
        self._on_event = on_event
        self._remote_work = remote_work
        self._waiting: dict[str, Waiting] = {}
        self._taken: list[Waiting] = []
        self._flushing: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None

    @property
    def flushing(self) -> bool:
        """Whether a flush is under way, as against waiting for one."""
        return self._flushing is not None

    def ask(self, lane: Lane, call: Call, request: Request) -> asyncio.Future[Reply]:
        """The reply, once the flush it goes into is committed."""
        waiting = self._waiting[call.key] = Waiting(lane, call, request)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run())
        return waiting.reply

    def abandon(self, key: str) -> None:
        """Nobody wants this reply any more. A flush that nobody wants anything of is broken off."""
        waiting = self._waiting.pop(key, None)
        for taken in (waiting,) if waiting is not None else self._taken:
            if taken.call.key == key:
                taken.reply.cancel()
        if self._flushing is not None and all(taken.reply.done() for taken in self._taken):
            self._flushing.cancel()

    async def close(self) -> None:
        """Breaks off what is under way. Nothing of it was recorded: the next run does it as if for the first time."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            await self._until_quiet()
            self._taken = sorted(self._waiting.values(), key=Waiting.order)
            self._waiting = {}
            self._flushing = asyncio.get_running_loop().create_task(self._flush(self._taken))
            try:
                await asyncio.wait({self._flushing})
            finally:
                self._flushing.cancel()  # does nothing to one that has ended
            self._end(self._flushing)

    def _end(self, flushing: asyncio.Task[None]) -> None:
        """Whoever got no reply from the flush gets what stopped it."""
        error = None if flushing.cancelled() else flushing.exception()
        for waiting in self._taken:
            if error is not None:
                _fail(waiting.reply, error)
            elif not waiting.reply.done():
                waiting.reply.cancel()
        self._taken, self._flushing = [], None

    async def _until_quiet(self) -> None:
        quiet = 0
        while quiet < QUIET_ROUNDS:
            asked = self._tally.asked
            if remote := self._remote_work():  # its replies may bring new requests, whenever they come
                await asyncio.wait(remote)
            else:
                await asyncio.sleep(0)
            quiet = quiet + 1 if asked == self._tally.asked and not remote else 0

    async def _flush(self, taken: list[Waiting]) -> None:
        answered: list[tuple[Waiting, Answered]] = []
        failed: list[tuple[Waiting, ModelUnavailable | PromptTooLong]] = []
        sent_at = time.time()
        while taken:
            lane = taken[0].lane
            size = lane.model.requests_in_a_batch
            chunk = [waiting for waiting in taken[:size] if waiting.lane is lane]
            taken = taken[len(chunk) :]
            try:
                replies = await lane.answer_batch([waiting.request for waiting in chunk], chunk[0].call.key)
            except PromptTooLong as error:
                # nothing was computed: those that fit move up, and their batches are as if the others had never been
                failed += ((chunk[place], error) for place in error.places)
                taken = [waiting for place, waiting in enumerate(chunk) if place not in error.places] + taken
            except ModelUnavailable as error:
                failed += ((waiting, error) for waiting in chunk)
            else:
                for waiting, reply in zip(chunk, replies, strict=True):
                    usd = lane.model.cost_of(reply)
                    self._tally.add(reply, usd)
                    answered.append((waiting, Answered.of(waiting.call, reply, usd, sent_at=sent_at)))
            await asyncio.sleep(0)  # lets a cancellation in
        self._commit(answered)
        for waiting, why in failed:
            _fail(waiting.reply, why)

    def _commit(self, answered: list[tuple[Waiting, Answered]]) -> None:
        """Records all replies in one transaction, with nothing else happening meanwhile; then hands them out."""
        if not answered:
            return
        replies = [change.reply for _, change in answered]
        if self._ledger is not None:
            outcomes = self._ledger.apply([change for _, change in answered])
            replies = [outcome.reply for outcome in outcomes if isinstance(outcome, Known)]
        for name in dict.fromkeys(waiting.call.model for waiting, _ in answered):
            self._on_event(Event("flushed", name, f"{len(answered)} replies"))
        for (waiting, _), reply in zip(answered, replies, strict=True):
            if not waiting.reply.done():
                waiting.reply.set_result(reply)
                self._on_event(Event("answered", waiting.call.model))


def _fail(reply: asyncio.Future[Reply], error: BaseException) -> None:
    if not reply.done():
        reply.set_exception(error)
        reply.exception()  # whoever asked may have gone; that is no second error
