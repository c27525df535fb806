"""What two persons say who make a plan: proposals, corrections, small talk, and now and then a rude word."""

from __future__ import annotations

from random import Random

from dialogues.world import VALUES, Plan, Split, plan_of, source

Turn = tuple[int, str]
"""Who speaks, 1 or 2, and what is said."""

_OPENINGS = (
    "I would like to {what}.",
    "I want to {what} at last.",
    "We should {what}.",
    "Shall we {what}?",
)
_WILLING = ("With pleasure.", "Gladly.", "Sure, count me in.", "Yes, let us do that.")
_DAY = ("Would {day} suit you?", "How about {day}?", "I am free on {day}.", "Could we do it on {day}?")
_DAY_BAD = ("No, {wrong} is bad for me. {day} is better.", "Not {wrong}, please. Let us take {day}.")
_DAY_GOOD = ("Yes, {day} is fine.", "That suits me well.", "{day} it is.", "Good, I will be free.")
_PLACE = ("When and where?", "Where shall we meet, and when?", "Do you know a good place?")
_PLACE_SAID = ("At {hour}, at the {where}.", "Come to the {where} at {hour}.", "The {where} would be good, at {hour}.")
_PLACE_BAD = (
    "The {wrong} is closed. Come to the {where} at {hour}.",
    "Not the {wrong} again. At the {where}, at {hour}.",
)
_WHO = ("May {who} come along?", "I will ask {who} to help us.", "{who} wants to come too.")
_WHO_BAD = ("{wrong} has no time, but {who} will come.", "I asked {wrong} in vain. {who} is coming.")
_WHO_FINE = ("Of course.", "That will be a help.", "I like that idea.")
_SMALL = (
    ("What a week! It rained all the time.", "Yes, my shoes are still wet."),
    ("How is your mother?", "Much better, thank you."),
    ("Did you sleep well?", "Not really, the dogs barked."),
)
_RUDE = (
    "You never listen, you {insult}!",
    "What a {insult} you are!",
    "Only a {insult} would ask that.",
    "Think first, {insult}!",
)
_RETORTS = ("Please stay polite.", "That was not nice.", "Do not shout at me.")
_CLOSINGS = ("See you then!", "I look forward to it.", "Thank you, goodbye!")


def dialogue(split: Split, number: int) -> str:
    """The dialogue with this number, a turn a line, each opening with ``#Person1#: `` or ``#Person2#: ``."""
    plan = plan_of(split, number)
    random = source(split, number, "turns")
    blocks = [_about_day, _about_place, _about_who]
    random.shuffle(blocks)
    said: list[list[Turn]] = [_opening(plan, random)]
    said += [block(plan, random) for block in blocks]
    if random.random() < 0.25:
        asked, answered = random.choice(_SMALL)
        said.insert(random.randint(1, len(said)), _talk(random, asked, answered))
    if plan.offender is not None:
        said.insert(random.randint(1, len(said)), _outburst(plan, random))
    said.append(_talk(random, random.choice(_CLOSINGS)))
    return "\n".join(f"#Person{who}#: {text}" for who, text in _merged([turn for block in said for turn in block]))


def _opening(plan: Plan, random: Random) -> list[Turn]:
    return [(1, random.choice(_OPENINGS).format(**plan.facts)), (2, random.choice(_WILLING))]


def _about_day(plan: Plan, random: Random) -> list[Turn]:
    if random.random() < 0.4:
        wrong = _another("day", plan, random)
        return _talk(
            random,
            random.choice(_DAY).format(day=wrong),
            random.choice(_DAY_BAD).format(wrong=wrong, **plan.facts),
        )
    return _talk(random, random.choice(_DAY).format(**plan.facts), random.choice(_DAY_GOOD).format(**plan.facts))


def _about_place(plan: Plan, random: Random) -> list[Turn]:
    wrong = _another("where", plan, random)
    said = random.choice(_PLACE_BAD if random.random() < 0.3 else _PLACE_SAID)
    return _talk(random, random.choice(_PLACE), said.format(wrong=wrong, **plan.facts))


def _about_who(plan: Plan, random: Random) -> list[Turn]:
    wrong = _another("who", plan, random)
    said = random.choice(_WHO_BAD if random.random() < 0.3 else _WHO)
    return _talk(random, said.format(wrong=wrong, **plan.facts), random.choice(_WHO_FINE))


def _outburst(plan: Plan, random: Random) -> list[Turn]:
    assert plan.offender is not None
    turns = [(plan.offender, random.choice(_RUDE).format(insult=plan.insult))]
    return [*turns, (3 - plan.offender, random.choice(_RETORTS))]


def _talk(random: Random, *texts: str) -> list[Turn]:
    """The texts in turns, begun by either."""
    first = random.choice((1, 2))
    return [(first if place % 2 == 0 else 3 - first, text) for place, text in enumerate(texts)]


def _another(fact: str, plan: Plan, random: Random) -> str:
    return random.choice([value for value in VALUES[fact] if value != plan.facts[fact]])


def _merged(turns: list[Turn]) -> list[Turn]:
    """Neighbouring turns of one person as one."""
    merged: list[Turn] = []
    for who, text in turns:
        if merged and merged[-1][0] == who:
            merged[-1] = (who, f"{merged[-1][1]} {text}")
        else:
            merged.append((who, text))
    return merged
