"""What people said of a run's labels or answers, one act a line: the file that `solon view` adds to.

The lines are rows of ``{kind: human, file: ...}`` (``solon.labelers.human_file``), with more beside: who, when, and
whether the judge's verdict was hidden until then. A line is never changed. A later one with the same ``verdict_id``
takes the place of an earlier one, and one without a verdict takes it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, ValidationError

from solon.data.artifacts import json_lines, validation_problems
from solon.data.identity import digest
from solon.errors import DataError, Problem

OF_LABELS, OF_ANSWERS = "human.jsonl", "human_answers.jsonl"
"""In a run directory: verdicts on what was labeled, and on the held-out answers before and after training."""

Word: TypeAlias = Literal["first", "second", "tie", "both_bad", "score", "cannot_say", "skip", "undo", "reveal"]
"""What somebody did. The first five are verdicts; ``cannot_say``, ``skip`` and ``undo`` leave an item without one;
``reveal`` had the judge's verdict shown."""

PREFERRED: dict[str, Literal["A", "B", "tie"]] = {"first": "A", "second": "B", "tie": "tie", "both_bad": "tie"}


class Drawn(BaseModel):
    """How an item was drawn at random: the ``n`` of ``of`` items that a seed puts first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: int
    n: NonNegativeInt
    of: NonNegativeInt


class Act(BaseModel):
    """One line: what somebody did, and about what.

    Attributes:
        item: id of what it is about (``item_id``).
        said: what was done.
        score: of a rating, the score on the constitution's scale.
        blind: the judge's verdict had not been shown to this person.
        drawn: how the item was drawn; ``None`` where the person came upon it.
        about: ids of the prompt, the principles, and the completions in the order in which they were shown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    class About(BaseModel):
        """The ids behind an item."""

        model_config = ConfigDict(frozen=True, extra="ignore")

        prompt: str
        principles: tuple[str, ...] = ()
        options: tuple[str, ...]

    item: str
    annotator: str
    said: Word
    score: FiniteFloat | None = None
    note: str = ""
    blind: bool = False
    drawn: Drawn | None = None
    about: About

    @property
    def preferred(self) -> str | None:
        """Id of the completion that was preferred; ``None`` for ties and where there is no verdict."""
        match self.said:
            case "first":
                return self.about.options[0]
            case "second":
                return self.about.options[1]
            case _:
                return None

    @property
    def is_verdict(self) -> bool:
        """Whether it says something of the responses."""
        return self.said == "score" or self.said in PREFERRED


def item_id(prompt: str, principles: Sequence[str], options: Iterable[str]) -> str:
    """16 hexadecimal digits of what is judged: the same whichever order the options are in."""
    return digest([prompt, list(principles), sorted(options)])[:16]


def items_of(options: Sequence[str], revised: str | None = None) -> Iterator[tuple[str, ...]]:
    """The completions of each item that one judgment is about: one that is rated, or two that are compared.

    Of a ranking each two are an item. Both orders are the same one, so the order says nothing.

    Args:
        options: ids of what was judged.
        revised: id of what became of the only one, where it was revised.
    """
    if revised is not None:
        yield options[0], revised
    elif len(options) == 1:
        yield (options[0],)
    else:
        yield from combinations(dict.fromkeys(options), 2)


def verdict_id(item: str, annotator: str) -> str:
    """What lines on the same item by the same person have in common."""
    return f"{item}:{annotator}"


def read_acts(path: Path) -> Iterator[Act]:
    """All lines in their order; none where there is no file.

    Raises:
        DataError: a line cannot be read; with file and line.
    """
    for number, value in json_lines(path) if path.is_file() else ():
        yield act_of(value, f"{path}:{number}")


def act_of(value: Any, where: str) -> Act:
    """A line as it was read, or why it could not be.

    Raises:
        DataError: it is none of `solon view`.
    """
    if isinstance(value, Problem):
        raise DataError([replace(value, remedy=value.remedy or "mend the line, or move the file away")])
    try:
        return Act.model_validate(value)
    except ValidationError as error:
        remedy = "`solon view` keeps its verdicts under this name: call a file of your own otherwise"
        problems = validation_problems(where, "line of `solon view`", error)
        raise DataError([replace(problem, remedy=remedy) for problem in problems[:1]]) from error


def standing(acts: Iterable[Act]) -> dict[tuple[str, str], Act]:
    """The last act of each person on each item that is not a mere look, by item and person."""
    return {(act.item, act.annotator): act for act in acts if act.said != "reveal"}


def first_impressions(acts: Iterable[Act]) -> dict[tuple[str, str], Act]:
    """As ``standing``, of what was said before the judge's verdict was shown: what agreement is measured on.

    A verdict on what was drawn stays in the sample when the person comes upon the item once more by a filter: else
    whoever looks for what is unclear would take just that out of it.
    """
    found: dict[tuple[str, str], Act] = {}
    for act in acts:
        if not act.blind or act.said == "reveal":
            continue
        before = found.get((act.item, act.annotator))
        in_sample = before is not None and before.is_verdict and before.drawn is not None
        if not in_sample or act.drawn is not None or act.said == "undo":
            found[act.item, act.annotator] = act
    return found


def line(
    *,
    item: str,
    annotator: str,
    said: Word,
    at: str,
    blind: bool,
    prompt: Any,
    responses: Sequence[str],
    about: Act.About,
    score: float | None = None,
    note: str = "",
    drawn: Drawn | None = None,
) -> dict[str, Any]:
    """A line as it is written.

    Args:
        item: its id.
        annotator: who.
        said: what they did.
        at: when, in ISO 8601.
        blind: whether the judge's verdict was hidden from them.
        prompt: a text, or a list of messages.
        responses: the texts in the order in which they were shown; one is rated, two are compared.
        about: the ids.
        score: of a rating.
        note: what they noted.
        drawn: how the item was drawn.
    """
    verdict: dict[str, Any]
    if len(responses) == 2:
        verdict = dict(zip(("response_a", "response_b"), responses, strict=True)) | {"preferred": PREFERRED.get(said)}
    else:
        verdict = {"response": responses[0], "score": score if said == "score" else None}
    names = about.principles
    return {
        # a look says nothing, and so takes nothing back
        **({} if said == "reveal" else {"verdict_id": verdict_id(item, annotator)}),
        "prompt": prompt,
        **verdict,
        # several principles in one question are the response as a whole
        "principle": names[0] if len(names) == 1 else None,
        "annotator": annotator,
        "said": said,
        "note": note,
        "at": at,
        "blind": blind,
        "drawn": drawn.model_dump() if drawn is not None else None,
        "item": item,
        "about": about.model_dump(mode="json"),
    }
