"""Rules that a program can check: a labeler without a judge, and the measuring stick of ``compliance``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from solon.data.records import Failed, Judgment, Question, Scored, Slug
from solon.labelers.patterns import PatternTimeout
from solon.labelers.rule_kinds import Rule, RuleKind
from solon.labelers.scorer import Scorer


class Rules(Scorer):
    """Scores one completion by verifiable rules, each with a name of its own.

    ::

        kind: rules
        rules:
          format: {pattern: "Answer: .+ — Confidence: (high|medium|low)"}
          polite: {forbidden: [idiot, duh]}
          right: {answer: contains}

    Attributes:
        rules: what is checked, by name.
        mode: ``mean`` scores the share of the rules that hold, ``all`` 1 when every one holds and else 0.
    """

    kind: ClassVar[str] = "rules"

    rules: dict[Slug, Rule] = Field(min_length=1)
    mode: Literal["mean", "all"] = "mean"

    async def label(self, question: Question) -> Judgment:
        """Scores one completion in [0, 1]. The rationale names the rules that it breaks.

        Raises:
            ValueError: the question has more than one option.
        """
        if len(question.options) != 1:
            raise ValueError(f"a question for rules has 1 option, and this one has {len(question.options)}")
        held = check(self.rules, question.options[0].text, question.prompt.reference)
        failures = {name: result for name, result in held.items() if isinstance(result, Failed)}
        if failures:
            name, failed = next(iter(failures.items()))
            outcome = Failed(reason=failed.reason, raw=f"rule {name!r}: {failed.raw}")
            return question.judged(outcome, labeler=self.name)
        broken = [name for name, result in held.items() if not result]
        share = 1 - len(broken) / len(held)
        score = share if self.mode == "mean" else float(not broken)
        rationale = f"breaks {', '.join(broken)}" if broken else "every rule holds"
        return question.judged(Scored(scores=(score,)), labeler=self.name, rationale=rationale)


def check(rules: Mapping[str, RuleKind], text: str, reference: str | None) -> dict[str, bool | Failed]:
    """Whether each rule holds of a response, by name and in their order. ``Failed`` where that cannot be said."""
    return {name: _holds(rule, text, reference) for name, rule in rules.items()}


def _holds(rule: RuleKind, text: str, reference: str | None) -> bool | Failed:
    try:
        return rule.holds(text, reference)
    except PatternTimeout as error:
        return Failed(reason="error", raw=str(error))
