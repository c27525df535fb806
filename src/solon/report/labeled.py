"""What the label stage says of itself in ``run.json``, as records."""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, NonNegativeFloat, NonNegativeInt

from solon.data.records import Usage
from solon.statistics.estimates import wilson


class Part(BaseModel):
    """What one stage says of itself in ``run.json``. What a later version adds to it is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Share(Part):
    """A share, or a correlation, with its 95 % interval and on how many items; ``None`` where nothing was measured."""

    value: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    n: NonNegativeInt = 0

    @classmethod
    def of(cls, successes: int, n: int) -> Share:
        """With its Wilson interval; without a value where ``n`` is 0."""
        if not n:
            return cls()
        estimate = wilson(successes, n)
        return cls(value=estimate.value, low=estimate.low, high=estimate.high, n=n)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its ends, where there are any."""
        return None if self.low is None or self.high is None else (self.low, self.high)


class Position(Part):
    """How much verdicts depend on the slot (``solon.data.position``).

    Attributes:
        pairs: pairs that were compared in both orders; 0 for labelers that do not compare.
        consistent, order_dependent: pairs whose two verdicts agreed, and those that turned with the order.
        first_slot: share of decided comparisons won by the option shown first; .5 is no bias.
    """

    pairs: NonNegativeInt = 0
    consistent: NonNegativeInt = 0
    order_dependent: NonNegativeInt = 0
    first_slot: Share | None = None

    @property
    def alike(self) -> Share:
        """Of the pairs, those whose orders do not contradict each other."""
        return Share.of(min(self.consistent, self.pairs), self.pairs)


class _Interval(NamedTuple):
    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat


class Length(Part):
    """How verdicts go with the length of what was judged (``solon.trust.verbosity``)."""

    longer_wins: _Interval | None = None
    longer_wins_n: NonNegativeInt = 0
    correlation_of_pairs: _Interval | None = None
    correlation_of_pairs_n: NonNegativeInt = 0
    correlation_of_ratings: _Interval | None = None
    correlation_of_ratings_n: NonNegativeInt = 0

    def share(self, name: str) -> Share | None:
        """One of the three with its n; ``None`` where it was not measured."""
        found: _Interval | None = getattr(self, name)
        return None if found is None else Share(**found._asdict(), n=getattr(self, f"{name}_n"))


class Canaries(Part):
    """How answers that must lose fared (``solon.trust.canaries``); ``failed`` got no verdict."""

    lost: NonNegativeInt = 0
    won: NonNegativeInt = 0
    tied: NonNegativeInt = 0
    failed: NonNegativeInt = 0

    @property
    def share_lost(self) -> Share:
        """Of those that got a verdict."""
        return Share.of(self.lost, self.lost + self.won + self.tied)


class PriceSaid(Part):
    """US dollars for a million tokens, as ``solon.models.base.Price``."""

    input: NonNegativeFloat
    output: NonNegativeFloat
    cached: NonNegativeFloat | None = None
    batch: NonNegativeFloat = 1.0


class Asked(Part):
    """A chat model that was asked.

    Attributes:
        server: who serves it; ``None`` for models that run in solon's own process.
        price: what it charges; ``None`` where that is not known.
        price_source: ``recipe``, or the page that solon's table has it from.
        price_as_of: the day on which it stood there.
    """

    name: str
    server: str | None = None
    price: PriceSaid | None = None
    price_source: str | None = None
    price_as_of: dt.date | None = None


class SentBatch(Part):
    """A batch that was handed over to a provider, by the provider's own id of it."""

    provider: str
    id: str
    requests: NonNegativeInt = 0


class Labeled(Position):
    """What ``label`` did.

    Attributes:
        prompts, duplicates: of a run that was given its completions; completions that came more than once.
        failed: judgments without a verdict, by reason.
        votes: position of the votes behind the judgments, by who cast them.
        length: how verdicts go with length; ``verbosity`` in ``run.json``.
        canaries: by kind; ``all`` are those of every kind but refusals.
        account: what the labeler says of its judgments as a whole, in its own words (``solon.report.accounts``).
        models: what was asked, with its price.
        batches: batches of providers that the replies came with.
    """

    labeler: str
    judgments: NonNegativeInt
    prompts: NonNegativeInt = 0
    duplicates: NonNegativeInt = 0
    failed: dict[str, NonNegativeInt] = Field(default_factory=dict)
    votes: dict[str, Position] = Field(default_factory=dict)
    length: Length = Field(default=Length(), alias="verbosity")
    canaries: dict[str, Canaries] = Field(default_factory=dict)
    account: dict[str, JsonValue] = Field(default_factory=dict)
    models: tuple[Asked, ...] = ()
    batches: tuple[SentBatch, ...] = ()
    usage: Usage = Usage()
    cost_usd: NonNegativeFloat = 0.0

    @property
    def usd_a_thousand(self) -> float:
        """US dollars for 1,000 judgments, as these cost on average, canaries with them; not a number of none."""
        return 1000 * self.cost_usd / self.judgments if self.judgments else math.nan
