"""How many answers follow verifiable rules, before and after."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from solon.data.records import Failed, Metric, Slug
from solon.evaluation.base import Evidence, OfAnswers, Pair
from solon.evaluation.itemised import ids, itemised_shares
from solon.evaluation.paired import Held, named, pairs_of
from solon.labelers.rule_kinds import Rule
from solon.labelers.rules import check


class Compliance(OfAnswers):
    """A share for each rule, and ``compliance`` itself: the share of answers of which every rule holds.

    An answer to which one of the rules cannot be applied counts as failed in ``compliance``.

    Attributes:
        rules: as in the labeler ``rules``.
    """

    kind: ClassVar[str] = "compliance"

    rules: dict[Slug, Rule] = Field(min_length=1)

    @field_validator("rules")
    @classmethod
    def _names_no_decoding(cls, rules: dict[str, Rule]) -> dict[str, Rule]:
        if "greedy" in rules:
            raise ValueError("a rule cannot be called 'greedy': that metric is compliance under greedy decoding")
        return rules

    def changes(self, pair: Pair) -> dict[str, Held]:
        """``compliance`` and each rule, of one pair of answers."""
        before = check(self.rules, pair.before.text, pair.prompt.reference)
        after = check(self.rules, pair.after.text, pair.prompt.reference)
        held = {named("compliance", self.decoding): (_all(before), _all(after))}
        for rule in self.rules:
            held[named("compliance", self.decoding, rule)] = (_known(before[rule]), _known(after[rule]))
        return held

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``compliance``, then a metric a rule, each before, after and as a difference."""
        pairs = pairs_of(evidence, self.decoding, "compliance")
        changes = [self.changes(pair) for pair in pairs]
        return [
            metric
            for name in changes[0]
            for metric in itemised_shares(evidence, name, ids(pairs), [held[name] for held in changes])
        ]


def _known(result: bool | Failed) -> bool | None:
    return None if isinstance(result, Failed) else result


def _all(results: dict[str, bool | Failed]) -> bool | None:
    if any(isinstance(result, Failed) for result in results.values()):
        return None
    return all(results.values())
