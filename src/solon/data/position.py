"""How much verdicts depend on where a completion was shown: counted for every judgment and every vote, with intervals.

Of rankings, each two of the options count as a comparison in which one of them was shown before the other. The pairs of
one ranking are not independent of each other, so an interval over rankings is narrower than it should be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from pydantic import JsonValue

from solon.data.opinions import opposite, orders, scores_of
from solon.data.records import Judgment, Noun, Scored
from solon.statistics.estimates import wilson


class OrderConsistency(Noun):
    """How much the comparisons depend on the order in which the two completions were shown.

    Attributes:
        consistent: opinions (a pair, a labeler, a set of principles) whose two orders do not contradict each other.
        order_dependent: opinions whose two orders pick opposite winners.
        failed: opinions without a usable judgment in each order.
        first_slot_wins: judgments that preferred the completion shown first, out of ``decided``: about half of them
            for a judge without a leaning.
        decided: judgments that preferred one of the two.
    """

    consistent: int = 0
    order_dependent: int = 0
    failed: int = 0
    first_slot_wins: int = 0
    decided: int = 0


def order_consistency(judgments: Iterable[Judgment]) -> OrderConsistency:
    """Counts over all pairs, labelers and principles. Judgments of many prompts may come together, in any order."""
    counts: Counter[str] = Counter()
    _count(judgments, counts)
    return OrderConsistency(**counts)


class Position:
    """What a stage says of position: of its judgments, and of the votes behind them by who cast them.

    Its memory grows with the number of voters only.
    """

    def __init__(self) -> None:
        self._whole: Counter[str] = Counter()
        self._votes: dict[str, Counter[str]] = {}

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Counts all judgments on one prompt."""
        _count(judgments, self._whole)
        votes: dict[str, list[Judgment]] = {}
        for vote in _votes(judgments):
            votes.setdefault(vote.labeler, []).append(vote)
        for labeler, cast in votes.items():
            _count(cast, self._votes.setdefault(labeler, Counter()))

    def summary(self) -> dict[str, JsonValue]:
        """Shares with Wilson intervals and their n; empty where nothing was compared.

        ``pairs`` were compared in both orders, and of these so many are ``consistent`` and ``order_dependent``;
        ``first_slot_wins`` is the share of decided comparisons that the completion shown first won.
        """
        said = _summary(self._whole)
        votes: dict[str, JsonValue] = {
            labeler: summary for labeler, counts in sorted(self._votes.items()) if (summary := _summary(counts))
        }
        return {**said, **({"votes": votes} if votes else {})}


def _summary(counts: Counter[str]) -> dict[str, JsonValue]:
    pairs, decided = counts["consistent"] + counts["order_dependent"], counts["decided"]
    said: dict[str, JsonValue] = {}
    if pairs:
        said |= {
            "pairs": pairs,
            "consistent": counts["consistent"],
            "order_dependent": counts["order_dependent"],
            "first_slot_wins": round(counts["first_slot_wins"] / decided, 4) if decided else None,
            "order_consistency": _share(counts["consistent"], pairs),
        }
    if decided:
        said["first_slot"] = _share(counts["first_slot_wins"], decided)
    return said


def _share(successes: int, n: int) -> dict[str, JsonValue]:
    share = wilson(successes, n)
    return {"value": round(share.value, 4), "low": round(share.low, 4), "high": round(share.high, 4), "n": n}


def _votes(judgments: Iterable[Judgment]) -> Iterator[Judgment]:
    for judgment in judgments:
        yield from judgment.votes
        yield from _votes(judgment.votes)


def _count(judgments: Iterable[Judgment], counts: Counter[str]) -> None:
    """Adds what ``OrderConsistency`` holds."""
    compared: dict[tuple[str, frozenset[str], str, tuple[str, ...]], list[Judgment]] = {}
    ranked: list[Judgment] = []
    for judgment in judgments:
        shown = frozenset(judgment.options)
        if len(shown) == 2:
            opinion = (judgment.prompt, shown, judgment.labeler, judgment.principles)
            compared.setdefault(opinion, []).append(judgment)
        elif len(shown) > 2 and not judgment.votes and isinstance(judgment.outcome, Scored):
            ranked.append(judgment)  # one with votes was shown in several orders, and counts by them
    for group in compared.values():
        _count_comparisons(group, counts)
    if ranked:
        _count_rankings(ranked, counts)


def _count_comparisons(group: Sequence[Judgment], counts: Counter[str]) -> None:
    both = orders(group, group[0].options[0])
    if both is None:
        counts["failed"] += 1
    else:
        counts["order_dependent" if opposite(*both) else "consistent"] += 1
    for judgment in group:
        if isinstance(judgment.outcome, Scored):
            first = judgment.outcome.scores[0]
            counts["first_slot_wins"] += first > 0.5
            counts["decided"] += first != 0.5


def _count_rankings(ranked: Iterable[Judgment], counts: Counter[str]) -> None:
    """Each two options of each ranking; consistency only where the rankings showed them both ways round."""
    leans: dict[tuple[str, str, tuple[str, ...], str, str], list[float]] = {}
    for judgment in ranked:
        scores = dict(zip(judgment.options, scores_of(judgment) or (), strict=True))
        for earlier, later in combinations(judgment.options, 2):
            lean = scores[earlier] - scores[later]
            counts["first_slot_wins"] += lean > 0
            counts["decided"] += lean != 0
            key = (judgment.prompt, judgment.labeler, judgment.principles, earlier, later)
            leans.setdefault(key, []).append(lean)
    for (prompt, labeler, principles, earlier, later), shown in leans.items():
        other = leans.get((prompt, labeler, principles, later, earlier))
        if other is not None and earlier < later:
            turned = _mean_sign(shown) * -_mean_sign(other) < 0
            counts["order_dependent" if turned else "consistent"] += 1


def _mean_sign(leans: Sequence[float]) -> int:
    total = sum(leans)
    return (total > 0) - (total < 0)
