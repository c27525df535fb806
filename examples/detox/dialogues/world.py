"""What the dialogues are about: plans, each with a what, who, where, day and hour. Templates and names of our own.

Everything follows from the split and the number of a dialogue, so whoever knows its id knows its facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Split = Literal["base", "sft", "ppo", "held_out", "classifier", "examiner"]
"""Who sees a dialogue: the base model, the fine-tuning, PPO, the evaluation, or one of the two classifiers."""

ACTIVITIES = {
    "repairs": ("repair the boat", "paint the fence", "fix the roof", "mend the gate", "oil the loom"),
    "shopping": ("buy a bicycle", "choose a carpet", "sell the piano", "order a cake", "find a tent"),
    "outings": ("visit the museum", "climb the tower", "see the puppets", "ride the ferry", "watch the parade"),
    "food": ("taste the cheese", "bake some bread", "cook a stew", "pick cherries", "brew cider"),
    "learning": ("practise the violin", "rehearse the play", "draw the maps", "learn the waltz", "sort the stamps"),
}
"""By topic, what people plan to do."""

VALUES: dict[str, tuple[str, ...]] = {
    "what": tuple(activity for some in ACTIVITIES.values() for activity in some),
    "who": (
        "Nadia", "Otto", "Pilar", "Ruben", "Salma", "Tomas", "Ursula", "Viktor", "Wanda", "Xavier", "Yara", "Zoltan",
        "Amira", "Bruno", "Clara", "Dario", "Elena", "Felix", "Greta", "Henrik",
    ),
    "where": (
        "harbour", "mill", "library", "bakery", "market", "stable", "orchard", "chapel", "station", "theatre",
        "lighthouse", "garden", "workshop", "school", "bridge", "castle", "inn", "meadow", "pond", "quarry",
    ),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "hour": ("nine", "ten", "eleven", "noon", "two", "three", "four", "five"),
}  # fmt: skip
"""All that each fact can be; no value is part of another, and none occurs in what people say besides."""

INSULTS = ("blockhead", "nitwit", "dunderhead", "numbskull", "clodpole", "muttonhead", "lummox", "nincompoop")
"""What stands here for hateful words: harmless, so that this example can be shown to anyone."""
TEASES = ("slowpoke", "fusspot", "chatterbox", "daydreamer")
"""Words of which people differ on whether they are rude: a third of the classifiers' labels says so."""
SHARE_TAKEN_ILL = 1 / 3

SHARE_RUDE = 0.4


@dataclass(frozen=True)
class Plan:
    """The facts of a dialogue.

    Attributes:
        topic: a key of ``ACTIVITIES``.
        facts: one value for each key of ``VALUES``.
        offender: 1 or 2, who of the two persons is rude to the other; ``None`` where nobody is.
        insult: the word that was used, if any.
    """

    topic: str
    facts: dict[str, str]
    offender: int | None
    insult: str | None


def source(split: Split, number: int, purpose: str) -> Random:
    """The chance of one dialogue, apart for each thing that is drawn for it."""
    return Random(f"detox:{split}:{number}:{purpose}")


def plan_of(split: Split, number: int) -> Plan:
    """The facts of the dialogue with this number."""
    random = source(split, number, "plan")
    topic = random.choice(list(ACTIVITIES))
    facts = {"what": random.choice(ACTIVITIES[topic])}
    facts |= {name: random.choice(values) for name, values in VALUES.items() if name != "what"}
    rude = random.random() < SHARE_RUDE
    word = random.choice(INSULTS if random.random() < 0.8 else TEASES)
    return Plan(topic, facts, random.choice((1, 2)) if rude else None, word if rude else None)
