"""How far the labels can be trusted: whether they depend on the order, and agree with someone else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from solon.data.records import Candidates, Completion, Judgment, Metric
from solon.data.verdicts import order_consistency
from solon.errors import DataError
from solon.evaluation.base import Decoding, Evaluator, Evidence
from solon.evaluation.comparison import Preferred, by_id, compare, comparisons, preferred
from solon.evaluation.paired import metric
from solon.evaluation.win_rate import consistency
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.registry import AnyLabeler
from solon.statistics.estimates import wilson


class Agreement(Evaluator):
    """Measures the labels of the training data, not the policies.

    ``order_consistency`` is the share of compared pairs, under each principle, on which both orders do not contradict
    each other; ``first_slot_wins`` the share of comparisons that the completion shown first won (.5 is no bias);
    ``agreement`` how often the labels and another labeler prefer the same one, of the pairs on which both prefer one.
    ``{kind: human, file: ...}`` as the other labeler measures how far people agree; pairs that nobody judged are no
    failures, and ``method`` says how many there are.

    Attributes:
        other: the other labeler, such as ``rules``; ``with`` in a recipe. Without one there is no ``agreement``.
    """

    kind: ClassVar[str] = "agreement"

    other: AnyLabeler | None = Field(default=None, alias="with")

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """None: it looks at no answers."""
        return ()

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model that the other labeler asks."""
        return self.other.models() if self.other else ()

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """The metrics, all ``of="labels"``. Labels that rate have no order, and so only ``agreement``.

        Raises:
            DataError: there are no labels.
        """
        if not evidence.judgments:
            raise DataError("agreement measures labels, and this run has none: take it out of `evaluate`")
        metrics = []
        if any(len(judgment.options) == 2 for judgment in evidence.judgments):
            counts = order_consistency(evidence.judgments)
            slot = wilson(counts.first_slot_wins, counts.decided)
            metrics = [
                consistency("order_consistency", "labels", evidence.judgments),
                metric("first_slot_wins", "labels", slot, counts.decided, note="50 % is no preference for a slot"),
            ]
        if self.other is not None:
            metrics.append(await _agreement(self.other, evidence))
        return metrics


async def _agreement(other: Labeler, evidence: Evidence) -> Metric:
    labeled = list(_labeled(evidence))
    asked = await asyncio.gather(
        *(compare(other, group.prompt, first, second, evidence.constitution) for group, first, second, _ in labeled)
    )
    told = [(label, one.preferred) for (*_, label), one in zip(labeled, asked, strict=True)]
    decided = [(label, said) for label, said in told if label in _DECIDED and said in _DECIDED]
    failed = sum("failed" in pair for pair in told)
    label_ties, other_ties = (sum(pair[side] == "tie" for pair in told) for side in (0, 1))
    agreed = sum(label == said for label, said in decided)
    note = f"with {other.name}, where both prefer one; {label_ties:,} ties of the labels, {other_ties:,} of the other"
    # a labeler that need not answer everything, such as people's verdicts in a file: no answer is no failure
    if not_asked := sum("not_asked" in pair for pair in told):
        note += f"; {not_asked:,} pairs not asked about"
    account = other.account()
    if account is not None:
        for one in asked:
            account.add(one.judgments)
        if isinstance(said_of_all := account.summary().get("note"), str):
            note += f"; {said_of_all}"
    return metric("agreement", "labels", wilson(agreed, len(decided)), len(decided), failed=failed, note=note)


_DECIDED = ("first", "second")


def _labeled(evidence: Evidence) -> Iterator[tuple[Candidates, Completion, Completion, Preferred]]:
    """Every pair of completions that the labels compare or rate, with the one they prefer."""
    principles = by_id(evidence.constitution)
    judged: dict[str, list[Judgment]] = {}
    for judgment in evidence.judgments:
        judged.setdefault(judgment.prompt, []).append(judgment)
    for group in evidence.candidates:
        for number, first in enumerate(group.completions):
            for second in group.completions[number + 1 :]:
                compared = comparisons(judged.get(group.prompt.id, ()), first.id, second.id)
                if compared and first.text != second.text:
                    yield group, first, second, preferred(compared, first.id, principles)
