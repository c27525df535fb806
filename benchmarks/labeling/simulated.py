"""Completions whose quality is known, and judges whose faults are: what labelers are measured against.

A judge is a function for ``Scripted``. It reads the real prompt of the real labeler, section by section, looks up how
good each text is, and answers in the form it was asked for. Nothing else in the text says how good it is. All that is
drawn is drawn from the content of what is asked, so that the same question gets the same answer in every run.

A comparison follows Bradley and Terry with three more terms. The judge prefers the first where this is above 0::

    discrimination * (quality of the first - quality of the second) + position + length * log(first / second) + noise

with logistic noise of scale 1, drawn anew for each order. A ranking gives each completion its own part of the same sum
with Gumbel noise, whose differences are logistic (Luce 1959); a rating is one such part, read alone. So a judge is as
sharp alone and in lists as it is with two, which flatters both: ``blur`` makes their noise larger.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from statistics import NormalDist
from string import ascii_uppercase

from solon.data.records import Candidates, Completion, Prompt
from solon.models.base import Reply, Request

TYPICAL_LENGTH = 120
"""Characters of a completion: the median."""

_EULER = 0.5772156649015329
_SCORES = range(1, 6)
_SCORE_SPREAD = 0.6
_SECTION = re.compile(r"^\[[0-9a-f]{6} (prompt|response|[A-Z]|end)\]$\n?", re.MULTILINE)


@dataclass
class Truth:
    """Prompts with completions of known quality, made as they are asked for.

    Attributes:
        seed: of everything.
        completions: how many a prompt has, in an order that has nothing to do with their quality.
        length_follows: correlation of the logarithm of a completion's length with its quality, in [-1, 1].
        quality: of each text that was made so far; standard normal.
    """

    seed: int
    completions: int = 2
    length_follows: float = 0.0
    quality: dict[str, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Candidates]:
        """The first prompt, the second, and so on without an end; the same every time."""
        number = 0
        while True:
            rng = Random(f"{self.seed}:{number}")
            prompt = Prompt.of(f"Question {number} of world {self.seed}")
            texts = [self._text(rng) for _ in range(self.completions)]
            yield Candidates(prompt=prompt, completions=tuple(Completion(text=text, model="policy") for text in texts))
            number += 1

    def _text(self, rng: Random) -> str:
        quality, other = rng.gauss(0, 1), rng.gauss(0, 1)
        follows = self.length_follows
        log_length = 0.6 * (follows * quality + math.sqrt(1 - follows * follows) * other)
        name = f"{rng.getrandbits(64):016x}"
        text = f"{name} ".ljust(round(TYPICAL_LENGTH * math.exp(log_length)), "x")
        self.quality[text] = quality
        return text


@dataclass
class Bill:
    """What was spent, in calls of the cheap judge."""

    spent: float = 0.0


@dataclass(frozen=True)
class Judge:
    """A judge with known faults. Call it with a request.

    Attributes:
        name: tells its draws from those of other judges.
        truth: what it looks up.
        bill: gets the price of every call.
        price: of a call.
        discrimination: log-odds for a difference of 1 in quality; below 0 it prefers the worse.
        position: log-odds for being shown first; in a list, for the first over the last.
        length: log-odds for being e times as long.
        random: share of the calls that it answers without looking.
        misled: share of the prompts on which it is wrong throughout: it prefers the worse in every order.
        family: judges of one family are misled by the same prompts; its name when left out.
        surer: how many times too large the log-odds are that it states.
        vague: how little these say of how sure it is: each is multiplied by a draw of its own, log-normal with this
            standard deviation. Its verdicts stay as they are.
        blur: how many times larger its noise is where it does not compare just two.
        draw: another draw of all noise, as a temperature above 0 would give.
    """

    name: str
    truth: Truth
    bill: Bill
    price: float = 1.0
    discrimination: float = 1.5
    position: float = 0.0
    length: float = 0.0
    random: float = 0.0
    misled: float = 0.0
    family: str = ""
    surer: float = 2.0
    vague: float = 0.0
    blur: float = 1.0
    draw: int = 0

    def __call__(self, request: Request) -> Reply:
        """Its answer: a letter or a score, with log-probabilities where they are asked for, or a ranking."""
        self.bill.spent += self.price
        said = request.messages[-1].content
        prompt, *options = _sections(said)
        worth = [self._worth(prompt, option) for option in options]
        key = f"{self.name}\0{self.draw}\0{request.attempt}\0{said}"
        guesses = _uniform(key, "whether") < self.random
        choices: dict[str, float] | None = None
        match len(options):
            case 1:
                text, choices = self._rated(worth[0], key, guesses)
            case 2:
                text, choices = self._compared(worth[0] - worth[1], key, guesses)
            case _:
                text = self._ranked(worth, key, guesses)
        return Reply(text=text, model=self.name, choices=choices if request.choices else None)

    def _worth(self, prompt: str, option: str) -> float:
        misled = _uniform(self.family or self.name, f"{self.truth.seed}\0{prompt}") < self.misled
        quality = self.truth.quality[option] * (-1 if misled else 1)
        return self.discrimination * quality + self.length * math.log(len(option) / TYPICAL_LENGTH)

    def _compared(self, difference: float, key: str, guesses: bool) -> tuple[str, dict[str, float]]:
        noise = _logistic(key)
        stated = self.surer * math.exp(self.vague * _normal(key))
        log_odds = stated * (noise if guesses else difference + self.position + noise)
        return ("A" if log_odds > 0 else "B"), {"A": -_softplus(-log_odds), "B": -_softplus(log_odds)}

    def _rated(self, worth: float, key: str, guesses: bool) -> tuple[str, dict[str, float]]:
        seen = worth + self.blur * (_gumbel(key) - _EULER)
        # one standard deviation of quality is one step of the scale, and the middle is the middle
        value = 1 + 4 * _uniform(key, "guess") if guesses else 3 + seen / abs(self.discrimination)
        logs = {score: -((score - value) ** 2) / (2 * _SCORE_SPREAD**2) for score in _SCORES}
        highest = max(logs.values())
        total = highest + math.log(math.fsum(math.exp(log - highest) for log in logs.values()))
        best = max(logs, key=lambda score: logs[score])
        return str(best), {str(score): log - total for score, log in logs.items()}

    def _ranked(self, worth: list[float], key: str, guesses: bool) -> str:
        last = len(worth) - 1
        seen: dict[str, float] = {}
        for slot, value in enumerate(worth):
            noise = self.blur * _gumbel(key, str(slot))
            by_slot = self.position * (0.5 - slot / last)
            seen[ascii_uppercase[slot]] = noise if guesses else value + by_slot + noise
        return " > ".join(sorted(seen, key=lambda letter: -seen[letter]))


def _sections(said: str) -> list[str]:
    """The prompt and the options, in the order in which a labeler shows them."""
    parts = _SECTION.split(said)  # what stands before the first heading, then heading and text by turns
    return [text.removesuffix("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True) if name != "end"]


def _uniform(key: str, what: str = "") -> float:
    """In (0, 1), by content."""
    drawn = blake2b(f"{what}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(drawn, "big") + 0.5) / 2**64


def _logistic(key: str) -> float:
    share = _uniform(key, "logistic")
    return math.log(share / (1 - share))


def _normal(key: str) -> float:
    return NormalDist().inv_cdf(_uniform(key, "normal"))


def _gumbel(key: str, what: str = "") -> float:
    return -math.log(-math.log(_uniform(key, f"gumbel{what}")))


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
