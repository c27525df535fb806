"""How many answers give the reference answer, before and after: what alignment cost."""

from __future__ import annotations

from typing import ClassVar

from solon.data.records import Completion, Failed, Metric, Prompt
from solon.errors import DataError
from solon.evaluation.base import Evidence, OfAnswers, Pair
from solon.evaluation.itemised import ids, itemised_shares
from solon.evaluation.paired import Held, named, pairs_of
from solon.labelers.answers import AnswerMatch
from solon.labelers.rule_kinds import Answer, Regex
from solon.labelers.rules import check


class Accuracy(OfAnswers):
    """The share of right answers, on the prompts that have a reference answer; ``n`` counts these.

    Attributes:
        match: whether the answer ``contains`` the reference answer as whole words, or is ``exact``-ly it.
        extract: a regular expression; what its first group finds is compared in place of the whole answer.
    """

    kind: ClassVar[str] = "accuracy"

    match: AnswerMatch = "contains"
    extract: Regex | None = None

    def changes(self, pair: Pair) -> dict[str, Held]:
        """Whether each answer is right; nothing for a prompt without a reference answer."""
        if pair.prompt.reference is None:
            return {}
        return {
            named("accuracy", self.decoding): (
                self._right(pair.prompt, pair.before),
                self._right(pair.prompt, pair.after),
            )
        }

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``accuracy`` before, after and as a difference.

        Raises:
            DataError: no held-out prompt has a reference answer.
        """
        pairs = pairs_of(evidence, self.decoding, "accuracy")
        told = [pair for pair in pairs if self.changes(pair)]
        if not told:
            raise DataError(
                f"accuracy compares with reference answers, and none of the {len(pairs)} held-out prompts has one: "
                "give the prompts a `reference`, or take accuracy out of `evaluate`"
            )
        name, note = named("accuracy", self.decoding), f"{self.match} the reference answer"
        return itemised_shares(evidence, name, ids(told), [self.changes(pair)[name] for pair in told], note)

    def _right(self, prompt: Prompt, completion: Completion) -> bool | None:
        rule = Answer(answer=self.match, extract=self.extract)
        result = check({"answer": rule}, completion.text, prompt.reference)["answer"]
        return None if isinstance(result, Failed) else result
