"""What a provider's batches are to solon: many requests handed over at once, answered within a day at a lower price.

A provider's plugin implements ``BatchApi``; ``solon.stream`` decides when to submit, notes each step in the ledger
before the next, waits, and asks again for what expired.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from solon.errors import ModelError, ModelRejected, ModelUnavailable
    from solon.models.base import Reply, Request


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is.

    Attributes:
        ended: nothing more will come; what there is can be collected.
        done: requests that have an answer or an error.
        total: all of them; 0 while the provider does not say.
        problem: why the whole batch was refused, when it was; nothing of it was or will be answered. A
            ``ModelUnavailable`` that is ``throttled`` means that less has to be submitted at once.
    """

    ended: bool
    done: int = 0
    total: int = 0
    problem: ModelUnavailable | ModelRejected | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a provider can tell of a submission whose end nobody saw.

    Attributes:
        id: of the batch that it became; ``None`` if none is known.
        sure: without an id, whether that means that there is none. Otherwise it can only be told later.
    """

    id: str | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider does not take this one request, and would not if it were asked again. Costs nothing.

    What would be said of every request (key, quota, model name) is a ``ModelRejected`` instead.
    """

    why: str


Collected: TypeAlias = "Reply | Refused | ModelError"
"""What came of one request. What may come when it is asked again (expired, cancelled, a server's error) is a
``ModelUnavailable``, which says whether it may be billed."""


class BatchApi(Protocol):
    """One provider's batches for one model. Each method is one attempt: retries are the stream's.

    All raise ``ModelUnavailable`` when asking again may help and ``ModelRejected`` when it will not: key, quota, model
    name, or a batch that this account does not have.
    """

    @property
    def most_requests(self) -> int:
        """How many requests one batch may hold."""
        ...

    @property
    def most_bytes(self) -> int:
        """How large its body may be."""
        ...

    def size_of(self, request: Request) -> int:
        """Bytes that this request adds to the body."""
        ...

    async def submit(self, requests: Mapping[str, Request], *, label: str) -> str:
        """Hands the requests over, each under a name of its own (40 hexadecimal digits); the batch's id.

        ``label`` (16 hexadecimal digits) names the submission itself, so that ``find`` can tell whether it arrived.

        Raises:
            ModelUnavailable: with ``maybe_billed`` when the batch may have come to be all the same.
        """
        ...

    async def find(self, label: str, *, since: float, requests: int) -> Arrival:
        """Whether the submission with this label arrived.

        Args:
            label: of the submission.
            since: when it went out, in seconds since 1970, by this machine's clock.
            requests: how many it held.
        """
        ...

    async def poll(self, batch: str) -> BatchState:
        """How far it is."""
        ...

    def collect(self, batch: str, request_of: Callable[[str], Request | None]) -> AsyncGenerator[tuple[str, Collected]]:
        """Each request's name with what came of it, in any order.

        Args:
            batch: its id.
            request_of: the request of a name; ``None`` for one that is settled, whose answer is not needed again.

        Yields:
            Names that never come are taken to have expired. A result that cannot be read is a ``ModelUnavailable`` that
            may be billed, under an empty name where it does not say whose it is.
        """
        ...
