"""What a chat model is: messages in, one checked reply out. Only this package speaks to language models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, JsonValue, NonNegativeFloat, PositiveInt

from solon.data.identity import canonical_of, quoted
from solon.data.records import Message, Record, StopReason, Usage, canonical
from solon.models.batch import BatchApi
from solon.plugins.base import Plugin, Settings
from solon.plugins.sources import code_of


class Request(Record):
    """One call of a chat model. Its content and the model's are the key under which the ledger keeps the reply.

    Attributes:
        messages: the conversation so far; the model writes the next assistant turn.
        temperature: 0 is greedy.
        max_tokens: the longest reply allowed, in tokens.
        seed: of this reply alone; models that know no seed ignore it, and it still tells repeated samples apart.
        choices: when not empty, the caller wants the log-probability of each of these strings as the first token of
            the reply. Models that cannot say answer with text alone.
        attempt: 0, or how many times the same request was asked before because its reply was no use.
        schema: a JSON Schema that the reply has to fulfil; ``json_schema`` in Python. Models that cannot be held to one
            answer as they like, so whoever asks checks the reply in any case.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    messages: tuple[Message, ...] = Field(min_length=1)
    temperature: NonNegativeFloat = 0.0
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: PositiveInt
    seed: int | None = None
    choices: tuple[str, ...] = ()
    attempt: int = 0
    json_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")

    def content(self) -> dict[str, Any]:
        """What its key in the ledger is made of: every field, those that came later only where they are set.

        So a ledger that was written before a field existed still holds the replies to requests without it.
        """
        content = self.model_dump(mode="json")
        if self.json_schema is None:
            del content["schema"]
        return content

    def written(self) -> str:
        """``canonical(self.content())``, put together by hand: it is made for each call, and held by a test."""
        if self.json_schema is not None or not math.isfinite(self.temperature):
            return canonical(self.content())
        messages = ",".join([f'{{"content":{quoted(one.content)},"role":"{one.role}"}}' for one in self.messages])
        choices = ",".join(map(quoted, self.choices))
        seed = "null" if self.seed is None else self.seed
        return (
            f'{{"attempt":{self.attempt},"choices":[{choices}],"max_tokens":{self.max_tokens},"messages":[{messages}],'
            f'"seed":{seed},"temperature":{self.temperature!r},"top_p":{self.top_p!r}}}'
        )


class Reply(Record):
    """What a chat model answered.

    Attributes:
        text: the reply; may be empty.
        stop: ``end`` it was finished, ``length`` it was cut off at ``max_tokens`` or at the end of the context,
            ``refused`` by the model, ``filtered`` by its provider.
        model: what the server says has answered.
        choices: log-probability (natural log, not above 0) of each choice as first token; ``None`` if not available.
            A choice so unlikely that the model did not list it is absent.
        logits: of a classifier, the logit of each of its labels; ``None`` for language models.
        batched: it came with a batch, at the batch price.
    """

    text: str
    stop: StopReason = "end"
    usage: Usage = Usage()
    model: str = ""
    choices: dict[str, float] | None = None
    logits: dict[str, float] | None = None
    batched: bool = False


_TRUTHS = {True: "true", False: "false"}


def written(reply: Reply) -> str:
    """``canonical_of(reply)``, put together by hand: it is made for each reply, and held by a test."""
    if reply.choices is not None or reply.logits is not None:
        return canonical_of(reply)
    usage = reply.usage
    return (
        f'{{"batched":{_TRUTHS[reply.batched]},"choices":null,"logits":null,"model":{quoted(reply.model)},'
        f'"stop":"{reply.stop}","text":{quoted(reply.text)},"usage":{{"cache_write_tokens":{usage.cache_write_tokens},'
        f'"cached_tokens":{usage.cached_tokens},"estimated":{_TRUTHS[usage.estimated]},'
        f'"input_tokens":{usage.input_tokens},"output_tokens":{usage.output_tokens}}}}}'
    )


class Price(Settings):
    """US dollars for a million tokens.

    Attributes:
        input: read fresh.
        output: written.
        cached: read from a cache; as ``input`` when left out.
        cache_write: read and written into a cache; as ``input`` when left out.
        batch: what a reply that comes with a batch costs of this, as a share in (0, 1].
        batch_cached: read from a cache in a batch. Not every provider has a price for that, so when left out the
            dearer of ``cached`` and what a fresh token costs in a batch is counted.
    """

    input: NonNegativeFloat
    output: NonNegativeFloat
    cached: NonNegativeFloat | None = None
    cache_write: NonNegativeFloat | None = None
    batch: float = Field(default=1.0, gt=0, le=1)
    batch_cached: NonNegativeFloat | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not (self.input or self.output or self.cached or self.cache_write or self.batch_cached)

    def of(self, usage: Usage, *, batched: bool = False) -> float:
        """What ``usage`` costs, in US dollars."""
        share = self.batch if batched else 1.0
        write_price = self.input if self.cache_write is None else self.cache_write
        fresh = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        shared = fresh * self.input + usage.cache_write_tokens * write_price + usage.output_tokens * self.output
        return (share * shared + usage.cached_tokens * self._cached(batched=batched)) / 1e6

    def most(self, input_tokens: int, output_tokens: int, *, batched: bool = False) -> float:
        """What so many tokens can cost at most, in US dollars, however they are cached."""
        share = self.batch if batched else 1.0
        read = max(share * self.input, share * (self.cache_write or 0.0), self._cached(batched=batched))
        return (input_tokens * read + output_tokens * share * self.output) / 1e6

    def _cached(self, *, batched: bool) -> float:
        """The price of what is read from a cache."""
        alone = self.input if self.cached is None else self.cached
        if not batched:
            return alone
        if self.batch_cached is not None:
            return self.batch_cached
        return self.batch * self.input if self.cached is None else max(alone, self.batch * self.input)


FREE = Price(input=0, output=0)
"""Of models that run here, and of servers of one's own."""


class Limits(Settings):
    """How much a provider lets one account ask in a minute; ``None`` where it sets no such limit.

    Attributes:
        requests_per_minute: requests, each retry counted.
        tokens_per_minute: tokens read and written, estimated before and put right after each reply.
    """

    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None


ROOM_TO_REASON = 256
"""A model that reasons is nearly surely cut off before its answer where it may write fewer tokens than that."""


class ChatModel(Plugin):
    """A language model that answers chat messages.

    A class implements ``complete`` (one request, for servers) or ``complete_batch`` with ``batch_size`` above 1 (local
    models). Either makes exactly one attempt: retries, rate limits, budget and the ledger are the stream's
    (``solon.stream.ask``), the same for all.
    """

    group: ClassVar[str] = "solon.models"

    @property
    def name(self) -> str:
        """Short name for people: what ``Completion.model`` and reports show."""
        return self.kind

    @property
    def remote(self) -> bool:
        """Whether a reply may cost money: then its request is journalled before it is sent."""
        return False

    @property
    def max_in_flight(self) -> int:
        """How many requests may be under way at once; 1 for models that run in this process."""
        return 1

    @property
    def reasons(self) -> bool:
        """Whether it is known to think before it answers, in tokens that count against ``max_tokens``."""
        return False

    @property
    def provider(self) -> str:
        """Who serves it, with which account. All models of one provider share a limiter: its limits are the account's.

        The default shares with nobody but the same model.
        """
        return canonical(self.describe())

    @property
    def limits(self) -> Limits:
        """What the provider allows in a minute; none known by default."""
        return Limits()

    @property
    def max_usd(self) -> float | None:
        """Cap on what one run may spend on this model, in US dollars; none by default."""
        return None

    def provider_batches(self) -> BatchApi | None:
        """The door through which requests go as batches, when its settings say that they shall; else ``None``."""
        return None

    @property
    def requests_in_a_batch(self) -> int:
        """How many requests ``complete_batch`` takes at once."""
        return 1

    def cost(self) -> Price | None:
        """The price, all zero for models that run here, ``None`` when it is not known."""
        return FREE

    def price_at(self, input_tokens: int) -> Price | None:  # noqa: ARG002 - for those who charge by length
        """The price of a request that reads so many tokens: some providers charge more for long ones."""
        return self.cost()

    def cost_of(self, reply: Reply) -> float:
        """What this reply cost, in US dollars; 0 when the price is not known."""
        price = self.price_at(reply.usage.input_tokens)
        return 0.0 if price is None or price is FREE else price.of(reply.usage, batched=reply.batched)

    def describe(self) -> dict[str, object]:
        """What the ledger's key holds of the model: all that may change a reply; no secret and no path.

        The default is every setting and, of a class that was written beside the recipe or in a notebook, its source.
        """
        source = code_of(type(self))
        return self.settings() | ({} if source is None else {"source code": source})

    def effects(self) -> dict[str, object]:
        """``describe()``."""
        return self.describe()

    async def complete(self, request: Request) -> Reply:
        """Answers one request, in one attempt.

        Raises:
            ModelUnavailable: it did not answer this time; asking again may help.
            ModelRejected: it never will: key, quota, model name, malformed request.
        """
        (reply,) = await self.complete_batch([request])
        return reply

    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        """Answers several requests at once, in their order."""
        return [await self.complete(request) for request in requests]

    def prepare(self) -> None:
        """Does once what its first call would otherwise wait for, such as importing a library.

        Called before the first call goes out: that one goes alone for some seconds, to find out about a wrong key, and
        they must not be spent on an import.
        """

    async def aclose(self) -> None:
        """Lets go of connections. Called once at the end of a stage; a later call of ``complete`` opens them again."""
