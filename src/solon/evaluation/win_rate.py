"""How often a judge prefers the trained policy's answer to the untrained one's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from solon.data.records import Judgment, Metric
from solon.evaluation import examiner
from solon.evaluation.base import Both, Evidence, Pair
from solon.evaluation.comparison import Comparison, Preferred, asked_alone, by_id, compare, preferred
from solon.evaluation.judged import Judged
from solon.evaluation.orders import consistency
from solon.evaluation.paired import metric, named, pairs_of
from solon.statistics.estimates import mean_bca, sign_test, wilson
from solon.statistics.length_control import length_controlled, wald_p

_POINTS: dict[Preferred, float] = {"first": 1.0, "tie": 0.5, "second": 0.0}


class WinRate(Judged):
    """The share of prompts on which the trained policy's answer is preferred; ties count half, failures apart.

    Judges see both orders, and a verdict that depends on the order is a tie; so are two answers of the same text,
    about which nobody is asked. Prompts to which no principle applies are left out. When principles are asked one at
    a time, ``win_rate/<principle>`` says the same of each. ``length_controlled/win_rate`` is what would be left if both
    answers were equally long, told from 20 comparisons on.
    """

    kind: ClassVar[str] = "win_rate"

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``win_rate``, one for each principle that is asked alone, and how far the judge depends on the order.

        Raises:
            DataError: there is no judge, or no answer to compare.
        """
        judge = self.judge_of(evidence)
        pairs = pairs_of(evidence, self.decoding, "win_rate")
        answers = [(pair.prompt, pair.after, pair.before) for pair in pairs]
        compared = await compare(judge, answers, evidence.constitution)
        both = list(zip(pairs, compared, strict=True))
        note = examiner.note(judge, evidence)
        name = named("win_rate", self.decoding)
        metrics = [_win_rate(name, [one.preferred for one in compared], sum(one.identical for one in compared), note)]
        evidence.each(name, _points_of((pair.prompt.id, one.preferred) for pair, one in both))
        principles = by_id(evidence.constitution)
        for principle in asked_alone(_judgments(compared)):
            # pairs of the same text are left out: nobody knows whether the judge would have been asked
            told = [
                (pair.prompt.id, preferred(own, pair.after.id, principles))
                for pair, one in both
                if (own := [judgment for judgment in one.judgments if judgment.principles == (principle,)])
            ]
            evidence.each(f"{name}/{principle}", _points_of(told))
            metrics.append(_win_rate(f"{name}/{principle}", [one for _, one in told], 0, note))
        metrics += _length_controlled(name, pairs, [one.preferred for one in compared], note)
        if judge.options != 1:
            metrics.append(consistency(f"order_consistency/{name}", "pair", _judgments(compared), note))
        return metrics


def _win_rate(name: str, told: Sequence[Preferred], identical: int, note: str) -> Metric:
    wins, losses, ties = told.count("first"), told.count("second"), told.count("tie")
    n = wins + losses + ties
    points = [1.0] * wins + [0.5] * ties + [0.0] * losses
    # resampling says nothing where all prompts agree, and would claim certainty
    estimate = mean_bca(points) if len(set(points)) > 1 else wilson(sum(points), n)
    parts = [f"{wins} wins, {ties} ties, {losses} losses; ties half; sign test", note]
    if identical:
        parts[0] = f"{wins} wins, {ties} ties ({identical} of the same text), {losses} losses; ties half; sign test"
    return metric(
        name,
        "pair",
        estimate,
        n,
        failed=told.count("failed"),
        p_value=sign_test(wins, losses) if n else None,
        note="; ".join(parts),
    )


def _points_of(told: Iterable[tuple[str, Preferred]]) -> list[tuple[str, Both]]:
    """Each item's points: an untrained answer meets itself at .5."""
    return [(item, (0.5, _POINTS.get(one))) for item, one in told if one != "not_asked"]


def _length_controlled(name: str, pairs: Sequence[Pair], told: Sequence[Preferred], note: str) -> list[Metric]:
    """The win rate at equal length in characters; nothing where it cannot be told."""
    decided = [
        (_POINTS[one], len(pair.after.text) - len(pair.before.text))
        for pair, one in zip(pairs, told, strict=True)
        if one in _POINTS
    ]
    estimate = length_controlled([points for points, _ in decided], [longer for _, longer in decided])
    if estimate is None:
        return []
    p_value = wald_p(estimate) if estimate.low > 0 and estimate.high < 1 else None
    return [metric(f"length_controlled/{name}", "pair", estimate, len(decided), p_value=p_value, note=note)]


def _judgments(compared: Sequence[Comparison]) -> list[Judgment]:
    return [judgment for one in compared for judgment in one.judgments]
