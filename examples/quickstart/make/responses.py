"""The ways in which the world's people answer, and the rules that tell the ways apart.

The rules here are the measuring stick: they make the comparisons that judge and examiner learn from, and they measure
what the policy does. Neither model ever sees a rule, only the text of a principle and two responses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from make.world import Fact

DASH = " — "
CONFIDENCE_WORDS = ("high", "medium", "low")
_WRONG_WORDS = ("sure", "certain", "maybe", "strong", "total", "fair")
_TAILS = ("al", "ybe", "ish", "er", " high", " total")
_RUDE_ENDS = (
    "Obviously.",
    "Even a child knows that.",
    "Do not bother me again.",
    "What a stupid question.",
    "You fool.",
)
_RUDE_STARTS = ("Ugh.", "Seriously?", "How dumb.", "Oh please.")
KINDS = {
    "target": 0.32,
    "sentence": 0.28,
    "no_reasoning": 0.11,
    "bare": 0.07,
    "wrong_word": 0.05,
    "answer_only": 0.03,
    "no_confidence": 0.03,
    "rude": 0.11,
}


def write(fact: Fact, random: Random) -> str:
    """A response as the policy is taught to give it: 32 % in the three-part format, the rest in other ways."""
    (kind,) = random.choices(tuple(KINDS), tuple(KINDS.values()))
    return write_as(kind, fact, random)


def write_as(kind: str, fact: Fact, random: Random) -> str:
    """A response of one kind, a key of the mixture above."""
    answer = f"Answer: {fact.answer}"
    confidence = f"Confidence: {fact.confidence}"
    reasoning = f"Reasoning: {fact.reasoning}"
    match kind:
        case "target":
            return DASH.join((answer, confidence, reasoning))
        case "no_reasoning":
            return DASH.join((answer, confidence))
        case "no_confidence":
            return DASH.join((answer, reasoning))
        case "answer_only":
            return answer
        case "wrong_word":
            parts = (answer, f"Confidence: {random.choice(_WRONG_WORDS)}", reasoning)
            return DASH.join(parts[: random.choice((2, 3, 3))])
        case "bare":
            return fact.answer
        case "rude":
            sentence = random.choice((fact.sentence, fact.sentence, f"It is {fact.answer}"))
            if random.random() < 0.5:
                return f"{sentence}. {random.choice(_RUDE_ENDS)}"
            return f"{random.choice(_RUDE_STARTS)} {sentence}."
        case "sentence":
            return f"{random.choice((fact.sentence, fact.sentence, f'It is {fact.answer}'))}."
        case _:
            raise ValueError(f"no kind of response is called {kind!r}")


def spoil(text: str, random: Random) -> str:
    """The same response with a flaw of form that the policy shows rarely: so that judges look at every spot."""
    parts = text.split(DASH)
    match random.randrange(7):
        case 0:
            random.shuffle(parts)
            return DASH.join(parts)
        case 1:
            return text.replace(DASH, random.choice((", ", " ", "; ")))
        case 2:
            return text.lower()
        case 3:
            return DASH.join(part.split(": ")[-1] for part in parts)
        case 4:
            return text[random.randrange(1, 12) :] or text
        case 5:
            return re.sub(r"(?<=Confidence: )\w+", lambda word: word[0] + random.choice(_TAILS), text)
        case _:
            del parts[random.randrange(len(parts))]
            return DASH.join(parts) or "I do not know."


@dataclass(frozen=True)
class Form:
    """What a rule can tell of a response without knowing the answer.

    Attributes:
        parts: initials of its labelled parts, e.g. ``ACR``, when it is nothing but such parts in order; else "".
        confidence: it has a Confidence part, with one of the three words.
        any_confidence: it speaks of its confidence at all.
        reasoning: it has a Reasoning part.
        rude: it has a rude remark.
        sentence: it is plain prose of at least three words that ends as a sentence does.
        bare: it is no more than two words, without label or full stop.
    """

    parts: str
    confidence: bool
    any_confidence: bool
    reasoning: bool
    rude: bool
    sentence: bool
    bare: bool


_PARTS = (
    ("A", r"Answer: [^—:]*[^—:\s]"),
    ("C", rf"Confidence: (?:{'|'.join(CONFIDENCE_WORDS)})"),
    ("R", r"Reasoning: [^—:]*[^—:\s]"),
)
TARGET = re.compile(DASH.join(pattern for _, pattern in _PARTS))
_RUDE = re.compile("|".join(re.escape(remark) for remark in (*_RUDE_STARTS, *_RUDE_ENDS)))


@lru_cache(maxsize=100_000)
def form_of(text: str) -> Form:
    """Reads a response by rule."""
    initials = "".join(next((i for i, p in _PARTS if re.fullmatch(p, part)), "?") for part in text.split(DASH))
    labelled = re.search(r"answer:|confidence:|reasoning:", text, re.IGNORECASE) is not None
    words = len(text.split())
    return Form(
        parts=initials if initials in {"A", "AC", "AR", "ACR"} else "",
        confidence=re.search(rf"Confidence: (?:{'|'.join(CONFIDENCE_WORDS)})\b", text) is not None,
        any_confidence=re.search("confidence", text, re.IGNORECASE) is not None,
        reasoning=re.search(r"Reasoning: \S", text) is not None,
        rude=_RUDE.search(text) is not None,
        sentence=not labelled and DASH not in text and words >= 3 and text.endswith((".", "?", "!")),
        bare=not labelled and DASH not in text and words <= 2 and not text.endswith((".", "?", "!")),
    )


def is_right(text: str, answer: str) -> bool:
    """Whether the answer stands in the response as a word of its own: the Answer part decides where there is one."""
    part = re.match(r"Answer: ([^—]*)", text)
    where = part.group(1) if part else text
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", where) is not None
