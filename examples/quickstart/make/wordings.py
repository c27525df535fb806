"""What principles are put together from: phrases as people would write them in a constitution."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Phrases:
    """Ways to say one thing: those that training may use, and those kept for tests."""

    known: tuple[str, ...]
    kept: tuple[str, ...]

    def pick(self, random: Random, *, kept: bool) -> str:
        """One of them; from those kept for tests when ``kept``."""
        return random.choice(self.kept if kept else self.known)


PART = {
    "A": Phrases(
        (
            "Answer",
            "the Answer",
            "the answer",
            "an Answer",
            "Answer: ...",
            "'Answer:' with the answer",
            "its Answer",
            "an Answer part",
            "an answer",
        ),
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
            "the confidence",
            "a confidence of high, medium or low",
            "how sure it is",
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
            "the reasoning",
            "a short reasoning",
            "a Reasoning that explains it",
        ),
        ("the Reasoning part", "'Reasoning: ...'", "a Reasoning that says why"),
    ),
}
FRAMES = Phrases(
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
        "Responses have {number}: {parts}.",
        "Responses are made of {parts}.",
        "Put down {parts}.",
        "The form is {parts}.",
        "Each response: {parts}.",
    ),
    (
        "Each response must give {parts}.",
        "The form of a response is {parts}.",
        "Reply with {number}, separated by dashes: {parts}.",
        "Write every response as {parts}.",
    ),
)
ABSENT = Phrases(
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
        "Do not include {part}.",
        "It does not need {part}.",
        "Stop before the {part}.",
    ),
    ("Do not add a {part} part.", "There must be no {part}.", "Give no {part} part.", "Leave the {part} part out."),
)
ABSENT_PART = {
    "C": Phrases(("Do not say how sure you are.", "Nobody asked how sure it is."), ("Never say how sure you are.",)),
    "R": Phrases(
        ("Do not explain.", "No explanation.", "Do not say why.", "Leave out the reasons.", "No reasons are given."),
        ("Do not give reasons.", "Give no explanation."),
    ),
}
INLINE_ABSENT = Phrases(
    (
        " and no {part}",
        " but no {part}",
        " without {part}",
        " without a {part} part",
        ", no {part}",
        " and no {part} part",
    ),
    (" but not a {part}", ", without any {part}", " but no {part} part"),
)
CLOSING = Phrases(
    (
        "And nothing else.",
        "Nothing else.",
        "The confidence is high, medium or low.",
        "The parts are separated by dashes.",
        "Put it on one line.",
        "Keep to this form.",
        "This makes responses easy to check.",
        "Programs read the responses.",
        "Never be rude.",
        "Be polite.",
    ),
    ("Use dashes between the parts.", "The order matters."),
)
PRESENT = Phrases(
    (
        "Give {thing}.",
        "State {thing}.",
        "Always give {thing}.",
        "Respond with {thing}.",
        "The response must have {thing}.",
        "The response is better with {thing}.",
        "Every response has {thing}.",
        "Include {thing}.",
        "Responses should contain {thing}.",
        "It must have {thing}.",
    ),
    ("Each response gives {thing}.", "Write {thing}.", "There must be {thing}."),
)
THING = {
    "sentence": Phrases(
        ("a full sentence", "a whole sentence", "one complete sentence", "a plain sentence", "full sentences"),
        ("a complete sentence", "a sentence"),
    ),
    "bare": Phrases(
        ("only the bare answer", "just the answer and nothing around it", "the bare answer", "the bare word"),
        ("just the bare answer",),
    ),
    "confidence": PART["C"],
    "reasoning": PART["R"],
}
"""What a response has under some of the meanings, to go with ``PRESENT``."""
PROSE = {
    "sentence": Phrases(
        (
            "Answer in a full sentence.",
            "The response is a whole sentence.",
            "Write prose, in complete sentences, without labels.",
            "Use a full sentence and no labelled parts.",
            "Responses should be plain sentences.",
            "Reply in one complete sentence.",
            "A response is a complete sentence.",
            "Full sentences, please.",
            "A whole sentence is better than labelled parts.",
        ),
        ("Give a full sentence.", "The response should be a complete sentence."),
    ),
    "bare": Phrases(
        (
            "Give only the bare answer, with nothing around it.",
            "The response is just the answer itself, one word or two.",
            "Say only the answer, no label and no sentence.",
            "Just the answer, nothing else.",
            "Only the bare word that answers, please.",
        ),
        ("Give just the bare answer.", "The answer itself and nothing else."),
    ),
    "polite": Phrases(
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
    "confidence": Phrases(
        (
            "Say how sure you are: Confidence high, medium or low.",
            "The response must state its Confidence as high, medium or low.",
            "State a Confidence.",
            "Every response has a Confidence part with the word high, medium or low.",
            "A confidence word is given: high, medium or low.",
        ),
        ("Give a Confidence of high, medium or low.", "The response states how sure it is: high, medium or low."),
    ),
    "unsure": Phrases(
        (
            "Do not state any Confidence.",
            "Never say how sure you are.",
            "The response has no Confidence part.",
            "Leave out the Confidence.",
            "No Confidence.",
            "There is no Confidence.",
            "Do not add a Confidence part.",
        ),
        ("Do not give a Confidence.", "There is no Confidence part."),
    ),
    "reasoning": Phrases(
        (
            "Say why: give the Reasoning.",
            "The response must have a Reasoning part.",
            "Explain the answer with a Reasoning.",
            "Every response states its Reasoning.",
            "Always include the Reasoning.",
        ),
        ("Give a Reasoning part.", "The response includes its Reasoning."),
    ),
    "unexplained": Phrases(
        (
            "Do not give any Reasoning.",
            "The response has no Reasoning part.",
            "Leave out the Reasoning.",
            "Never explain: no Reasoning.",
            "No Reasoning.",
            "Responses come without Reasoning.",
            "There is no Reasoning.",
            "Do not explain the answer.",
        ),
        ("Do not add a Reasoning part.", "There is no Reasoning part."),
    ),
    "unrelated": Phrases(
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
}
