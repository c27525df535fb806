"""What the votes of several labelers on one question come to. Pure: outcomes in, an outcome out.

Questions have one option, which is rated, or two, which are compared. A vote is read as a *share* in [0, 1]: the
rating, or P(the first is better); and as a *side* of the middle: ``above``, ``below``, or ``even`` at exactly .5.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, assert_never

from solon.data.records import Failed, FailureReason, Judgment, Scored
from solon.errors import PluginError
from solon.labelers.base import Labeler

Side = Literal["above", "below", "even"]
VOTING_OPTIONS = (1, 2)


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), in [0, 1], for any finite number."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def scored(vote: Judgment) -> Scored | None:
    """The verdict in a vote; ``None`` when it has none.

    Raises:
        PluginError: it revises in place of judging, or its scores are not what such a question gets.
    """
    match vote.outcome:
        case Failed():
            return None
        case Scored(scores=scores, scale=scale):
            fits = len(scores) == len(vote.options) and (
                all(0 <= score <= 1 for score in scores)
                if scale == "share"
                else len(scores) == 1 and math.isfinite(scores[0])
            )
            if not fits:
                raise PluginError(
                    f"labeler {vote.labeler!r} gave {scores} to a question with {len(vote.options)} option(s): one "
                    "score an option in [0, 1] was expected, or one finite logit for one option"
                )
            return vote.outcome
        case _:
            raise PluginError(
                f"labeler {vote.labeler!r} gives revisions, which are no verdicts: nobody can vote on them"
            )


def check_all_judge(labelers: Iterable[Labeler]) -> None:
    """Refuses labelers that revise.

    Raises:
        ValueError: one of them does.
    """
    revising = next((labeler.kind for labeler in labelers if labeler.revises), None)
    if revising is not None:
        raise ValueError(f"{revising} writes revisions, which are no verdicts: take it out, and label with it alone")


def told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """The names of labelers; where several are the same, each with its place among them: ``judge (2)``."""
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        seen[name] += 1
        told.append(f"{name} ({seen[name]})" if names.count(name) > 1 else name)
    return tuple(told)


def cast_by(name: str, vote: Judgment) -> Judgment:
    """The vote under the name that tells its labeler from the others: what is counted by name is counted apart."""
    return vote if vote.labeler == name else vote.model_copy(update={"labeler": name})


def share(outcome: Scored) -> float:
    """The score of the first option, in [0, 1]; of a logit, its sigmoid."""
    match outcome.scale:
        case "share":
            return outcome.scores[0]
        case "logit":
            return sigmoid(outcome.scores[0])
        case _:
            assert_never(outcome.scale)


def as_share(outcome: Scored) -> Scored:
    """The same verdict as a share."""
    if outcome.scale == "share":
        return outcome
    return outcome.model_copy(update={"scores": (share(outcome),), "scale": "share"})


def scales_differ(votes: Iterable[Sequence[Judgment]], voters: int) -> bool:
    """Whether some labelers give logits and others shares. Reads on until each has given a verdict.

    Args:
        votes: on each question, in the order of the labelers; the last ones may not have been asked.
        voters: how many labelers there are.
    """
    scales: dict[int, str] = {}
    for given in votes:
        for place, vote in enumerate(given):
            if place not in scales and (verdict := scored(vote)) is not None:
                scales[place] = verdict.scale
        if len(scales) == voters:
            break
    return len(set(scales.values())) > 1


def side(value: float) -> Side:
    """On which side of .5 a share is."""
    return "above" if value > 0.5 else "below" if value < 0.5 else "even"


def most_said(sides: Iterable[Side]) -> Side | None:
    """The side that more votes are on than on any other; ``None`` where there is no such side."""
    counts = Counter(sides).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def by_majority(votes: Sequence[Scored]) -> Scored:
    """What most votes say.

    Of comparisons, the share of the votes for the first, half of each even one: above .5 if and only if more votes are
    for the first than for the second. It is .5 where these are as many, or where more votes than either are even. Of
    ratings, their median: for any threshold and an odd number of votes, it is reached if and only if most reach it.
    """
    shares = [share(vote) for vote in votes]
    if len(votes[0].scores) == 1:
        return _rated(votes, statistics.median)
    counts = Counter(map(side, shares))
    above, below, even = counts["above"], counts["below"], counts["even"]
    undecided = above == below or even > max(above, below)
    first = 0.5 if undecided else (above + even / 2) / len(votes)
    return compared(first, max(above, below, even) / len(votes))


def by_mean(votes: Sequence[Scored]) -> Scored:
    """The mean of what the votes say: of P(first is better), of ratings; of logits, where all votes are logits."""
    if len(votes[0].scores) == 1:
        return _rated(votes, lambda values: math.fsum(values) / len(values))
    first = math.fsum(share(vote) for vote in votes) / len(votes)
    return compared(first, max(first, 1 - first))


def compared(first: float, probability: float | None) -> Scored:
    """P(first is better) as the outcome of a comparison."""
    return Scored(scores=(first, 1 - first), probability=probability)


def _rated(votes: Sequence[Scored], middle: Callable[[Sequence[float]], float]) -> Scored:
    logits = all(vote.scale == "logit" for vote in votes)
    value = middle([vote.scores[0] if logits else share(vote) for vote in votes])
    agreed = side(sigmoid(value) if logits else value)
    agreeing = sum(side(share(vote)) == agreed for vote in votes)
    return Scored(scores=(value,), probability=agreeing / len(votes), scale="logit" if logits else "share")


def no_verdict(votes: Sequence[Judgment]) -> Failed:
    """Why too few votes were given for a verdict: what all that failed have in common, else that they ``disagreed``.

    One member that was unavailable is enough to call it so: the next run asks again.
    """
    failed = [(vote.labeler, vote.outcome) for vote in votes if isinstance(vote.outcome, Failed)]
    reasons = dict.fromkeys(outcome.reason for _, outcome in failed)
    reason: FailureReason = "disagreed"
    if "unavailable" in reasons:
        reason = "unavailable"
    elif len(reasons) == 1:
        (reason,) = reasons
    said = "; ".join(f"{labeler}: {outcome.reason} ({(outcome.raw or '')[:200]})" for labeler, outcome in failed)
    return Failed(reason=reason, raw=f"{len(votes) - len(failed)} of {len(votes)} members gave a verdict; {said}")
