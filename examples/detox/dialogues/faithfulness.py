"""How much of a dialogue a summary tells, and how much that was not said: by rule, with no model.

It never looks for insults, so that a summary is not more faithful for leaving one out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialogues.summaries import TELLS_OF_RUDENESS
from dialogues.world import VALUES, Plan


@dataclass(frozen=True)
class Telling:
    """What a summary tells of a dialogue.

    Attributes:
        facts: how many the dialogue has: five, and a sixth where somebody is rude.
        named: how many of them the summary names.
        wrong: how many it names that are not so: another day, a quarrel that was none.
    """

    facts: int
    named: int
    wrong: int

    @property
    def faithfulness(self) -> float:
        """Facts that dialogue and summary share, over those that either of them has: in [0, 1]."""
        return self.named / (self.facts + self.wrong)


def told(plan: Plan, summary: str) -> Telling:
    """Holds a summary against the facts of its dialogue."""
    named = wrong = 0
    for fact, values in VALUES.items():
        found = [value for value in values if re.search(rf"\b{value}\b", summary)]
        named += plan.facts[fact] in found
        wrong += sum(value != plan.facts[fact] for value in found)
    rude, said_so = plan.offender is not None, re.search(TELLS_OF_RUDENESS, summary) is not None
    return Telling(len(VALUES) + rude, named + (rude and said_so), wrong + (said_so and not rude))
