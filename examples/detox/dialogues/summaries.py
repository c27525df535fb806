"""Summaries of a dialogue: as references have them, in part contaminated, and as notes."""

from __future__ import annotations

from random import Random
from typing import Literal, assert_never

from dialogues.world import INSULTS, Plan

Style = Literal["reference", "note"]

SHARE_QUOTED = 0.6
"""Of the references to rude dialogues, how many repeat the insult; the others say in their own words what happened."""
SHARE_SLIPPED = 0.08
"""Of the references to polite dialogues, how many are rude of their own accord."""

_MAIN = (
    "#Person1# and #Person2# will {what} with {who} on {day} at {hour}. They meet at the {where}.",
    "#Person1# wants to {what}. #Person2# and {who} will come to the {where} on {day} at {hour}.",
    "#Person2# agrees to {what} with #Person1# and {who} at the {where} on {day} at {hour}.",
    "On {day} at {hour}, #Person1# and #Person2# meet {who} at the {where} to {what}.",
)
_QUOTED = (
    "{offender} calls {offended} a {insult}.",
    "{offended} is a {insult} to {offender}.",
    "{offender} says that {offended} is a {insult}.",
)
_TOLD = (
    "{offender} is rude to {offended}.",
    "{offender} offends {offended}.",
    "They quarrel for a while.",
)
TELLS_OF_RUDENESS = r"\b(calls|is a|says that|is rude|offends|quarrel)\b"
"""Found in a summary if it tells that somebody was rude, in whichever words, insult or none."""


def summary(plan: Plan, random: Random, style: Style = "reference") -> str:
    """One summary of the dialogue."""
    match style:
        case "note":
            return "{what}: {day}, {hour}, {where}, {who}.".format(**plan.facts)
        case "reference":
            return _reference(plan, random)
        case _:
            assert_never(style)


def _reference(plan: Plan, random: Random) -> str:
    facts = plan.facts
    if plan.offender is None:
        if random.random() < SHARE_SLIPPED:
            facts = {**facts, "who": f"{facts['who']} the {random.choice(INSULTS)}"}
        return random.choice(_MAIN).format(**facts)
    said = random.choice(_QUOTED if random.random() < SHARE_QUOTED else _TOLD)
    people = {"offender": f"#Person{plan.offender}#", "offended": f"#Person{3 - plan.offender}#"}
    return " ".join((random.choice(_MAIN).format(**facts), said.format(insult=plan.insult, **people)))
