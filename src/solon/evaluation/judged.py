"""What evaluators share whose numbers are a judge's opinion: who that is, and how it is related to who taught."""

from __future__ import annotations

from solon.errors import DataError
from solon.evaluation import examiner
from solon.evaluation.base import Evidence, OfAnswers
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.registry import AnyLabeler


class Judged(OfAnswers):
    """Base of evaluators that ask a judge about the answers of both policies.

    Attributes:
        judge: who judges; the labeler of the training data when left out. A judge that labeled or rewarded favours what
            it taught: ``method`` and the report say so. Take another one.
    """

    judge: AnyLabeler | None = None

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model that the judge asks, if it has one of its own."""
        return self.judge.models() if self.judge else ()

    def examiners(self, label: Labeler | None) -> tuple[Labeler, ...]:
        """The judge, or who labels."""
        judge = self.judge or label
        return () if judge is None else (judge,)

    def warnings(self, evidence: Evidence) -> list[str]:
        """Says so when the judge, or a relative of a model that it asks, has also labeled or rewarded."""
        return examiner.warnings(self.kind, self.judge_of(evidence), evidence)

    def judge_of(self, evidence: Evidence) -> Labeler:
        """The judge, or who labeled.

        Raises:
            DataError: there is neither.
        """
        judge = self.judge or evidence.labeler
        if judge is None:
            raise DataError(f"{self.kind} has no judge: this recipe has no labeler to fall back on, so give `judge`")
        return judge
