"""How often a judge prefers the trained policy's answer to the untrained one's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from solon.data.records import Judgment, Metric
from solon.errors import DataError
from solon.evaluation import examiner
from solon.evaluation.base import Decoding, Evaluator, Evidence, Pair
from solon.evaluation.comparison import Comparison, Preferred, asked_alone, by_id, compare, preferred
from solon.evaluation.orders import consistency
from solon.evaluation.paired import metric, named, pairs_of
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.registry import AnyLabeler
from solon.statistics.estimates import mean_bca, sign_test, wilson
from solon.statistics.length_control import length_controlled

_POINTS: dict[Preferred, float] = {"first": 1.0, "tie": 0.5, "second": 0.0}


class WinRate(Evaluator):
    """The share of prompts on which the trained policy's answer is preferred; ties count half, failures apart.

    Judges see both orders, and a verdict that depends on the order is a tie; so are two answers of the same text,
    about which nobody is asked. Prompts to which no principle applies are left out. When principles are asked one at
    a time, ``win_rate/<principle>`` says the same of each. ``length_controlled/win_rate`` is what would be left if both
    answers were equally long, told from 20 comparisons on.

    Attributes:
        judge: who compares; the labeler of the training data when left out. A judge that labeled or rewarded
            favours what it taught: ``method`` and the report say so. Take another one.
        decoding: which answers to compare.
    """

    kind: ClassVar[str] = "win_rate"

    judge: AnyLabeler | None = None
    decoding: Decoding = "sample"

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """The decoding it was told to look at."""
        return (self.decoding,)

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model that the judge asks, if it has one of its own."""
        return self.judge.models() if self.judge else ()

    def examiners(self, label: Labeler | None) -> tuple[Labeler, ...]:
        """The judge, or who labels."""
        judge = self.judge or label
        return () if judge is None else (judge,)

    def warnings(self, evidence: Evidence) -> list[str]:
        """Says so when the judge, or a model that it asks, has also labeled or rewarded."""
        return examiner.warnings("win_rate", self._judge(evidence), evidence)

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``win_rate``, one for each principle that is asked alone, and how far the judge depends on the order.

        Raises:
            DataError: there is no judge, or no answer to compare.
        """
        judge = self._judge(evidence)
        pairs = pairs_of(evidence, self.decoding, "win_rate")
        answers = [(pair.prompt, pair.after, pair.before) for pair in pairs]
        compared = await compare(judge, answers, evidence.constitution)
        note = examiner.note(judge, evidence)
        name = named("win_rate", self.decoding)
        metrics = [_win_rate(name, [one.preferred for one in compared], sum(one.identical for one in compared), note)]
        principles = by_id(evidence.constitution)
        for principle in asked_alone(_judgments(compared)):
            # pairs of the same text are left out: nobody knows whether the judge would have been asked
            told = [
                preferred(own, pair.after.id, principles)
                for pair, one in zip(pairs, compared, strict=True)
                if (own := [judgment for judgment in one.judgments if judgment.principles == (principle,)])
            ]
            metrics.append(_win_rate(f"{name}/{principle}", told, 0, note))
        metrics += _length_controlled(name, pairs, [one.preferred for one in compared], note)
        if judge.options != 1:
            metrics.append(consistency(f"order_consistency/{name}", "pair", _judgments(compared), note))
        return metrics

    def _judge(self, evidence: Evidence) -> Labeler:
        judge = self.judge or evidence.labeler
        if judge is None:
            raise DataError("win_rate has no judge: this recipe has no labeler to fall back on, so give `judge`")
        return judge


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
    return [metric(f"length_controlled/{name}", "pair", estimate, len(decided), note=note)]


def _judgments(compared: Sequence[Comparison]) -> list[Judgment]:
    return [judgment for one in compared for judgment in one.judgments]
