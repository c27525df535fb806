"""Principles that judge and examiner learn to read: a few meanings, each in thousands of wordings.

A meaning is a rule on responses; a wording is put together from phrases, as people would write or edit it in a constitution.
Some phrases are kept out of training, to test whether the judges read or remember.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

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


@dataclass(frozen=True)
class Phrases:
    """Ways to say one thing: those that training may use, and those kept for tests."""

    known: tuple[str, ...]
    kept: tuple[str, ...]

    def pick(self, random: Random, *, kept: bool) -> str:
        """One of them; from those kept for tests when ``kept``."""
        return random.choice(self.kept if kept else self.known)


_NAMES = {"A": "Answer", "C": "Confidence", "R": "Reasoning"}
_NUMBER = {1: "one part", 2: "two parts", 3: "three parts"}
_FORMS = {"ACR": 5, "AC": 4, "AR": 1, "A": 1}  # with how often each is asked for

_PART = {
    "A": Phrases(
        ("Answer", "the Answer", "an Answer", "Answer: ...", "'Answer:' with the answer", "its Answer", "an Answer part"),
        ("the Answer part", "'Answer: ...'"),
    ),
    "C": Phrases(
        (
            "Confidence",
            "the Confidence",
            "a Confidence",
            "Confidence: high|medium|low",
            "'Confidence:' with high, medium or low",
            "its Confidence (high, medium or low)",
            "a Confidence part",
            "the Confidence as high, medium or low",
        ),
        ("the Confidence part", "'Confidence: high|medium|low'", "a Confidence that is high, medium or low"),
    ),
    "R": Phrases(
        (
            "Reasoning",
            "the Reasoning",
            "a Reasoning",
            "Reasoning: ...",
            "'Reasoning:' with one sentence that says why",
            "its Reasoning",
            "a Reasoning part",
            "the Reasoning in one sentence",
        ),
        ("the Reasoning part", "'Reasoning: ...'", "a Reasoning that says why"),
    ),
}
_FRAMES = Phrases(
    (
        "Give {parts}.",
        "State {parts}.",
        "Write {parts}.",
        "Always give {parts}.",
        "Every response gives {parts}.",
        "Every response must have the form {parts}.",
        "Responses follow the format {parts}.",
        "A response consists of {parts}.",
        "A good response has {parts}.",
        "The response should contain {parts}, in this order.",
        "Use exactly this form: {parts}.",
        "A response has {number}: {parts}.",
        "A response has {number} in this order, separated by dashes: {parts}.",
        "The response has {number}, {parts}.",
        "Respond with {parts}.",
        "Answer in the form {parts}.",
    ),
    (
        "Each response must give {parts}.",
        "The form of a response is {parts}.",
        "Reply with {number}, separated by dashes: {parts}.",
        "Write every response as {parts}.",
    ),
)
_ABSENT = Phrases(
    (
        "There is no {part} part.",
        "Leave out the {part}.",
        "No {part}.",
        "It has no {part}.",
        "Do not give any {part}.",
        "Do not write a {part} part.",
        "Omit the {part}.",
        "{part} is not wanted.",
        "Never add {part}.",
        "It must not have a {part} part.",
        "Skip the {part}.",
        "The {part} part is left out.",
        "Responses without {part} are better.",
    ),
    ("Do not add a {part} part.", "There must be no {part}.", "Give no {part} part.", "Leave the {part} part out."),
)
_ABSENT_PART = {
    "C": Phrases(("Do not say how sure you are.", "Nobody asked how sure it is."), ("Never say how sure you are.",)),
    "R": Phrases(
        ("Do not explain.", "No explanation.", "Do not say why.", "Leave out the reasons.", "No reasons are given."),
        ("Do not give reasons.", "Give no explanation."),
    ),
}
_INLINE_ABSENT = Phrases(
    (" and no {part}", " but no {part}", " without {part}", " without a {part} part", ", no {part}", " and no {part} part"),
    (" but not a {part}", ", without any {part}", " but no {part} part"),
)
_CLOSING = Phrases(
    (
        "And nothing else.",
        "Nothing else.",
        "The confidence is high, medium or low.",
        "The parts are separated by dashes.",
        "Put it on one line.",
        "Keep to this form.",
        "This makes responses easy to check.",
        "Programs read the responses.",
    ),
    ("Use dashes between the parts.", "The order matters."),
)

_PROSE: dict[str, tuple[Callable[[Form], float], Phrases]] = {
    "sentence": (
        lambda form: form.sentence,
        Phrases(
            (
                "Answer in a full sentence.",
                "The response is a whole sentence.",
                "Write prose, in complete sentences, without labels.",
                "Use a full sentence and no labelled parts.",
                "Responses should be plain sentences.",
                "Reply in one complete sentence.",
            ),
            ("Give a full sentence.", "The response should be a complete sentence."),
        ),
    ),
    "bare": (
        lambda form: form.bare,
        Phrases(
            (
                "Give only the bare answer, with nothing around it.",
                "The response is just the answer itself, one word or two.",
                "Say only the answer, no label and no sentence.",
                "Just the answer, nothing else.",
                "Only the bare word that answers, please.",
            ),
            ("Give just the bare answer.", "The answer itself and nothing else."),
        ),
    ),
    "polite": (
        lambda form: not form.rude,
        Phrases(
            (
                "Be polite.",
                "Do not be rude.",
                "The response must not be rude to the user.",
                "Never insult the user.",
                "Treat the user with respect; no insults.",
                "A response is friendly and never rude.",
                "Stay polite and do not mock the user.",
                "Rude remarks are not allowed.",
            ),
            ("Never be rude.", "The response must be polite to the user."),
        ),
    ),
    "confidence": (
        lambda form: form.confidence,
        Phrases(
            (
                "Say how sure you are: Confidence high, medium or low.",
                "The response must state its Confidence as high, medium or low.",
                "State a Confidence.",
                "Every response has a Confidence part with the word high, medium or low.",
                "A confidence word is given: high, medium or low.",
            ),
            ("Give a Confidence of high, medium or low.", "The response states how sure it is: high, medium or low."),
        ),
    ),
    "unsure": (
        lambda form: not form.any_confidence,
        Phrases(
            (
                "Do not state any Confidence.",
                "Never say how sure you are.",
                "The response has no Confidence part.",
                "Leave out the Confidence.",
                "No Confidence.",
            ),
            ("Do not give a Confidence.", "There is no Confidence part."),
        ),
    ),
    "reasoning": (
        lambda form: form.reasoning,
        Phrases(
            (
                "Say why: give the Reasoning.",
                "The response must have a Reasoning part.",
                "Explain the answer with a Reasoning.",
                "Every response states its Reasoning.",
                "Always include the Reasoning.",
            ),
            ("Give a Reasoning part.", "The response includes its Reasoning."),
        ),
    ),
    "unexplained": (
        lambda form: not form.reasoning,
        Phrases(
            (
                "Do not give any Reasoning.",
                "The response has no Reasoning part.",
                "Leave out the Reasoning.",
                "Never explain: no Reasoning.",
                "No Reasoning.",
                "Responses come without Reasoning.",
            ),
            ("Do not add a Reasoning part.", "There is no Reasoning part."),
        ),
    ),
    "unrelated": (
        lambda form: 0.0,
        Phrases(
            (
                "Mention a bird.",
                "Write in French.",
                "Use a metaphor from the sea.",
                "The response should be creative.",
                "Speak about the weather.",
                "The response should be funny.",
                "Cite a book.",
                "Write a poem.",
                "Talk like a pirate.",
                "Ask the user a question.",
                "The response should mention the law.",
                "Tell a story about a king.",
            ),
            ("Mention a flower.", "The response should be modest.", "Write in Latin."),
        ),
    ),
}
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
        score, phrases = _PROSE[meaning]
        return Rule(meaning, phrases.pick(random, kept=kept), score)
    return Rule(meaning, _parts_text(meaning, random, kept=kept), lambda form: form.parts == meaning)


def _parts_text(initials: str, random: Random, *, kept: bool) -> str:
    absent = [initial for initial in _NAMES if initial not in initials]
    random.shuffle(absent)
    listed = _listing([_PART[initial].pick(random, kept=kept) for initial in initials], random)
    # one or both of: said within the list, said in a sentence of its own; or the list speaks for itself
    said = random.choice(("inline", "apart", "apart", "listed")) if absent else "listed"
    if said == "inline":
        listed += " and".join(_INLINE_ABSENT.pick(random, kept=kept).format(part=_NAMES[initial]) for initial in absent)
    sentences = [_FRAMES.pick(random, kept=kept).format(parts=listed, number=_NUMBER[len(initials)])]
    if said == "apart":
        for initial in absent:
            phrases = _ABSENT_PART[initial] if random.random() < 0.2 else _ABSENT
            sentences.append(phrases.pick(random, kept=kept).format(part=_NAMES[initial]))
    if random.random() < 0.4:
        closing = _CLOSING.pick(random, kept=kept)
        # a sentence about the confidence would contradict a form without one
        if "C" in initials or "confidence" not in closing:
            sentences.append(closing)
    return " ".join(sentences)


def _listing(parts: Sequence[str], random: Random) -> str:
    match random.randrange(4):
        case 0 | 1:
            return " — ".join(parts)
        case 2:
            return ", ".join(parts)
        case _:
            return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
