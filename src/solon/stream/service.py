"""One model as a stream sees it: its caps and its health, how patiently it is tried, and what is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from solon.data.records import canonical
from solon.errors import ModelError, ModelRejected, ModelUnavailable
from solon.ledger import Budget
from solon.ledger.rows import NoRoom
from solon.models.base import ChatModel, Reply, Request
from solon.stream.circuit import Circuit
from solon.stream.clock import Clock
from solon.stream.journal import Journal
from solon.stream.limiter import Limiter
from solon.stream.purse import Purse
from solon.stream.retries import Attempts, Retries
from solon.stream.tally import Event, EventKind, OnEvent, Tally

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What all lanes of a stream share.

    Attributes:
        budget: names the caps that models have of their own.
        collects: whether a batch is out, or about to go out, whose return may make room in a budget.
    """

    budget: str
    journal: Journal | None
    budgets: tuple[Budget, ...]
    retries: Retries
    clock: Clock
    tally: Tally
    on_event: OnEvent | None
    collects: Callable[[], bool] = lambda: False


class Service:
    """What calls and batches of a model have in common.

    Attributes:
        model: it.
        description: what the ledger's key holds of it.
        limiter: that of its provider.
        purse: the caps that its calls count under.
    """

    def __init__(self, model: ChatModel, description: str, setting: Setting, limiter: Limiter) -> None:
        self.model = model
        self.description = description
        self.limiter = limiter
        self.purse = Purse(model, setting.budget, setting.budgets)
        self._setting = setting
        self._circuit = Circuit(model.name)

    @classmethod
    def description_of(cls, model: ChatModel) -> str:
        """What the ledger's key holds of the model, as canonical JSON."""
        return canonical(model.describe())

    async def administer(self, key: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Whatever is not a single call, such as a batch: tried until it works or has been tried enough."""
        clock = self._setting.clock
        attempts = Attempts(self._setting.retries, key, clock.now())
        while True:
            try:
                result = await attempt()
            except ModelUnavailable as error:
                wait = attempts.wait(error, clock.now(), well=False)
                if wait is None:
                    self.gave_up(error)
                    raise
                self._retrying(error)
                if not error.throttled:
                    await clock.sleep(wait)
            else:
                self._circuit.count(unavailable=False)
                return result

    async def answer_batch(self, requests: Sequence[Request], key: str) -> list[Reply]:
        """The replies of a local model to a chunk of requests. Not recorded: the flush does that for all chunks."""

        async def attempt() -> list[Reply]:
            self.check()
            self._setting.tally.sent += len(requests)
            with self._circuit.noticing():
                replies = await self.model.complete_batch(requests)
            if len(replies) != len(requests):
                raise ModelError(f"{self.model.name} gave {len(replies)} replies to {len(requests)} requests")
            return replies

        return await self.administer(key, attempt)

    def gave_up(self, error: ModelUnavailable) -> None:
        """Counts a call that stays unanswered after all its retries."""
        self._circuit.count(unavailable=True, reached=not error.unreachable, said=str(error))
        self._setting.tally.unavailable += 1
        self._tell("unavailable", str(error))

    def came_back(self, *, answered: int, failed: int) -> None:
        """Counts the calls of a batch that were sent for the first time."""
        self._circuit.tried_together(answered=answered, failed=failed)

    def knew(self) -> None:
        """Counts a call that the ledger answered."""
        self._circuit.knew()

    def reject(self, error: ModelRejected) -> None:
        """From now on the model is asked no more, and this is why."""
        self._circuit.notice(error)

    def check(self) -> None:
        """Raises what makes any further call of this model pointless.

        Raises:
            ModelDown: most recent calls failed.
            ModelRejected: an earlier call was refused for good.
        """
        self._circuit.check()

    def is_reached(self, full: NoRoom) -> bool:
        """Whether a budget has no room for good, all that batches hold of it having come back."""
        return full.for_good and not (full.until_collected and self._setting.collects())

    def _retrying(self, error: ModelUnavailable) -> None:
        self._tell("retry", str(error))
        self._setting.tally.retried += 1

    def _throttle(self, error: ModelUnavailable, sent_at: float) -> None:
        if error.throttled:
            self._setting.tally.throttled += 1
            if self.limiter.throttled(sent_at, error.retry_after):
                self._tell("throttled", f"{error}; now {self.limiter.slots} at a time")

    def _tell(self, kind: EventKind, detail: str = "") -> None:
        if self._setting.on_event is not None:
            self._setting.on_event(Event(kind, self.model.name, detail))
