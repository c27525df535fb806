"""What a cascade escalated, why, and what it saved, counted as the judgments pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from solon.data.records import Judgment, Scored
from solon.labelers.base import Labeler
from solon.labelers.votes import told_apart
from solon.statistics.estimates import wilson


class CascadeAccount:
    """Counts questions, escalations and costs.

    Args:
        first: the cheap labeler.
        then: the expensive one.
        doubt: why a cheap judgment, or both orders of one, was not relied on.
    """

    def __init__(self, first: Labeler, then: Labeler, doubt: Callable[..., str | None]) -> None:
        self._names = told_apart((first.name, then.name))
        self._inner = (first.account(), then.account())
        self._doubt = doubt
        self._questions = 0
        self._dependent = 1
        self._with_probability = 0
        self._why: Counter[str] = Counter()
        self._usd = [0.0, 0.0]
        self._tokens = [0, 0]

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Counts all judgments on one prompt."""
        voted = [judgment for judgment in judgments if judgment.votes]
        cheap = {(judgment.principles, judgment.options): judgment.votes[0] for judgment in voted}
        for place, inner in enumerate(self._inner):
            if inner is not None:
                inner.add([judgment.votes[place] for judgment in voted if len(judgment.votes) > place])
        for judgment in voted:
            self._questions += 1
            self._dependent = len(judgment.options)
            outcome = judgment.votes[0].outcome
            self._with_probability += isinstance(outcome, Scored) and outcome.probability is not None
            for place, vote in enumerate(judgment.votes):
                self._usd[place] += vote.cost_usd
                self._tokens[place] += vote.usage.input_tokens + vote.usage.output_tokens
            if len(judgment.votes) == 2:
                orders = dict.fromkeys((judgment.options, judgment.options[::-1]))
                known = [cheap[judgment.principles, order] for order in orders if (judgment.principles, order) in cheap]
                # where the other order is not among the judgments, the doubt may have been about that one
                self._why[self._doubt(*known) or "other order"] += 1

    def summary(self) -> dict[str, JsonValue]:
        """Share escalated, reasons, and dollars and tokens: spent, as if the expensive one had judged all, and saved.

        What the expensive one would have cost is estimated from the questions that it did judge; ``None`` where it
        judged none.
        """
        escalated = sum(self._why.values())
        # both orders of a pair are escalated together: in the interval they count as one
        share = wilson(escalated // self._dependent, self._questions // self._dependent)
        labelers: list[JsonValue] = []
        for place, (name, inner) in enumerate(zip(self._names, self._inner, strict=True)):
            facts: dict[str, JsonValue] = {
                "name": name,
                "judged": escalated if place else self._questions,
                "usd": round(self._usd[place], 6),
                "tokens": self._tokens[place],
            }
            if inner is not None:
                facts["account"] = inner.summary()
            labelers.append(facts)
        return {
            "questions": self._questions,
            "escalated": escalated,
            "escalated_share": {
                "value": round(share.value, 4),
                "low": round(share.low, 4),
                "high": round(share.high, 4),
                "n": self._questions,
            },
            "why": dict(sorted(self._why.items())),
            "stated_probability": self._with_probability,
            "labelers": labelers,
            "usd": _saved(self._usd, self._questions, escalated, digits=6),
            "tokens": _saved(self._tokens, self._questions, escalated, digits=None),
        }


def _saved(spent: Sequence[float], questions: int, escalated: int, *, digits: int | None) -> JsonValue:
    total = sum(spent)
    alone = spent[1] / escalated * questions if escalated else None
    return {
        "spent": round(total, digits),
        "expensive_alone": None if alone is None else round(alone, digits),
        "saved": None if alone is None else round(alone - total, digits),
    }
