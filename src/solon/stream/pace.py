"""How patiently a provider's batch is gathered, looked at, and searched for."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat

from solon.plugins.base import Settings


class Pace(Settings):
    """Seconds on the stream's clock, all of them.

    Attributes:
        first_s: from the submission to the first look at how far the batch is.
        factor: each further wait is so many times as long, up to ``longest_s``.
        longest_s: between two looks, at most.
        gather_s: how long a request waits for others to come along, at most, however busy other models are.
        settle_s: how long after a submission whose end nobody saw the provider has to say that there is no such batch
            before that is believed: it may still be on its way.
        give_up_s: when to stop searching for such a batch where the provider cannot tell.
    """

    first_s: NonNegativeFloat = 1.0
    factor: float = Field(default=1.5, ge=1)
    longest_s: PositiveFloat = 60.0
    gather_s: PositiveFloat = 600.0
    settle_s: NonNegativeFloat = 60.0
    give_up_s: PositiveFloat = 26 * 3600.0
