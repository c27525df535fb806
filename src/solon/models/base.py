"""What a chat model is: messages in, one checked reply out. Only this package speaks to language models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveInt

from solon.data.records import Message, Record, StopReason, Usage
from solon.plugins.base import Plugin, Settings


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
    """

    messages: tuple[Message, ...] = Field(min_length=1)
    temperature: NonNegativeFloat = 0.0
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: PositiveInt
    seed: int | None = None
    choices: tuple[str, ...] = ()
    attempt: int = 0


class Reply(Record):
    """What a chat model answered.

    Attributes:
        text: the reply; may be empty.
        stop: ``end`` it was finished, ``length`` it was cut off at ``max_tokens``, ``refused`` by a filter.
        model: what the server says has answered.
        choices: log-probability (natural log, not above 0) of each choice as first token; ``None`` if not available.
            A choice so unlikely that the model did not list it is absent.
    """

    text: str
    stop: StopReason = "end"
    usage: Usage = Usage()
    model: str = ""
    choices: dict[str, float] | None = None


class Price(Settings):
    """US dollars for a million tokens."""

    input: NonNegativeFloat
    output: NonNegativeFloat
    cached: NonNegativeFloat | None = None

    def of(self, usage: Usage) -> float:
        """What ``usage`` costs, in US dollars."""
        cached_price = self.input if self.cached is None else self.cached
        fresh = usage.input_tokens - usage.cached_tokens
        return (fresh * self.input + usage.cached_tokens * cached_price + usage.output_tokens * self.output) / 1e6


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
    def requests_in_a_batch(self) -> int:
        """How many requests ``complete_batch`` takes at once."""
        return 1

    def cost(self) -> Price | None:
        """The price, all zero for models that run here, ``None`` when it is not known."""
        return Price(input=0, output=0)

    def cost_of(self, reply: Reply) -> float:
        """What this reply cost, in US dollars; 0 when the price is not known."""
        price = self.cost()
        return 0.0 if price is None else price.of(reply.usage)

    def describe(self) -> dict[str, object]:
        """What the ledger's key holds of the model: all that may change a reply; no secret and no path."""
        return dict(self.settings())

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

    async def aclose(self) -> None:
        """Lets go of connections. Called once at the end of a stage; a later call of ``complete`` opens them again."""
