"""The world that the tiny models know: 218 facts, the questions about them, and the ways to answer.

Countries and capitals are invented, colours, sums and opposites are real. All of it is templates of our own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

Split = Literal["held_out", "prompts", "policy", "judge", "examiner"]


@dataclass(frozen=True)
class Fact:
    """Something the world holds to be true.

    Attributes:
        topic: ``capitals``, ``colours``, ``sums`` or ``opposites``.
        questions: its wordings, each a complete sentence.
        answer: the one right answer.
        sentence: the fact as a sentence, without its full stop.
        reasoning: why, as a sentence.
        confidence: how sure a well-mannered answer is: it follows from the fact, so it can be learned.
    """

    topic: str
    questions: tuple[str, ...]
    answer: str
    sentence: str
    reasoning: str
    confidence: str


@dataclass(frozen=True)
class Ask:
    """One prompt about a fact."""

    text: str
    fact: Fact


_BEGINNINGS = ("Bel", "Dor", "Fen", "Gal", "Hal", "Kor", "Lum", "Mar", "Nor", "Pel", "Ros", "Sol", "Tar", "Vel", "Zan")
_COUNTRY_ENDS = ("avia", "onia", "istan", "eria")
_CITY_ENDS = ("burg", "dale", "ford", "mouth")
_COLOURS = {
    "yellow": ("a ripe lemon", "a canary", "a sunflower", "butter"),
    "red": ("a ripe tomato", "a fire engine", "blood", "a poppy", "a ruby"),
    "green": ("fresh grass", "an emerald", "a cucumber", "spinach", "a frog"),
    "blue": ("a clear sky", "a sapphire", "a cornflower", "the deep sea"),
    "white": ("fresh snow", "milk", "salt", "chalk", "a swan"),
    "black": ("coal", "a raven", "ink", "tar", "a panther"),
    "orange": ("a carrot", "a pumpkin", "amber", "a tangerine"),
    "brown": ("chocolate", "coffee", "a chestnut", "an acorn"),
    "pink": ("a flamingo", "a piglet", "bubble gum"),
    "grey": ("an elephant", "ash", "a rain cloud"),
    "purple": ("an aubergine", "a plum", "lavender"),
}
# no "high" and "low": as answers they would look like a confidence
_OPPOSITES = (
    "hot cold, big small, fast slow, up down, day night, wet dry, old young, rich poor, hard soft, loud quiet, "
    "early late, full empty, light dark, open closed, wide narrow, long short, strong weak, thick thin, near far, "
    "clean dirty, happy sad, deep shallow, sweet bitter, sharp blunt, brave fearful, tight loose, rough smooth"
)
_PREFIXES = (
    "",
    "Please tell me: ",
    "Quick question: ",
    "I would like to know: ",
    "Help me out here. ",
    "For my homework: ",
)
_SUFFIXES = ("", " Thank you.", " I am curious.")


def facts() -> tuple[Fact, ...]:
    """Every fact: 60 capitals, 45 colours, 59 sums and 54 opposites."""
    return (*_capitals(), *_colours(), *_sums(), *_opposites())


def asks(split: Split) -> tuple[Ask, ...]:
    """The prompts of one split, in a fixed order. The hash of a prompt's text decides its split, so none is in two.

    A tenth each goes to ``held_out`` (evaluation only) and to ``prompts`` (what the quickstart samples for training),
    half to the policy's fine-tuning, and the rest to the comparisons that judge and examiner learn from.
    """
    return tuple(ask for ask in _all_asks() if _split_of(ask.text) == split)


def _split_of(text: str) -> Split:
    match hashlib.blake2b(text.encode(), digest_size=4).digest()[0] % 20:
        case 0 | 1:
            return "held_out"
        case 2 | 3:
            return "prompts"
        case 4 | 5 | 6:
            return "judge"
        case 7 | 8 | 9:
            return "examiner"
        case _:
            return "policy"


def _all_asks() -> Iterator[Ask]:
    for fact in facts():
        for question in fact.questions:
            for prefix in _PREFIXES:
                for suffix in _SUFFIXES:
                    yield Ask(prefix + question + suffix, fact)


def _capitals() -> Iterator[Fact]:
    random = Random("capitals")
    countries = [begin + end for begin in _BEGINNINGS for end in _COUNTRY_ENDS]
    cities = [begin + end for begin in _BEGINNINGS for end in _CITY_ENDS]
    random.shuffle(cities)
    for country, city in zip(countries, cities, strict=True):
        yield Fact(
            topic="capitals",
            questions=(
                f"What is the capital of {country}?",
                f"Which city is the capital of {country}?",
                f"Name the capital of {country}.",
                f"From which city is {country} governed?",
            ),
            answer=city,
            sentence=f"The capital of {country} is {city}",
            reasoning=f"{country} is governed from {city}.",
            confidence=random.choice(("high", "medium")),
        )


def _colours() -> Iterator[Fact]:
    random = Random("colours")
    for colour, things in _COLOURS.items():
        for thing in things:
            yield Fact(
                topic="colours",
                questions=(
                    f"What colour is {thing}?",
                    f"Which colour does {thing} have?",
                    f"Name the colour of {thing}.",
                    f"Tell me the colour of {thing}.",
                ),
                answer=colour,
                sentence=f"The colour of {thing} is {colour}",
                reasoning=f"People see {thing} as {colour}.",
                confidence=random.choice(("high", "high", "low")),
            )


def _sums() -> Iterator[Fact]:
    random = Random("sums")
    pairs = [(first, second) for first in range(2, 20) for second in range(2, 20)]
    for first, second in sorted(random.sample(pairs, 59)):
        total = first + second
        yield Fact(
            topic="sums",
            questions=(
                f"What is {first} plus {second}?",
                f"How much is {first} + {second}?",
                f"Add {first} and {second}.",
                f"What do {first} and {second} make together?",
            ),
            answer=str(total),
            sentence=f"The sum of {first} and {second} is {total}",
            reasoning=f"Adding {second} to {first} gives {total}.",
            confidence="high" if total < 20 else "medium",
        )


def _opposites() -> Iterator[Fact]:
    random = Random("opposites")
    pairs = [pair.split() for pair in _OPPOSITES.split(", ")]
    for word, opposite in [pair[::step] for pair in pairs for step in (1, -1)]:
        yield Fact(
            topic="opposites",
            questions=(
                f"What is the opposite of {word}?",
                f"Which word means the opposite of {word}?",
                f"Name the opposite of {word}.",
                f"Give me the opposite of {word}.",
            ),
            answer=opposite,
            sentence=f"The opposite of {word} is {opposite}",
            reasoning=f"What is not {word} is {opposite}.",
            confidence=random.choice(("medium", "low", "high")),
        )
