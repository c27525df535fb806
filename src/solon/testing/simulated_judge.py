"""A judge that is a program: it reads what solon's labelers send, weighs it, and answers in the form they ask for.

It is a stand-in for a language model, for trying recipes without a key and for tests without a network. It reads the
principles and the judged texts by their headings and nothing else; ``solon.testing.merit`` says what it knows of good
responses. Its faults are told by a word in its model's name: ``judge-hasty`` errs, ``judge-careless`` errs more,
``judge-first`` leans to what it is shown first, ``judge-wordy`` to what is longer; any other name is careful. All that
is drawn is drawn from the question, so the same question gets the same answer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from solon.testing.merit import QUALITIES, Quality, answer_of, critique, merit, qualities_in, revision

SHARPNESS = 12.0
"""How much of a difference in merit makes how much of a difference in the logit."""

SAME = 0.02
"""Responses whose merits differ by no more follow a principle equally well."""

TYPICAL_LENGTH = 60
"""Characters of a response that a judge with a liking for length takes as it is."""

_HEADING = re.compile(r"^\[([0-9a-f]{6}) (prompt|response|[A-Z]|end)\]$", re.MULTILINE)
_PRINCIPLES = re.compile(r"\A[^\n]*under a principle\.\n\n(.*)\n\nPrompt and responses? come in sections", re.DOTALL)
_SCALE = re.compile(r"a whole number from (-?\d+) to (-?\d+)")


@dataclass(frozen=True)
class Character:
    """What a judge does besides judging, in logits.

    Attributes:
        noise: scale of the logistic noise on each response.
        first: how much more it likes what is shown first.
        length: how much more it likes a response for each time that it is e times as long.
    """

    noise: float = 0.0
    first: float = 0.0
    length: float = 0.0


CHARACTERS: Mapping[str, Character] = {
    "hasty": Character(noise=0.8),
    "careless": Character(noise=3.0),
    "first": Character(first=8.0),
    "wordy": Character(length=2.5),
}


def character_of(model: str) -> Character:
    """The character that a word of the model's name names; a careful one where none does."""
    return next((CHARACTERS[word] for word in re.split(r"[^a-z]+", model.lower()) if word in CHARACTERS), Character())


@dataclass(frozen=True)
class Answer:
    """What the judge says.

    Attributes:
        text: the whole reply.
        first_token: log-probabilities of it, the likeliest first; ``None`` where the reply is not a verdict alone.
    """

    text: str
    first_token: dict[str, float] | None = None


def answer_to(body: Mapping[str, Any], qualities: Sequence[Quality] = QUALITIES) -> Answer:
    """The answer to the body of a request, in OpenAI's format or Anthropic's, by what it knows of good responses.

    A question of ``pairwise``, ``rating`` and ``ranking`` is answered in its form, with ties and reasoning where they
    are asked for; a critique and a revision are written; of anything else, a sum is answered.
    """
    turns = [(str(turn["role"]), _text(turn["content"])) for turn in body["messages"]]
    told = "\n".join(text for role, text in turns if role == "system") or _text(body.get("system", ""))
    asked = turns[-1][1]
    sections = sections_of(asked)
    principles = _PRINCIPLES.match(told)
    if sections and principles:
        return _judged(str(body["model"]), told, principles[1], sections, qualities)
    said = [text for role, text in turns if role == "assistant"]
    users = [text for role, text in turns if role == "user"]
    if said and asked.startswith("Look again at your last response."):
        return Answer(critique(asked, users[-2], said[-1]))
    if len(said) > 1 and "Write the whole revised response" in asked:
        return Answer(revision(asked, users[-3], said[-2]))
    result = answer_of(asked)
    return Answer("I do not know." if result is None else f"It is {result}.")


def sections_of(text: str) -> dict[str, str]:
    """What stands under each heading of a question, by its name. The first heading has the question's code."""
    headings = list(_HEADING.finditer(text))
    ours = [heading for heading in headings if heading[1] == headings[0][1]]
    return {heading[2]: text[heading.end() + 1 : following.start() - 1] for heading, following in pairwise(ours)}


def _judged(model: str, told: str, principles: str, sections: dict[str, str], qualities: Sequence[Quality]) -> Answer:
    prompt, options = sections["prompt"], {name: text for name, text in sections.items() if name != "prompt"}
    merits = {name: merit(principles, prompt, text, qualities) for name, text in options.items()}
    manner, rng = character_of(model), Random("\0".join((model, principles, *sections.values())))
    liked = {
        name: SHARPNESS * merits[name]
        + manner.first * (place == 0 and len(options) > 1)
        + manner.length * math.log((1 + len(options[name])) / TYPICAL_LENGTH)
        + manner.noise * _logistic(rng)
        for place, name in enumerate(options)
    }
    names = " and ".join(quality.name for quality in qualities_in(principles, qualities))
    why = f"How {names} are they? " + ", ".join(f"{name}: {share:.2f}" for name, share in merits.items()) + "."
    form = _Form.of(told)
    if "response" in options:
        bounds = _SCALE.search(told)
        low, high = (int(bounds[1]), int(bounds[2])) if bounds else (1, 5)
        return form.verdict("score", _scores(liked["response"] / SHARPNESS, low, high), why, number=True)
    if told.startswith("You rank"):
        return form.ranking(_places(liked, ties="equally well share a place" in told), why)
    return form.verdict("verdict", _letters(liked, ties="C if both" in told), why)


def _scores(share: float, low: int, high: int) -> dict[str, float]:
    """The probability of each score: a bell around the share of the scale."""
    middle = low + min(1.0, max(0.0, share)) * (high - low)
    return _shares({str(score): -((score - middle) ** 2) / 0.5 for score in range(low, high + 1)})


def _letters(liked: Mapping[str, float], *, ties: bool) -> dict[str, float]:
    """The probability of each letter."""
    difference = liked["A"] - liked["B"]
    logits = {"A": difference / 2, "B": -difference / 2}
    if ties:
        logits["C"] = 3.0 if abs(difference) <= SHARPNESS * SAME else -3.0
    return _shares(logits)


def _shares(logits: Mapping[str, float]) -> dict[str, float]:
    """The softmax, the likeliest first."""
    highest = max(logits.values())
    masses = {name: math.exp(logit - highest) for name, logit in logits.items()}
    total = math.fsum(masses.values())
    return {name: masses[name] / total for name in sorted(masses, key=lambda name: -masses[name])}


def _places(liked: Mapping[str, float], *, ties: bool) -> list[list[str]]:
    """The letters from the best to the worst; those that follow equally well at one place, where that is allowed."""
    places: list[list[str]] = []
    for name in sorted(liked, key=lambda name: -liked[name]):
        if ties and places and liked[places[-1][-1]] - liked[name] <= SHARPNESS * SAME:
            places[-1].append(name)
        else:
            places.append([name])
    return places


@dataclass(frozen=True)
class _Form:
    """How the reply is to be written."""

    as_json: bool
    with_reasoning: bool

    @classmethod
    def of(cls, told: str) -> _Form:
        as_json = "Reply with one JSON object" in told
        return cls(as_json, 'first "reasoning"' in told if as_json else "First reason" in told)

    def verdict(self, key: str, shares: Mapping[str, float], why: str, *, number: bool = False) -> Answer:
        chosen = next(iter(shares))
        if self.as_json or self.with_reasoning:
            return self._written(key, int(chosen) if number else chosen, chosen, why)
        return Answer(chosen, {name: math.log(share) for name, share in shares.items() if share > 1e-30})

    def ranking(self, places: Sequence[Sequence[str]], why: str) -> Answer:
        return self._written("ranking", places, " > ".join(" = ".join(place) for place in places), why)

    def _written(self, key: str, value: Any, line: str, why: str) -> Answer:
        if self.as_json:
            return Answer(json.dumps({**({"reasoning": why} if self.with_reasoning else {}), key: value}))
        return Answer(f"{why}\n{line}" if self.with_reasoning else line)


def _logistic(rng: Random) -> float:
    share = rng.uniform(1e-9, 1 - 1e-9)
    return math.log(share / (1 - share))


def _text(content: Any) -> str:
    """A text, or the texts of a list of parts."""
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content or ())
