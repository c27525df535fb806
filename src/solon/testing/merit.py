"""How good a response is, by rules that a person can check by eye: what the simulated judge goes by.

Unless it is given other ``qualities``, it knows three things: whether the answer to a sum is right, whether a response
is polite, and whether it is brief. Which of them count is said by the words of a principle; of a principle that speaks
of none of them, all do.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

RUDE = ("clueless", "duh", "dumb", "fool", "hopeless", "idiot", "lazy", "moron", "ridiculous", "stupid", "useless")
KIND = ("glad", "gladly", "happily", "happy", "kindly", "please", "pleasure", "sorry", "thank", "thanks", "welcome")

_SUM = re.compile(r"(\d+)\s*(\+|plus|-|−|minus|×|\*|times)\s*(\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LISTED = re.compile(r"^\d+\. \((?:(must hold)|weight ([\d.e+-]+))\) ", re.MULTILINE)
_OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    **dict.fromkeys(("+", "plus"), operator.add),
    **dict.fromkeys(("-", "−", "minus"), operator.sub),
    **dict.fromkeys(("×", "*", "times"), operator.mul),
}
_FREE_WORDS = 5
"""A response of so few words could not be briefer."""

_LONG_WORDS = 12
"""From so many words on, there is something to cut."""


def answer_of(prompt: str) -> int | None:
    """The answer to the sum that a prompt asks; ``None`` where it asks none."""
    found = _SUM.search(prompt)
    return None if found is None else _OPERATIONS[found[2].lower()](int(found[1]), int(found[3]))


def right(prompt: str, response: str) -> float:
    """1 if the last number is the answer, its sign aside, 0 if it is not, .5 where there is nothing to calculate."""
    answer = answer_of(prompt)
    if answer is None:
        return 0.5
    numbers = _NUMBER.findall(response)
    return float(bool(numbers) and int(numbers[-1]) == abs(answer))


def polite(prompt: str, response: str) -> float:  # noqa: ARG001 - manners do not depend on the question
    """0 with a rude word, else 1 with a kind one, else .5."""
    words = {word.lower() for word in _WORD.findall(response)}
    return 0.0 if words & set(RUDE) else 1.0 if words & set(KIND) else 0.5


def brief(prompt: str, response: str) -> float:  # noqa: ARG001
    """1 for five words or fewer, and half of what is left for every fifteen more."""
    return math.pow(0.5, max(0, len(response.split()) - _FREE_WORDS) / 15)


@dataclass(frozen=True)
class Quality:
    """Something that a response can be.

    Attributes:
        name: the adjective.
        meant: the words of a principle that speak of it.
        share: how far a response to a prompt is it, in [0, 1].
    """

    name: str
    meant: re.Pattern[str]
    share: Callable[[str, str], float]


QUALITIES = (
    Quality("right", re.compile(r"\b(?:right|correct|true|accurate)", re.IGNORECASE), right),
    Quality("polite", re.compile(r"\b(?:polite|friendly|courteous|rude|insult)", re.IGNORECASE), polite),
    Quality("brief", re.compile(r"\b(?:brief|short|concise|lengthy)", re.IGNORECASE), brief),
)


def qualities_in(principle: str, qualities: Sequence[Quality] = QUALITIES) -> tuple[Quality, ...]:
    """What a principle speaks of; everything, where it speaks of nothing that is known here."""
    return tuple(one for one in qualities if one.meant.search(principle)) or tuple(qualities)


def merit(principles: str, prompt: str, response: str, qualities: Sequence[Quality] = QUALITIES) -> float:
    """How well a response follows one principle, or several as a list with weights, in [0, 1].

    Under several it is the mean by their weights, drawn into the lowest tenth where one that must hold does not, and
    into what is above that where all do.

    Args:
        principles: as they stand in the instructions to a judge (``solon.labelers.prompt.principles_text``).
        prompt, response: what is judged.
        qualities: all that a response can be.
    """
    listed = list(_LISTED.finditer(principles))
    total = weights = 0.0
    vetoed = False
    for number, mark in enumerate(listed, 1):
        end = listed[number].start() if number < len(listed) else len(principles)
        share = _mean(principles[mark.end() : end], prompt, response, qualities)
        if mark[1]:
            vetoed = vetoed or share < 0.5
        else:
            total, weights = total + float(mark[2]) * share, weights + float(mark[2])
    if not weights:
        return _mean(principles, prompt, response, qualities)
    mean = total / weights
    return 0.1 * mean if vetoed else 0.1 + 0.9 * mean


def critique(request: str, prompt: str, response: str) -> str:
    """What is wrong with a response, of what the request for a critique speaks of."""
    found = []
    for quality in qualities_in(request):
        match quality.name:
            case "right" if right(prompt, response) == 0:
                found.append(f"The answer is wrong: it is {answer_of(prompt)}.")
            case "polite" if polite(prompt, response) < 1:
                rude = [word for word in _WORD.findall(response) if word.lower() in RUDE]
                found.append(f"It is rude: {', '.join(map(repr, rude))}." if rude else "It has no friendly word.")
            case "brief" if len(response.split()) > _LONG_WORDS:
                found.append(f"It takes {len(response.split())} words for what could be said in {_LONG_WORDS}.")
            case _:
                pass
    return " ".join(found) or "There is nothing to mend."


def revision(request: str, prompt: str, response: str) -> str:
    """The response with that mended of which the request for a revision speaks."""
    wanted, answer = {quality.name for quality in qualities_in(request)}, answer_of(prompt)
    kept = _SENTENCE.split(response)
    if "polite" in wanted:
        kept = [sentence for sentence in kept if polite(prompt, sentence) > 0]
    if "brief" in wanted and len(response.split()) > _LONG_WORDS:
        kept = kept[-1:] if answer is None else []
    if "right" in wanted and right(prompt, response) == 0:
        kept = []
    text = " ".join(kept)
    if answer is not None and not right(prompt, text):
        text = f"{text} It is {answer}.".strip() if right(prompt, response) or "right" in wanted else response
    friendly = "polite" in wanted or polite(prompt, response) == 1
    text = text or "I cannot say."
    return f"Gladly! {text}" if friendly and polite(prompt, text) == 0.5 else text


def _mean(principle: str, prompt: str, response: str, qualities: Sequence[Quality]) -> float:
    shares = [quality.share(prompt, response) for quality in qualities_in(principle, qualities)]
    return math.fsum(shares) / len(shares)
