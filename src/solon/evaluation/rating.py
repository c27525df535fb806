"""The score that a judge gives to answers, before and after, as a whole and under each principle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from solon.data.ratings import Rated
from solon.data.records import Metric
from solon.errors import DataError
from solon.evaluation import examiner
from solon.evaluation.base import Evidence
from solon.evaluation.comparison import asked_alone, by_id
from solon.evaluation.itemised import itemised_means
from solon.evaluation.judged import Judged
from solon.evaluation.paired import named, pairs_of
from solon.evaluation.rated import rate, rates, why_not
from solon.labelers.base import Labeler


class Rating(Judged):
    """The mean score of the answers, as ``build`` writes it into the ``reward`` dataset; higher is better.

    Each answer is rated alone. Principles come together by their weights, and a broken hard one makes the score 0;
    ``rating/<principle>``, where principles are asked one at a time, is without weights and vetoes. An answer that
    could not be rated counts as failed. Prompts to which no principle applies are left out.
    """

    kind: ClassVar[str] = "rating"

    def problems(self) -> list[str]:
        """A judge that compares, and rates nothing."""
        compares = self.judge is not None and not rates(self.judge)
        own = [why_not("rating", self.judge)] if compares and self.judge is not None else []
        return [*super().problems(), *own]

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``rating``, and one for each principle that is asked alone: before, after and as a difference.

        Raises:
            DataError: there is no judge that rates, or no principle applies to any prompt.
        """
        judge = self.judge_of(evidence)
        pairs = pairs_of(evidence, self.decoding, "rating")
        groups = [(pair.prompt, (pair.before, pair.after)) for pair in pairs]
        found = zip(pairs, await rate(judge, groups, evidence.constitution), strict=True)
        asked = {pair.prompt.id: one for pair, one in found if one.judgments}
        if not asked:
            raise DataError("rating: no principle applies to any of the held-out prompts")
        note = examiner.note(judge, evidence)
        principles, name = by_id(evidence.constitution), named("rating", self.decoding)
        whole = {item: one.rated(principles, veto_below=evidence.veto_below) for item, one in asked.items()}
        metrics = _means(evidence, name, whole, note)
        for principle in asked_alone(judgment for one in asked.values() for judgment in one.judgments):
            alone = {
                item: one.rated(principles, under=principle, veto_below=0.0)
                for item, one in asked.items()
                if any(said.principles == (principle,) for said in one.judgments)
            }
            metrics += _means(evidence, f"{name}/{principle}", alone, note)
        return metrics

    def judge_of(self, evidence: Evidence) -> Labeler:
        """The judge, or who labeled.

        Raises:
            DataError: there is neither, or it rates nothing.
        """
        judge = super().judge_of(evidence)
        if not rates(judge):
            raise DataError(why_not("rating", judge))
        return judge


def _means(evidence: Evidence, name: str, rated: Mapping[str, Sequence[Rated | None]], note: str) -> list[Metric]:
    """Of the untrained and the trained model's answer to each prompt, by its id."""
    scores = [(_score(before), _score(after)) for before, after in rated.values()]
    logits = any(one is not None and one.scale == "logit" for both in rated.values() for one in both)
    within = None if logits else (0.0, 1.0)
    return itemised_means(evidence, name, list(rated), scores, "score", note, within=within)


def _score(rated: Rated | None) -> float | None:
    return None if rated is None else rated.score
