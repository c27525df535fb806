"""A prompt, its completions and the judgments on them, for the tests of building."""

from __future__ import annotations

from collections.abc import Sequence

from solon.data.build import Build, Built, build
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Principle,
    Prompt,
    Question,
    Revised,
    Revision,
    Scored,
)

POLITE = Principle(id="polite", text="Be polite.")
BRIEF = Principle(id="brief", text="Be brief.", weight=3)
SAFE = Principle(id="safe", text="Be safe.", severity="hard")
CONSTITUTION = Constitution(name="test", principles=(POLITE, BRIEF, SAFE))
PROMPT = Prompt.of("Say something.", topic="talk")
KEEP_ALL = Build(held_out=0)


def said(text: str, stop: str = "end") -> Completion:
    return Completion.model_validate({"text": text, "model": "policy", "stop": stop})


def asked(by: Principle, *options: Completion) -> Question:
    return Question(prompt=PROMPT, principles=(by,), options=options)


def ranked(
    scores: dict[str, float] | Failed, by: Principle = POLITE, options: str = "", labeler: str = "r"
) -> Judgment:
    """A ranking of completions by their texts: the share of the others that each beats, or a failure."""
    texts = options or "".join(scores if isinstance(scores, dict) else "")
    outcome = Scored(scores=tuple(scores.values())) if isinstance(scores, dict) else scores
    return asked(by, *map(said, texts)).judged(outcome, labeler=labeler)


def compared(better: str, worse: str, margin: float = 1.0, by: Principle = POLITE) -> list[Judgment]:
    """Both orders of a comparison whose p gives that margin: p = (1 + margin) / 2."""
    question, p = asked(by, said(better), said(worse)), (1 + margin) / 2
    return [
        question.judged(Scored(scores=(p, 1 - p)), labeler="judge"),
        question.reversed().judged(Scored(scores=(1 - p, p)), labeler="judge"),
    ]


def logit(text: str, value: float, by: Principle = POLITE, labeler: str = "classifier") -> Judgment:
    return asked(by, said(text)).judged(Scored(scores=(value,), scale="logit"), labeler=labeler)


def share(text: str, value: float, by: Principle = POLITE, labeler: str = "rules") -> Judgment:
    return asked(by, said(text)).judged(Scored(scores=(value,)), labeler=labeler)


def revised(original: Completion, text: str, *principles: str, stop: str = "end") -> Judgment:
    """A labeler that revises said this in place of it, one round a principle."""
    rounds = tuple(Revision(principle=name, critique="It could be better.", revision=text) for name in principles)
    return asked(POLITE, original).judged(Revised(completion=said(text, stop), rounds=rounds), labeler="critique")


def built(texts: Sequence[str | Completion], judgments: Sequence[Judgment], settings: Build = KEEP_ALL) -> Built:
    completions = tuple(said(text) if isinstance(text, str) else text for text in texts)
    return build([Candidates(prompt=PROMPT, completions=completions)], judgments, CONSTITUTION, settings, seed=0)


def pairs(result: Built) -> list[tuple[str, str, float]]:
    return [(row.chosen, row.rejected, round(row.margin, 9)) for row in result.preference.train]


def labels(result: Built) -> list[tuple[str, bool]]:
    return [(row.completion, row.desirable) for row in result.unpaired.train]


def scores(result: Built) -> list[tuple[str, float | None]]:
    return [(row.completion, row.score) for row in result.reward.train]


def best(result: Built) -> list[str]:
    return [row.completion for row in result.sft.train]
