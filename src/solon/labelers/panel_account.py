"""How far the members of a panel agree, counted as the judgments pass: memory does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from pydantic import JsonValue

from solon.data.records import Failed, Judgment
from solon.labelers.base import Labeler
from solon.labelers.votes import Side, most_said, scored, share, side, told_apart
from solon.statistics.agreement import Agreement, NumericAgreement
from solon.statistics.dawid_skene import Pattern, reliability
from solon.statistics.estimates import Estimate, wilson


class PanelAccount:
    """Counts the votes of a panel.

    Agreement is counted over single judgments. Both orders of a pair are two of them and hardly independent, so an
    interval on comparisons counts two as one.

    Args:
        members: the labelers that vote, in the order of the votes.
        weighted: whether the weights are to be estimated and reported.
    """

    def __init__(self, members: Sequence[Labeler], *, weighted: bool) -> None:
        self._names = told_apart([member.name for member in members])
        self._weighted = weighted
        self._members = [_Member() for _ in members]
        self._inner = [member.account() for member in members]
        self._principles: dict[str, _Principle] = {}
        self._patterns: Counter[Pattern] = Counter()
        self._dependent = 1

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Counts the votes behind all judgments on one prompt."""
        voted = [judgment for judgment in judgments if judgment.votes]
        for place, inner in enumerate(self._inner):
            if inner is not None:
                inner.add([judgment.votes[place] for judgment in voted])
        for judgment in voted:
            verdicts = [scored(vote) for vote in judgment.votes]
            shares = [None if verdict is None else share(verdict) for verdict in verdicts]
            sides = tuple(None if value is None else side(value) for value in shares)
            self._dependent = len(judgment.options)
            key = " + ".join(judgment.principles) or "(none)"
            if key not in self._principles:
                self._principles[key] = _Principle(len(sides))
            self._principles[key].add(shares, sides)
            if self._weighted:
                self._patterns[sides] += 1
            for place, (member, vote) in enumerate(zip(self._members, judgment.votes, strict=True)):
                member.add(vote, sides[place], [*sides[:place], *sides[place + 1 :]])

    def summary(self) -> dict[str, JsonValue]:
        """Agreement under each principle, each member's share in it, and the odd one out if there is one.

        Raises:
            MissingExtra: the votes are weighed and crowd-kit is not installed.
        """
        compares = self._dependent == 2
        with_others = [_share(one.agreed / (one.met or 1), one.compared, self._dependent) for one in self._members]
        weights = reliability(self._patterns) if self._weighted else None
        members: list[JsonValue] = []
        for place, (name, member) in enumerate(zip(self._names, self._members, strict=True)):
            facts: dict[str, JsonValue] = {
                "name": name,
                "votes": member.votes,
                "failed": dict(sorted(member.failed.items())),
                "agreement_with_others": _told(with_others[place], member.compared),
                "with_majority_of_others": self._told_of(member.with_majority, member.had_majority),
            }
            if compares:
                facts["first_slot_wins"] = self._told_of(member.first_slot, member.decided)
            if weights is not None:
                # of one that never voted there is nothing to estimate
                facts["accuracy_estimated"] = round(weights.accuracy(place), 4) if member.votes else None
            if (inner := self._inner[place]) is not None:
                facts["account"] = inner.summary()
            members.append(facts)
        odd = _odd_one_out({place: with_others[place] for place, one in enumerate(self._members) if one.compared})
        return {
            "members": members,
            "agreement": {key: counts.summary(self._names, compares) for key, counts in self._principles.items()},
            "odd_one_out": None if odd is None else self._names[odd],
        }

    def _told_of(self, count: int, n: int) -> JsonValue:
        return _told(_share(count / (n or 1), n, self._dependent), n)


class _Member:
    """What one member said.

    Attributes:
        votes, failed: verdicts it gave, and its failures by reason.
        compared: votes on questions on which others voted too.
        met, agreed: votes of others on those questions, and how many of them are the same as its own.
        had_majority, with_majority: votes where the others had a majority, and how many of them were with it.
        decided, first_slot: comparisons in which it preferred one of the two, and how often the one shown first.
    """

    def __init__(self) -> None:
        self.votes = self.compared = self.met = self.agreed = 0
        self.had_majority = self.with_majority = self.decided = self.first_slot = 0
        self.failed: Counter[str] = Counter()

    def add(self, vote: Judgment, own: Side | None, others: Sequence[Side | None]) -> None:
        if isinstance(vote.outcome, Failed):
            self.failed[vote.outcome.reason] += 1
        if own is None:
            return
        self.votes += 1
        self.decided += own != "even"
        self.first_slot += own == "above"
        given = [other for other in others if other is not None]
        self.compared += bool(given)
        self.met += len(given)
        self.agreed += given.count(own)
        if (majority := most_said(given)) is not None:
            self.had_majority += 1
            self.with_majority += own == majority


class _Principle:
    """The votes under one set of principles."""

    def __init__(self, members: int) -> None:
        self._sides, self._numbers = Agreement(members), NumericAgreement()
        self._judgments = 0

    def add(self, shares: Sequence[float | None], sides: Sequence[Side | None]) -> None:
        self._judgments += 1
        self._sides.add(sides)
        self._numbers.add(shares)

    def summary(self, names: Sequence[str], compares: bool) -> JsonValue:
        pairs: list[JsonValue] = [
            {"members": [names[one], names[other]], "kappa": _rounded(self._sides.kappa(one, other))}
            for one, other in combinations(range(len(names)), 2)
        ]
        return {
            "judgments": self._judgments,
            "n": self._sides.units,
            "raw": _rounded(self._sides.raw()),
            "alpha": _rounded(self._sides.alpha() if compares else self._numbers.alpha()),
            "alpha_level": "nominal" if compares else "interval",
            "kappa": _rounded(self._sides.mean_kappa()),
            "kappa_of_pairs": pairs,
            "ac1": _rounded(self._sides.ac1()),
        }


def _odd_one_out(with_others: Mapping[int, Estimate]) -> int | None:
    """The member that agrees least with the others, if its interval lies wholly below those of all others.

    Of two, each is as far from the other.
    """
    if len(with_others) < 3:
        return None
    lowest = min(with_others, key=lambda place: with_others[place].value)
    others = [estimate.low for place, estimate in with_others.items() if place != lowest]
    return lowest if with_others[lowest].high < min(others) else None


def _share(share: float, n: int, dependent: int) -> Estimate:
    """A share of ``n`` votes, of which every ``dependent`` ones count as one in its interval."""
    independent = -(-n // dependent)
    return wilson(share * independent, independent)


def _told(estimate: Estimate, n: int) -> JsonValue:
    if not n:
        return {"value": None, "n": 0}
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**{key: round(number, 4) for key, number in numbers.items()}, "n": n}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
