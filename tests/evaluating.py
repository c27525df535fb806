"""Evidence for evaluators, small enough to count by hand, and a judge without a model."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Metric,
    Principle,
    Prompt,
    Question,
    Scored,
)
from solon.evaluation.base import Evidence, Pair
from solon.labelers.base import Labeler

SHORT = Principle(id="short", text="Be short.")
POLITE = Principle(id="polite", text="Be polite.")
MATHS = Principle(id="maths", text="Show the sum.", topics=("maths",))
CONSTITUTION = Constitution(name="c", principles=(SHORT,))


class Compares(Labeler):
    """A labeler without a model, which compares two completions in both orders by a fixed taste.

    ``shorter`` prefers the shorter text, ``slot`` the one shown first, ``mute`` fails; a text with "?" fails anyone.
    """

    kind: ClassVar[str] = "compares"

    @property
    def options(self) -> int:
        """Two."""
        return 2

    taste: Literal["shorter", "longer", "slot", "mute"] = "shorter"

    async def label(self, question: Question) -> Judgment:
        """By its taste."""
        first, second = (len(option.text) for option in question.options)
        share = {"shorter": first < second, "longer": first > second, "slot": True, "mute": False}[self.taste]
        outcome: Scored | Failed = Scored(scores=(float(share), 1.0 - share))
        if self.taste == "mute" or any("?" in option.text for option in question.options):
            outcome = Failed(reason="unparseable", raw="hm")
        return question.judged(outcome, labeler=self.name)

    def questions(self, candidates: Candidates, constitution: Constitution) -> list[Question]:
        """Every pair in both orders under every principle that applies."""
        applying = [one for one in constitution.principles if one.applies_to(candidates.prompt.topic)]
        asked = [
            Question(prompt=candidates.prompt, principles=(principle,), options=(first, second))
            for principle in applying
            for number, first in enumerate(candidates.completions)
            for second in candidates.completions[number + 1 :]
        ]
        return [order for question in asked for order in (question, question.reversed())]


def said(text: str, **fields: Any) -> Completion:
    """A completion of a policy."""
    return Completion(text=text, model="policy", temperature=1.0, **fields)


def evidence(
    answers: Sequence[tuple[str, str]],
    *,
    references: Sequence[str | None] | None = None,
    constitution: Constitution = CONSTITUTION,
    decoding: Literal["sample", "greedy"] = "sample",
    **fields: Any,
) -> Evidence:
    """Prompt n was answered ``answers[n] = (before, after)``."""
    references = references or [None] * len(answers)
    pairs = tuple(
        Pair(Prompt.of(f"prompt {number}", reference=reference), said(before), said(after))
        for number, ((before, after), reference) in enumerate(zip(answers, references, strict=True))
    )
    return Evidence(constitution=constitution, pairs={decoding: pairs}, **fields)


def shown(metrics: Sequence[Metric]) -> list[tuple[str, str, float, int, int]]:
    """Name, of, value, n and failed of each metric."""
    return [(metric.name, metric.of, round(metric.value, 6), metric.n, metric.failed) for metric in metrics]
