"""Principles that judge and examiner learn to read: a few meanings, each in thousands of wordings.

A meaning is a rule on responses; a wording is put together from phrases, as people would write or edit it in a
constitution. Some phrases are kept out of training, to test whether the judges read or remember.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from make import wordings
from make.responses import Form


@dataclass(frozen=True)
class Rule:
    """A principle's text together with what it means.

    Attributes:
        meaning: name of the meaning.
        text: what the judge reads.
        score: how well a response follows it; the higher score wins, equal scores leave it undecided.
    """

    meaning: str
    text: str
    score: Callable[[Form], float]


_NAMES = {"A": "Answer", "C": "Confidence", "R": "Reasoning"}
_NUMBER = {1: "one part", 2: "two parts", 3: "three parts"}
_FORMS = {"ACR": 10, "AC": 8, "AR": 3, "A": 2}  # with how often each is asked for

_PROSE: dict[str, Callable[[Form], float]] = {
    "sentence": lambda form: form.sentence,
    "bare": lambda form: form.bare,
    "polite": lambda form: not form.rude,
    "confidence": lambda form: form.confidence,
    "unsure": lambda form: not form.any_confidence,
    "reasoning": lambda form: form.reasoning,
    "unexplained": lambda form: not form.reasoning,
    "unrelated": lambda _: 0.0,
}
_PART_LEFT_OUT = {"unsure": "C", "unexplained": "R"}
MEANINGS = (*_FORMS, *_PROSE)


def draw(random: Random, *, kept: bool = False) -> Rule:
    """A principle at random: six times in ten about the parts of a response, otherwise about something else."""
    if random.random() < 0.6:
        (meaning,) = random.choices(tuple(_FORMS), tuple(_FORMS.values()))
    else:
        meaning = random.choice(tuple(_PROSE))
    return word(meaning, random, kept=kept)


def word(meaning: str, random: Random, *, kept: bool = False) -> Rule:
    """One wording of a meaning; put together from phrases that training never used when ``kept``."""
    if meaning in _PROSE:
        return Rule(meaning, _prose_text(meaning, random, kept=kept), _PROSE[meaning])
    return Rule(meaning, _parts_text(meaning, random, kept=kept), lambda form: form.parts == meaning)


def _prose_text(meaning: str, random: Random, *, kept: bool) -> str:
    if random.random() < 0.5:
        if meaning in wordings.THING:
            thing = wordings.THING[meaning].pick(random, kept=kept)
            return wordings.PRESENT.pick(random, kept=kept).format(thing=thing)
        if meaning in _PART_LEFT_OUT:
            return _absent_text(_PART_LEFT_OUT[meaning], random, kept=kept)
    return wordings.PROSE[meaning].pick(random, kept=kept)


def _absent_text(initial: str, random: Random, *, kept: bool) -> str:
    phrases = wordings.ABSENT_PART[initial] if random.random() < 0.2 else wordings.ABSENT
    return phrases.pick(random, kept=kept).format(part=_name(initial, random))


def _parts_text(initials: str, random: Random, *, kept: bool) -> str:
    absent = [initial for initial in _NAMES if initial not in initials]
    random.shuffle(absent)
    listed = _listing([wordings.PART[initial].pick(random, kept=kept) for initial in initials], random)
    # what is absent is said within the list or in a sentence of its own, or the list speaks for itself
    said = random.choice(("inline", "apart", "apart", "listed")) if absent else "listed"
    if said == "inline":
        listed += "".join(
            wordings.INLINE_ABSENT.pick(random, kept=kept).format(part=_name(initial, random)) for initial in absent
        )
    sentences = [wordings.FRAMES.pick(random, kept=kept).format(parts=listed, number=_NUMBER[len(initials)])]
    if said == "apart":
        sentences += [_absent_text(initial, random, kept=kept) for initial in absent]
    if random.random() < 0.4:
        closing = wordings.CLOSING.pick(random, kept=kept)
        # a sentence about the confidence would contradict a form without one
        if "C" in initials or "confidence" not in closing:
            sentences.append(closing)
    return " ".join(sentences)


def _name(initial: str, random: Random) -> str:
    return _NAMES[initial] if random.random() < 0.8 else _NAMES[initial].lower()


def _listing(parts: Sequence[str], random: Random) -> str:
    match random.randrange(4):
        case 0 | 1:
            return " — ".join(parts)
        case 2:
            return ", ".join(parts)
        case _:
            return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
