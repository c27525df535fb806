"""The accounts that solon's own labelers give of their judgments as a whole, as records.

Those of other people's labelers are known by nothing but their keys, and are shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt, ValidationError

from solon.report.labeled import Part, Share


class Member(Part):
    """One labeler of a panel. Shares are of its votes."""

    name: str
    votes: NonNegativeInt
    failed: dict[str, NonNegativeInt] = Field(default_factory=dict)
    agreement_with_others: Share
    with_majority_of_others: Share = Share()
    accuracy_estimated: FiniteFloat | None = None
    account: dict[str, JsonValue] = Field(default_factory=dict)


class PairOfMembers(Part):
    """Cohen's kappa of two members."""

    members: tuple[str, str]
    kappa: FiniteFloat | None = None


class Agreement(Part):
    """How far a panel agrees under one set of principles, on ``n`` judgments with two votes or more."""

    n: NonNegativeInt
    raw: FiniteFloat | None = None
    alpha: FiniteFloat | None = None
    kappa: FiniteFloat | None = None
    kappa_of_pairs: tuple[PairOfMembers, ...] = ()
    ac1: FiniteFloat | None = None


class Panel(Part):
    """The account of ``panel``."""

    members: tuple[Member, ...]
    agreement: dict[str, Agreement]
    odd_one_out: str | None = None


class Step(Part):
    """One of the two labelers of a cascade, and how many questions it judged."""

    name: str
    judged: NonNegativeInt
    account: dict[str, JsonValue] = Field(default_factory=dict)


class Saved(Part):
    """Dollars or tokens: spent on both labelers, and what the expensive one alone would have taken (estimated)."""

    spent: FiniteFloat
    expensive_alone: FiniteFloat | None = None
    saved: FiniteFloat | None = None


class Cascade(Part):
    """The account of ``cascade``."""

    questions: NonNegativeInt
    escalated: NonNegativeInt
    escalated_share: Share
    why: dict[str, NonNegativeInt] = Field(default_factory=dict)
    stated_probability: NonNegativeInt
    labelers: tuple[Step, Step]
    usd: Saved
    tokens: Saved


class Ranking(Part):
    """The account of ``ranking``."""

    votes: NonNegativeInt
    failed_votes: NonNegativeInt = 0
    kendall_tau: Share
    first_position: Share
    first_position_by_chance: FiniteFloat | None = None


class Human(Part):
    """The account of ``human``."""

    rows: NonNegativeInt
    unmatched: NonNegativeInt
    annotators: NonNegativeInt = 0
    judged_by_several: NonNegativeInt = 0
    annotator_agreement: FiniteFloat | None = None
    annotator_pairs: NonNegativeInt = 0
    note: str = ""


Known: TypeAlias = Panel | Cascade | Ranking | Human
_KNOWN: tuple[type[Known], ...] = (Panel, Cascade, Ranking, Human)


def known(account: Mapping[str, JsonValue]) -> Known | None:
    """The account as one of those above; ``None`` where it is none of them."""
    for kind in _KNOWN:
        try:
            return kind.model_validate(account)
        except ValidationError:
            continue
    return None


def within(account: Known) -> tuple[tuple[str, Mapping[str, JsonValue]], ...]:
    """The accounts of the labelers that it is made of, each with the labeler's name."""
    match account:
        case Panel(members=parts) | Cascade(labelers=parts):
            return tuple((part.name, part.account) for part in parts if part.account)
        case Ranking() | Human():
            return ()
