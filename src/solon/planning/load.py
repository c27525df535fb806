"""What the requests to one model amount to: tokens, dollars in every way they can be bought, and bytes on the disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from solon.data.records import Usage, canonical
from solon.ledger.schema import PAGE_BYTES
from solon.models.base import ChatModel, Price, Request
from solon.models.caching import Caching, caching_of
from solon.models.tokens import TOKENS_OF_A_TURN, counter_of
from solon.planning.nouns import Ways
from solon.planning.unwritten import CHARACTERS_A_TOKEN, apart, size

_ROW = 311
"""Bytes of a row of the ledger besides request and reply: its key, names and numbers, and the fields of a reply."""
_INDEX = 84
"""And of its key in the index."""


@dataclass
class Heap:
    """Requests that cost the same a token and begin with the same instructions.

    Attributes:
        beginning: tokens of the instructions: the system messages in front.
        requests, read, written: how many, and their tokens, those of the beginning among those read.
    """

    beginning: int
    requests: int = 0
    read: int = 0
    written: int = 0


@dataclass
class Load:
    """The requests that one model got in a rehearsal."""

    model: ChatModel
    requests: int = 0
    in_ledger: int = 0
    bytes: int = 0
    heaps: dict[tuple[Price | None, str], Heap] = field(default_factory=dict)

    @property
    def counted_by(self) -> str:
        """How its tokens were counted."""
        return counter_of(self.model).how

    @property
    def caching(self) -> Caching | None:
        """How its provider caches."""
        return caching_of(self.model)

    @property
    def batches(self) -> bool:
        """Whether its settings have it asked in batches."""
        return self.model.provider_batches() is not None

    @property
    def can_batch(self) -> bool:
        """Whether it could be."""
        return self.batches or "batch" in type(self.model).model_fields

    @property
    def read(self) -> int:
        """Tokens read."""
        return sum(heap.read for heap in self.heaps.values())

    @property
    def written(self) -> int:
        """Tokens written, at most."""
        return sum(heap.written for heap in self.heaps.values())

    def ways(self, times: float) -> Ways:
        """What ``times`` as many requests would cost, in every way."""
        if any(price is None for price, _ in self.heaps):
            return Ways()
        caching = self.caching
        keeps = caching is not None and any(heap.beginning >= caching.least for heap in self.heaps.values())
        saves = any(price is not None and price.cached not in (None, price.input) for price, _ in self.heaps)
        discount = self.can_batch and any(price is not None and price.batch < 1 for price, _ in self.heaps)
        cached = keeps and saves
        both = (
            cached and discount and any(price is not None and price.batch_cached is not None for price, _ in self.heaps)
        )
        return Ways(
            plain=self._usd(times, self._fresh),
            cached=self._usd(times, self._kept) if cached else None,
            batched=self._usd(times, self._fresh, batched=True) if discount else None,
            both=self._usd(times, self._kept, batched=True) if both else None,
        )

    def _usd(self, times: float, usage: Callable[[Heap, float], Usage], *, batched: bool = False) -> float:
        return math.fsum(
            price.of(usage(heap, times), batched=batched)
            for (price, _), heap in self.heaps.items()
            if price is not None
        )

    def _fresh(self, heap: Heap, times: float) -> Usage:
        """Nothing is cached."""
        return Usage(input_tokens=round(times * heap.read), output_tokens=round(times * heap.written))

    def _kept(self, heap: Heap, times: float) -> Usage:
        """Those that start before the first has come back write the beginning, all others find it."""
        usage = self._fresh(heap, times)
        if self.caching is None or heap.beginning < self.caching.least:
            return usage
        requests = round(times * heap.requests)
        write = min(requests, self.model.max_in_flight)
        cached, fresh = (count * heap.beginning for count in (requests - write, write))
        return usage.model_copy(update={"cached_tokens": cached, "cache_write_tokens": fresh})


def load_of(model: ChatModel, asked: Iterable[tuple[Request, bool]]) -> Load:
    """Weighs requests; with each, whether the ledger holds its reply."""
    load = Load(model)
    counter = counter_of(model)
    counted: dict[str, int] = {}

    def tokens(text: str) -> int:
        written, missing = apart(text)
        return missing + counter.text(written)

    for request, known in asked:
        beginning = "\n".join(_instructions(request))
        if beginning not in counted:
            counted[beginning] = sum(tokens(text) + TOKENS_OF_A_TURN for text in _instructions(request))
        rest = request.messages[sum(1 for _ in _instructions(request)) :]
        read = counted[beginning] + sum(tokens(message.content) + TOKENS_OF_A_TURN for message in rest)
        read += counter.schema(request)
        load.requests += 1
        load.in_ledger += known
        load.bytes += _in_ledger(size(canonical(request.content())) + round(request.max_tokens * CHARACTERS_A_TOKEN))
        heap = load.heaps.setdefault((model.price_at(read), beginning), Heap(counted[beginning]))
        heap.requests += 1
        heap.read += read
        heap.written += request.max_tokens
    return load


def _in_ledger(texts: int) -> int:
    """Bytes that a row takes: SQLite puts as many into a page as fit in whole, and what is longer into several."""
    row = _ROW + texts
    return _INDEX + (row if row > PAGE_BYTES else PAGE_BYTES // (PAGE_BYTES // row))


def _instructions(request: Request) -> Iterator[str]:
    """The system messages in front."""
    for message in request.messages:
        if message.role != "system":
            return
        yield message.content
