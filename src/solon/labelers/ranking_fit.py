"""What several judgments on the same options, or on some of them, say together: a fit, and how far they agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from pydantic import JsonValue

from solon.data.records import Failed, Judgment, Scored
from solon.statistics.bradley_terry import bradley_terry
from solon.statistics.estimates import wilson
from solon.statistics.kendall import kendall_tau


def fitted(options: Sequence[str], votes: Sequence[Judgment]) -> Scored | Failed:
    """For each option the share of the others that it beats, under strengths fitted to all votes.

    Args:
        options: ids of what was ranked.
        votes: judgments on two or more of them each.

    Returns:
        ``Failed`` when fewer than half of the votes say anything, or those that do fall into parts that have no
        option in common; its reason is that of most votes that failed.
    """
    read = [vote for vote in votes if isinstance(vote.outcome, Scored)]
    usable = _usable(read)
    parts = _parts(options, usable)
    if 2 * len(read) >= len(votes) and parts == 1:
        return Scored(scores=bradley_terry(_wins(options, usable)).shares())
    failed = [vote.outcome for vote in votes if isinstance(vote.outcome, Failed)]
    reason, _ = Counter(outcome.reason for outcome in failed).most_common(1)[0]
    said = next(outcome.raw for outcome in failed if outcome.reason == reason)
    gap = f", which leaves {parts} groups of responses that nothing connects" if parts > 1 and usable else ""
    return Failed(reason=reason, raw=f"{len(read)} of {len(votes)} replies held a verdict{gap}: {said}")


def _usable(read: Sequence[Judgment]) -> list[Judgment]:
    """The votes to fit: comparisons of two only in both orders, since nothing is guessed from half of one."""
    seen = {vote.options for vote in read}
    return [vote for vote in read if len(vote.options) > 2 or vote.options[::-1] in seen]


def mean_tau(votes: Sequence[Judgment]) -> tuple[float, int]:
    """The sum of Kendall's tau over pairs of votes that rank two or more of the same options, and how many there are.

    Pairs of which one puts all that they share at one place say nothing and are left out.
    """
    scored = [
        dict(zip(vote.options, vote.outcome.scores, strict=True)) for vote in votes if isinstance(vote.outcome, Scored)
    ]
    total, pairs = 0.0, 0
    for one, other in combinations(scored, 2):
        shared = sorted(one.keys() & other.keys())
        if len(shared) > 1:
            tau = kendall_tau([one[option] for option in shared], [other[option] for option in shared])
            if tau is not None:
                total, pairs = total + tau, pairs + 1
    return total, pairs


class RankingAccount:
    """How far the orders agree, and how often the option that was shown first was put first."""

    def __init__(self) -> None:
        self._tau, self._pairs = 0.0, 0
        self._first, self._expected, self._read, self._failed = 0.0, 0.0, 0, 0

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Counts the votes behind the judgments on one prompt; comparisons of two alone are votes themselves."""
        for votes in _ballots(judgments):
            total, pairs = mean_tau(votes)
            self._tau, self._pairs = self._tau + total, self._pairs + pairs
            for vote in votes:
                if isinstance(vote.outcome, Scored):
                    best = max(vote.outcome.scores)
                    sharing = vote.outcome.scores.count(best)
                    self._first += (vote.outcome.scores[0] == best) / sharing
                    self._expected += 1 / len(vote.options)
                    self._read += 1
                else:
                    self._failed += 1

    def summary(self) -> dict[str, JsonValue]:
        """``kendall_tau`` is a mean in [-1, 1], ``first_position`` a share with its 95 % interval; each with its n."""
        estimate = wilson(self._first, self._read)
        first = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        return {
            "votes": self._read,
            "failed_votes": self._failed,
            "kendall_tau": {"value": _rounded(self._tau, self._pairs), "n": self._pairs},
            "first_position": {**{name: round(one, 4) for name, one in first.items()}, "n": self._read},
            "first_position_by_chance": _rounded(self._expected, self._read),
        }


def _rounded(total: float, n: int) -> float | None:
    """A mean; of nothing there is none."""
    return round(total / n, 4) if n else None


def _ballots(judgments: Iterable[Judgment]) -> list[tuple[Judgment, ...]]:
    """Judgments that tell on the same question: the votes behind each ranking, and both orders of each comparison."""
    compared: dict[tuple[str, ...], list[Judgment]] = {}
    ballots = []
    for judgment in judgments:
        if judgment.votes:
            ballots.append(judgment.votes)
        else:
            compared.setdefault(judgment.principles, []).append(judgment)
    return ballots + [tuple(both) for both in compared.values()]


def _wins(options: Sequence[str], votes: Iterable[Judgment]) -> list[list[float]]:
    """How often each option beat each other one: of two by the share that the score says, of more by their order."""
    number = {option: place for place, option in enumerate(options)}
    wins: list[list[list[float]]] = [[[] for _ in options] for _ in options]
    for vote in votes:
        assert isinstance(vote.outcome, Scored)
        scores = vote.outcome.scores
        for one, other in combinations(range(len(scores)), 2):
            if len(scores) == 2:
                share = scores[0]
            else:
                share = 0.5 if scores[one] == scores[other] else float(scores[one] > scores[other])
            i, j = number[vote.options[one]], number[vote.options[other]]
            wins[i][j].append(share)
            wins[j][i].append(1.0 - share)
    return [[math.fsum(shares) for shares in row] for row in wins]


def _parts(options: Sequence[str], votes: Iterable[Judgment]) -> int:
    """Into how many groups the options fall that no vote connects."""
    group = {option: {option} for option in options}
    for vote in votes:
        together = set().union(*(group[option] for option in vote.options))
        for option in together:
            group[option] = together
    return len({id(one) for one in group.values()})
