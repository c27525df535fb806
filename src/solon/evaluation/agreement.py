"""How far the labels can be trusted: whether they depend on the order, and agree with someone else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from solon.data.records import Candidates, Completion, Judgment, Metric, Principle
from solon.errors import DataError
from solon.evaluation.base import Decoding, Evaluator, Evidence
from solon.evaluation.comparison import (
    Comparison,
    Preferred,
    asked_alone,
    by_id,
    compare,
    comparisons,
    preferred,
)
from solon.evaluation.orders import by_prompt, consistency, first_slot, tables_of_orders
from solon.evaluation.paired import metric
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.registry import AnyLabeler
from solon.statistics.clustered import Table, clustered_share, coefficients

_DECIDED = ("first", "second")


class Agreement(Evaluator):
    """Measures the labels of the training data, not the policies.

    ``order_consistency`` is the share of compared pairs, under each principle, on which both orders do not contradict
    each other; ``first_slot_wins`` the share of comparisons that the completion shown first won (.5 is no bias);
    ``agreement`` how often the labels and another labeler prefer the same one, of the pairs on which both prefer one,
    and ``agreement/<principle>`` the same under each that both were asked about alone.
    ``kappa/...``, ``alpha/...`` and ``ac1/...`` say how far that is from what chance would give: Cohen's kappa,
    Krippendorff's alpha and Gwet's AC1, 0 for chance and 1 for full agreement; between the two orders a tie is a
    verdict of its own. ``{kind: human, file: ...}`` as the other labeler measures how far people agree; pairs that
    nobody judged are no failures, and ``method`` says how many there are.

    Attributes:
        other: the other labeler, such as ``rules``; ``with`` in a recipe. Without one there is no ``agreement``.
    """

    kind: ClassVar[str] = "agreement"
    of_labels: ClassVar[bool] = True

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
            whole = consistency("order_consistency", "labels", evidence.judgments)
            slot = first_slot("first_slot_wins", "labels", evidence.judgments)
            metrics = [whole, slot, *beyond_chance("order_consistency", tables_of_orders(evidence.judgments))]
        if self.other is not None:
            metrics += await _agreement(self.other, evidence)
        return metrics


@dataclass(frozen=True)
class _Pair:
    """Two completions that the labels compare or rate, and what they say of them."""

    group: Candidates
    first: Completion
    second: Completion
    labels: tuple[Judgment, ...]


async def _agreement(other: Labeler, evidence: Evidence) -> list[Metric]:
    """Over all principles together, and under each that both were asked about alone."""
    pairs = list(_labeled(evidence))
    both = [(pair.group.prompt, pair.first, pair.second) for pair in pairs]
    asked = await compare(other, both, evidence.constitution)
    principles = by_id(evidence.constitution)
    account = other.account()
    more = ""
    if account is not None:
        for one in asked:
            account.add(one.judgments)
        if isinstance(said_of_all := account.summary().get("note"), str):
            more = f"; {said_of_all}"
    told = [
        (pair.group.prompt.id, _of(pair, pair.labels, principles), one.preferred)
        for pair, one in zip(pairs, asked, strict=True)
    ]
    metrics = of_verdicts("agreement", other.name, told, more)
    for principle in _asked_by_both(pairs, asked):
        alone = [
            (pair.group.prompt.id, _of(pair, _under(principle, pair.labels), principles), _of(pair, said, principles))
            for pair, one in zip(pairs, asked, strict=True)
            if (said := _under(principle, one.judgments))
        ]
        metrics += of_verdicts(f"agreement/{principle}", other.name, alone, "")
    return metrics


def of_verdicts(name: str, other: str, told: Sequence[tuple[str, Preferred, Preferred]], more: str) -> list[Metric]:
    """The share on which both prefer the same, and the coefficients, of what the labels and another one say."""
    share, tables = agreeing(name, told)
    verdicts = [(label, said) for _, label, said in told]
    label_ties, other_ties = (sum(pair[side] == "tie" for pair in verdicts) for side in (0, 1))
    note = f"with {other}, where both prefer one; {label_ties:,} ties of the labels, {other_ties:,} of the other"
    # a labeler that need not answer everything, such as people's verdicts in a file: no answer is no failure
    if not_asked := sum("not_asked" in pair for pair in verdicts):
        note += f"; {not_asked:,} pairs not asked about"
    share = share.model_copy(update={"method": f"{share.method}; {note}{more}"})
    return [share, *beyond_chance(name, tables)]


def agreeing(name: str, told: Sequence[tuple[str, Preferred, Preferred]]) -> tuple[Metric, list[Table]]:
    """The share on which both prefer the same, of the pairs on which both prefer one; and a table a prompt of these.

    Args:
        name: of the share.
        told: of each pair the id of its prompt, and what the labels and another one say.
    """
    tables: dict[str, Counter[tuple[str, str]]] = {}
    for prompt, label, said in told:
        if label in _DECIDED and said in _DECIDED:
            tables.setdefault(prompt, Counter())[label, said] += 1
    clusters = [(sum(table[same, same] for same in _DECIDED), table.total()) for table in tables.values()]
    n, failed = sum(items for _, items in clusters), sum("failed" in (label, said) for _, label, said in told)
    return metric(name, "labels", clustered_share(clusters), n, failed=failed), list(tables.values())


def beyond_chance(name: str, tables: Sequence[Table]) -> list[Metric]:
    """Kappa, alpha and AC1 of the share of that name, from a table a prompt."""
    n = sum(count for table in tables for count in table.values())
    return [
        metric(f"{coefficient}/{name}", "labels", estimate, n, unit="score", note="1 is full agreement, 0 chance")
        for coefficient, estimate in coefficients(tables).items()
    ]


def _of(pair: _Pair, judgments: Sequence[Judgment], principles: dict[str, Principle]) -> Preferred:
    return preferred(judgments, pair.first.id, principles)


def _under(principle: str, judgments: Iterable[Judgment]) -> list[Judgment]:
    return [judgment for judgment in judgments if judgment.principles == (principle,)]


def _asked_by_both(pairs: Sequence[_Pair], asked: Sequence[Comparison]) -> list[str]:
    """Principles that the labels and the other labeler were each asked about one at a time."""
    other = asked_alone(judgment for one in asked for judgment in one.judgments)
    return [name for name in asked_alone(judgment for pair in pairs for judgment in pair.labels) if name in other]


def _labeled(evidence: Evidence) -> Iterator[_Pair]:
    """Every pair of completions that the labels compare or rate.

    The first is the one with the lower id, which is by chance: in many files the better response stands first.
    """
    judged = by_prompt(evidence.judgments)
    for group in evidence.candidates:
        for number, one in enumerate(group.completions):
            for other in group.completions[number + 1 :]:
                first, second = sorted((one, other), key=lambda completion: completion.id)
                compared = comparisons(judged.get(group.prompt.id, ()), first.id, second.id)
                if compared and first.text != second.text:
                    yield _Pair(group, first, second, compared)
