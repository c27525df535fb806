"""How long answers are, and how many are cut off: what a judge may have rewarded in place of quality."""

from __future__ import annotations

from typing import ClassVar

from solon.data.records import Completion, Metric
from solon.evaluation.base import Evidence, OfAnswers, Pair
from solon.evaluation.itemised import ids, itemised_means, itemised_shares
from solon.evaluation.paired import Held, named, pairs_of


class Length(OfAnswers):
    """Mean tokens of an answer, and the share of answers that were cut off at the longest allowed length.

    Answers whose tokens the model did not count are failed in ``length``.
    """

    kind: ClassVar[str] = "length"

    def changes(self, pair: Pair) -> dict[str, Held]:
        """Whether each answer was cut off."""
        cut = (pair.before.stop == "length", pair.after.stop == "length")
        return {named("length", self.decoding, "cut_off"): cut}

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``length`` in tokens and ``length/cut_off`` as a share, each before, after and as a difference."""
        pairs = pairs_of(evidence, self.decoding, "length")
        cut_off = named("length", self.decoding, "cut_off")
        return [
            *itemised_means(
                evidence,
                named("length", self.decoding),
                ids(pairs),
                [(_tokens(pair.before), _tokens(pair.after)) for pair in pairs],
                "tokens",
            ),
            *itemised_shares(evidence, cut_off, ids(pairs), [self.changes(pair)[cut_off] for pair in pairs]),
        ]


def _tokens(completion: Completion) -> float | None:
    """Tokens as the model counted them; a text of no tokens was not counted."""
    tokens = completion.usage.output_tokens
    return None if tokens == 0 and completion.text else float(tokens)
