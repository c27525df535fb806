"""What is built of judgments: the kinds of datasets, the settings, and why a row is left out."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, PositiveInt, model_validator

from solon.data.ratings import VETO_BELOW
from solon.plugins.base import Settings

Kind = Literal["preference", "unpaired", "reward", "sft"]
Side = Literal["train", "test"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIDES: tuple[Side, ...] = get_args(Side)
RATED: tuple[Kind, ...] = ("unpaired", "reward")

DROPPED = {
    "failed": "there was no usable verdict: the judge failed, or only one order was judged",
    "identical": "both responses are the same text",
    "tie_order": "the judge preferred a position: the verdict changed with the order of the responses",
    "tie_balanced": "the judge preferred neither response, or its preferences cancel",
    "tie_conflict": "two hard principles prefer different responses",
    "circular": "none of the best responses is better than it: the preferences run in a circle",
    "contradictory": "the same two texts were also judged the other way round",
    "duplicate": "the same texts are in the dataset already",
    "unchanged": "the revision is the text that was to be revised",
    "below_margin": "the margin is smaller than min_margin",
    "malformed": "a text holds half of a surrogate pair, which no tokenizer reads",
    "truncated": "the response was cut off at its token limit: learning it would teach the model to stop there",
    "over_limit": "the prompt has max_pairs_per_prompt pairs with a larger margin",
    "mixed": "the response was preferred to one and not to another",
    "undecided": "the score is neither below undesirable_at nor from desirable_at on",
    "no_best": "no response is fit to imitate: none won without ever losing, or none has a desirable score",
}
"""Why a row was left out: each reason with its meaning."""


class Build(Settings):
    """How judgments become datasets.

    Attributes:
        min_margin: preferences that are less clear are left out; in [0, 1]. The margin of a comparison is |2p - 1|, of
            two ratings their difference, of two logits d apart tanh(d / 2).
        held_out: share of the prompts whose rows go to the test split, in [0, 1).
        pairs: which pairs of rated or ranked responses become preferences: ``best_against_rest`` sets each worse one
            against one of the best, ``all`` takes every pair with a winner. Comparisons give the pairs that were
            compared.
        max_pairs_per_prompt: keep only that many pairs of a prompt, those with the largest margin.
        desirable_at: where desirable begins, in [0, 1]: the lowest such score, or the share of responses below it.
        undesirable_at: where undesirable ends, as ``desirable_at`` and not above it; responses between the two are left
            out of ``unpaired``. As ``desirable_at`` when left out.
        desirable_by: whether ``desirable_at`` and ``undesirable_at`` are scores, or shares of all rated responses
            (``quantile``).
        veto_below: a response whose score under a hard principle is lower, in [0, 1], is vetoed: its whole score is 0.
    """

    min_margin: float = Field(default=0.0, ge=0, le=1)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    pairs: Literal["best_against_rest", "all"] = "best_against_rest"
    max_pairs_per_prompt: PositiveInt | None = None
    desirable_at: float = Field(default=0.5, ge=0, le=1)
    undesirable_at: float | None = Field(default=None, ge=0, le=1)
    desirable_by: Literal["score", "quantile"] = "score"
    veto_below: float = Field(default=VETO_BELOW, ge=0, le=1)

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.undesirable_at is not None and self.undesirable_at > self.desirable_at:
            raise ValueError(
                f"undesirable_at is {self.undesirable_at:g} and desirable_at {self.desirable_at:g}: what is "
                "undesirable ends where the desirable begins, or before"
            )
        return self
