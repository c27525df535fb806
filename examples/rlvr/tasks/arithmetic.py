"""Sums of two numbers of three digits, products of one with a digit, and the three ways in which people answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from tasks.splits import Split, split_of

_SUMS = ("What is {} + {}?", "Add {} and {}.", "How much is {} + {}?", "{} + {} = ?")
_PRODUCTS = ("What is {} * {}?", "Multiply {} by {}.", "How much is {} * {}?", "{} * {} = ?")
_ROUGH = ("About {}.", "Roughly {}.", "Something like {}.")


@dataclass(frozen=True)
class Problem:
    """Two numbers to add or to multiply."""

    topic: Literal["sums", "products"]
    first: int
    second: int

    @property
    def answer(self) -> int:
        """The right one."""
        return self.first + self.second if self.topic == "sums" else self.first * self.second

    def ask(self, random: Random) -> str:
        """The problem in one of four wordings."""
        return random.choice(_SUMS if self.topic == "sums" else _PRODUCTS).format(self.first, self.second)

    def respond(self, random: Random) -> str:
        """As people answer: nine of twenty from memory, seven digit by digit, and four roughly.

        What is from memory or worked out is always right here. What a tiny model makes of it is another matter.
        """
        match random.choices(("memory", "working", "rough"), (9, 7, 4))[0]:
            case "memory":
                return f"It is {self.answer}."
            case "working":
                return self.working()
            case _:
                return random.choice(_ROUGH).format(round(self.answer, -2))

    def working(self) -> str:
        """Digit by digit from the right, with what is carried: ``7 + 5 = 12, 6 + 8 + 1 = 15, ... so 852.``"""
        steps, carried = [], 0
        for place in range(3):
            digit = self.first // 10**place % 10
            if self.topic == "sums":
                step = f"{digit} + {self.second // 10**place % 10}"
                value = digit + self.second // 10**place % 10 + carried
            else:
                step = f"{digit} * {self.second}"
                value = digit * self.second + carried
            steps.append(f"{step}{f' + {carried}' if carried else ''} = {value}")
            carried = value // 10
        return f"{', '.join(steps)}, so {self.answer}."


def problems(split: Split, seed: str) -> Iterator[Problem]:
    """Problems of one split without end, as many sums as products, drawn from ``seed``."""
    random = Random(f"{split}:{seed}")
    while True:
        topic: Literal["sums", "products"] = random.choice(("sums", "products"))
        second = random.randrange(100, 1000) if topic == "sums" else random.randrange(2, 10)
        problem = Problem(topic, random.randrange(100, 1000), second)
        if split_of(f"{topic}:{problem.first}:{problem.second}") == split:
            yield problem
