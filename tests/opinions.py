"""Labelers that say what they are told to, for tests of what is made of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from pydantic import ConfigDict

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    FailureReason,
    Judgment,
    Principle,
    Prompt,
    Question,
    Revised,
    Scored,
    Usage,
)
from solon.labelers.base import Labeler

SHORT = Principle(id="short", text="The shorter response is better.")
PROMPT = Prompt.of("Say something.")
Says = Callable[[Question], Scored | Revised | Failed]


class Opinion(Labeler):
    """Answers every question by a function, at a price; compares two completions or rates one."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    kind: ClassVar[str] = "opinion"

    says: Says
    called: str = "opinion"
    shown: int = 2
    usd: float = 0.0
    tokens: int = 0

    @property
    def name(self) -> str:
        """``called``."""
        return self.called

    @property
    def options(self) -> int:
        """``shown``."""
        return self.shown

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """Both orders of the first two completions, or one question a completion."""
        shown = candidates.completions[:2] if self.shown == 2 else ()
        for options in (shown, shown[::-1]) if shown else ((one,) for one in candidates.completions):
            yield Question(prompt=candidates.prompt, principles=constitution.principles, options=options)

    async def label(self, question: Question) -> Judgment:
        """What it says, at its price."""
        usage = Usage(input_tokens=self.tokens)
        return question.judged(self.says(question), labeler=self.name, usage=usage, cost_usd=self.usd)


def said(text: str) -> Completion:
    """A completion of the policy."""
    return Completion(text=text, model="policy")


def comparison(first: str, second: str, principle: Principle = SHORT) -> Question:
    """Which of two texts is better?"""
    return Question(prompt=PROMPT, principles=(principle,), options=(said(first), said(second)))


def rating(text: str) -> Question:
    """How good is a text?"""
    return Question(prompt=PROMPT, principles=(SHORT,), options=(said(text),))


def outcome(value: float | FailureReason, *, probability: float | None = None, options: int = 2) -> Scored | Failed:
    """P(first is better) or a rating, or why there is none."""
    if isinstance(value, str):
        return Failed(reason=value, raw=f"it is {value}")
    return Scored(scores=(value, 1 - value) if options == 2 else (value,), probability=probability)


def always(value: float | FailureReason, called: str = "opinion", **fields: object) -> Opinion:
    """Says the same to every question, whatever the order."""
    shown = int(str(fields.get("shown", 2)))
    return Opinion.model_validate({"says": lambda _: outcome(value, options=shown), "called": called, **fields})


def prefers(
    strengths: Mapping[str, float], called: str = "opinion", *, probability: float | None = None, **fields: object
) -> Opinion:
    """Says with certainty that the stronger text is better, in either order; equal ones tie."""

    def says(question: Question) -> Scored:
        first, second = (strengths[option.text] for option in question.options)
        value = 1.0 if first > second else 0.0 if first < second else 0.5
        return Scored(scores=(value, 1 - value), probability=probability)

    return Opinion.model_validate({"says": says, "called": called, **fields})
