"""What a stream has done so far, as numbers and as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from solon.models.base import Reply


@dataclass(slots=True)
class Tally:
    """Counts of one stream. ``asked`` is the sum of ``from_ledger``, ``shared``, and the calls that were made.

    Attributes:
        asked: requests that came in.
        from_ledger: answered from the ledger, at no cost.
        shared: the same request was under way already, and got its reply.
        sent: requests that went out to a model, each retry counted.
        retried: those of them that were retries.
        throttled: how often a server asked for fewer requests.
        unavailable: calls given up after their retries.
        in_doubt: sendings whose end nobody knows: found in the ledger when the call was asked again, or made here.
        input_tokens, output_tokens: of the replies that models gave here.
        usd: what those replies cost.
    """

    asked: int = 0
    from_ledger: int = 0
    shared: int = 0
    sent: int = 0
    retried: int = 0
    throttled: int = 0
    unavailable: int = 0
    in_doubt: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    def add(self, reply: Reply, usd: float) -> None:
        """Counts a reply that a model gave."""
        self.input_tokens += reply.usage.input_tokens
        self.output_tokens += reply.usage.output_tokens
        self.usd += usd


EventKind = Literal["answered", "from_ledger", "flushed", "retry", "throttled", "unavailable", "batch", "waiting"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the calls of a model, for progress bars and logs.

    ``flushed`` comes once a flush of a local model is on disk, before its replies are handed out; ``throttled`` comes
    when the slots were narrowed; ``batch`` when a provider's batch was handed over, taken up, or has ended; ``waiting``
    at each look at how far it is. ``detail`` is for people.
    """

    kind: EventKind
    model: str
    detail: str = ""


OnEvent = Callable[[Event], None]
