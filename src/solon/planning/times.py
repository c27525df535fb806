"""How long requests take at least, at the limits that the recipe states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from solon.models.base import ChatModel

SECONDS_A_REQUEST = 2.0
TOKENS_A_SECOND = 50.0
"""A reply takes the seconds of one of the two, whichever are more: for a letter, or for a long text."""

BATCH_HOURS = 24
"""Within which a provider answers a batch, or gives up on what is left of it."""


@dataclass(frozen=True)
class Work:
    """What is asked of a model over the network, one request at a time.

    Attributes:
        stage: when.
        model: of whom.
        requests, tokens: how many.
        seconds_a_request: how long one takes, from its sending to its last token.
    """

    stage: str
    model: ChatModel
    requests: float
    tokens: float
    seconds_a_request: float

    @property
    def seconds(self) -> float:
        """By itself."""
        return _together([self])


def seconds_a_request(written: float) -> float:
    """How long a reply of so many tokens is taken to take."""
    return max(SECONDS_A_REQUEST, written / TOKENS_A_SECOND)


def total(work: Iterable[Work]) -> float:
    """Of all work: stage after stage; in each, all providers at the same time. A provider's limits are shared."""
    stages: dict[str, dict[str, list[Work]]] = {}
    for one in work:
        stages.setdefault(one.stage, {}).setdefault(one.model.provider, []).append(one)
    return sum(max(map(_together, providers.values())) for providers in stages.values())


def _together(work: list[Work]) -> float:
    """Of work at one provider: what its slowest limit allows."""
    limits = [one.model.limits for one in work]
    requests = sum(one.requests for one in work)
    tokens = sum(one.tokens for one in work)
    waiting = sum(one.requests * one.seconds_a_request for one in work)
    by_requests = [60 * requests / limit.requests_per_minute for limit in limits if limit.requests_per_minute]
    by_tokens = [60 * tokens / limit.tokens_per_minute for limit in limits if limit.tokens_per_minute]
    return max(waiting / max(one.model.max_in_flight for one in work), *by_requests, *by_tokens, 0.0)
