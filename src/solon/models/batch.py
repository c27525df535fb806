"""What a provider's batches are to solon: many requests handed over at once, answered within a day at a lower price.

A provider's plugin implements ``BatchApi``; ``solon.stream`` decides when to submit, notes each step in the ledger
before the next, waits, and asks again for what expired.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from solon.errors import ModelError
    from solon.models.base import Reply, Request


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is.

    Attributes:
        ended: nothing more will come; what there is can be collected.
        done: requests that have an answer or an error.
        total: all of them; 0 while the provider does not say.
        problem: why the whole batch was refused, when it was; nothing of it was or will be answered.
    """

    ended: bool
    done: int = 0
    total: int = 0
    problem: str | None = None


class BatchApi(Protocol):
    """One provider's batches for one model. Each method is one attempt: retries are the stream's.

    ``submit``, ``find``, ``poll`` and ``collect`` raise ``ModelUnavailable`` when asking again may help and
    ``ModelRejected`` when it will not: key, quota, model name.

    Attributes:
        most_requests: how many requests one batch may hold.
        most_bytes: how large its body may be.
    """

    most_requests: int
    most_bytes: int

    def size_of(self, request: Request) -> int:
        """Bytes that this request adds to the body, at most."""
        ...

    async def submit(self, requests: Mapping[str, Request], *, label: str) -> str:
        """Hands the requests over, each under a name of its own (64 hexadecimal digits at most); the batch's id.

        ``label`` names the submission itself, so that ``find`` can tell whether it arrived.
        """
        ...

    async def find(self, label: str) -> str | None:
        """The id of the batch that was submitted under this label, if the provider has one and can say so."""
        ...

    async def poll(self, batch: str) -> BatchState:
        """How far it is."""
        ...

    def collect(self, batch: str) -> AsyncIterator[tuple[str, Reply | ModelError]]:
        """Each answered request's name with its reply, or with what went wrong, in any order.

        What expired or was cancelled comes as ``ModelUnavailable``; names that never come are treated alike.
        """
        ...
