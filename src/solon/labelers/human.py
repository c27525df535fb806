"""What people said, from a file, as one more labeler: to train on, or to measure a judge against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import ClassVar, Self

from pydantic import JsonValue, PrivateAttr, model_validator

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Question,
    Scored,
)
from solon.errors import DataError, MissingExtra
from solon.labelers.base import Account, Labeler
from solon.labelers.human_file import HumanColumns, HumanFile, as_matched, read_human
from solon.plugins.base import Location, located

_SHOWN = 20
"""Rows that matched nothing are named up to so many; all are counted."""

_Asked = tuple[str, tuple[str, ...], frozenset[str]]
"""A question whatever its order: ids of the prompt, the principles and the options."""


class Human(Labeler):
    """Answers with people's verdicts on the same texts. It asks no model and costs nothing.

    Prompt and responses are found by their texts, exactly but for line ends and white space after the end. A verdict
    that names a principle answers a question under that one alone; one that names none is on the response as a whole,
    and answers whatever principles a question is under, unless there is one for its very principle. Several verdicts
    on the same texts give their mean, a tie being half.

    Attributes:
        file: the verdicts: JSONL, CSV, TSV, JSON, Parquet, a folder of such files, or ``hf://org/name``. Each row
            compares two responses or rates one; one file holds one of the two.
        columns: which columns hold what.
        low: the worst score a row can have; the constitution's scale when left out. Set both ends or neither. Of no
            effect where all scores are ``true`` or ``false``, which are the best and the worst of any scale.
        high: the best score.
    """

    kind: ClassVar[str] = "human"

    file: Location
    columns: HumanColumns = HumanColumns()
    low: float | None = None
    high: float | None = None

    _read: HumanFile | None = PrivateAttr(default=None)
    _answered: dict[_Asked, tuple[int, ...]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _both_ends(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("set both low and high, or neither")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low is below high")
        return self

    @property
    def options(self) -> int:
        """2 when the file compares, 1 when it rates.

        Raises:
            DataError: the file cannot be read.
        """
        return 2 if self.verdicts().compares else 1

    def verdicts(self) -> HumanFile:
        """What the file says; read once, when it is first needed.

        Raises:
            DataError: with every problem, each with its file and line.
            MissingExtra: it is on the hub and ``datasets`` is not installed.
        """
        if self._read is None:
            read = read_human(located(self.file), str(self.file), self.columns)
            if self.low is not None and self.high is not None:
                read.check_scale(self.low, self.high)
            self._read = read
        return self._read

    def effects(self) -> dict[str, object]:
        """What the rows say stands for file and columns: where a file lies changes nothing, and its content may."""
        return {"kind": self.kind, "verdicts": self.verdicts().digest, "low": self.low, "high": self.high}

    def problems(self) -> list[str]:
        """Everything that is wrong with the file."""
        try:
            self.verdicts()
        except DataError as error:
            return [str(problem) for problem in error.problems]
        except MissingExtra as error:
            return [str(error)]
        return []

    def problems_under(self, constitution: Constitution) -> list[str]:
        """Scores that are off the constitution's scale, where ``low`` and ``high`` set no other."""
        if self.low is not None:
            return []
        try:
            file = self.verdicts()
        except (DataError, MissingExtra):
            return []  # ``problems`` says so
        try:
            file.check_scale(constitution.rating.low, constitution.rating.high)
        except DataError as error:
            return [str(problem) for problem in error.problems]
        return []

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """Those that the file answers, and no other: comparisons pair by pair in both orders, ratings one by one."""
        prompt = candidates.prompt
        applying = tuple(principle for principle in constitution.principles if principle.applies_to(prompt.topic))
        # a principle alone, and all together for verdicts that name none; one that is alone is both
        groups = dict.fromkeys([*((principle,) for principle in applying), applying]) if applying else {}
        for options in self._options(candidates.completions):
            for group in groups:
                question = Question(prompt=prompt, principles=group, options=options, scale=constitution.rating)
                if self._places(question, named_only=group != applying):
                    yield question
                    if len(options) == 2:
                        yield question.reversed()

    async def label(self, question: Question) -> Judgment:
        """The mean of the verdicts on these texts; ``Failed`` (unavailable) where there is none.

        Raises:
            DataError: the file cannot be read, or a score in it is not on the scale.
        """
        file, places = self.verdicts(), self._places(question)
        if not places:
            raw = f"no human verdict on these responses in {file.name}"
            return question.judged(Failed(reason="unavailable", raw=raw), labeler=self.name)
        given = [file.verdicts[place].of(_texts(question)) for place in places]
        mean = math.fsum(given) / len(given)
        outcome: Scored | Failed
        if file.compares:
            first, second, tied = (given.count(share) for share in (1.0, 0.0, 0.5))
            outcome = Scored(scores=(mean, 1.0 - mean))
            rationale = f"people: {first} for the first, {second} for the second, {tied} for neither, in any order"
        else:
            low, high = self._scale_of(question)
            file.check_scale(low, high)
            outcome = Scored(scores=((mean - low) / (high - low),))
            rationale = f"people: {mean:g} on a scale from {low:g} to {high:g}, the mean of {len(given)}"
            if file.marks:
                rationale = f"people: {given.count(1.0)} good, {given.count(0.0)} bad"
        judgment = question.judged(outcome, labeler=self.name, rationale=rationale)
        self._answered[_asked(judgment)] = places
        return judgment

    def account(self) -> Account:
        """Which rows matched nothing, and how far annotators of the same texts agree."""
        return _Account(self)

    def expected_questions(self, completions: int, principles: int) -> int:
        """As many as the file could answer if it held every text; none of them costs anything."""
        if not principles:
            return 0
        named = self.verdicts().principles
        groups = min(principles, len(named - {None})) + (None in named)
        return groups * (completions * (completions - 1) if self.options == 2 else completions)

    @property
    def longest_reply(self) -> int:
        """0: nobody replies."""
        return 0

    def _scale_of(self, question: Question) -> tuple[float, float]:
        if self.verdicts().marks:
            return 0.0, 1.0
        if self.low is not None and self.high is not None:
            return self.low, self.high
        return question.scale.low, question.scale.high

    def _options(self, completions: Sequence[Completion]) -> Iterable[tuple[Completion, ...]]:
        """What can be asked of people: each response, or each two that differ."""
        if self.options == 1:
            return ((completion,) for completion in completions)
        distinct: dict[str, Completion] = {}
        for completion in completions:
            distinct.setdefault(as_matched(completion.text), completion)
        return combinations(distinct.values(), 2)

    def _places(self, question: Question, *, named_only: bool = False) -> tuple[int, ...]:
        """The places of the verdicts that answer a question."""
        file = self.verdicts()
        prompt, texts = as_matched(question.prompt.text), _texts(question)
        if len(texts) != (2 if file.compares else 1):
            return ()
        named = file.find(prompt, texts, question.principles[0].id) if len(question.principles) == 1 else ()
        return named if named or named_only else file.find(prompt, texts, None)


class _Account:
    """What became of the rows. It holds no more than the file does."""

    def __init__(self, human: Human) -> None:
        self._human = human
        self._matched: set[int] = set()
        self._together: set[tuple[int, ...]] = set()

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Notes the rows behind the judgments on one prompt."""
        for judgment in judgments:
            places = self._human._answered.get(_asked(judgment), ())
            self._matched.update(places)
            if len(places) > 1:
                self._together.add(places)

    def summary(self) -> dict[str, JsonValue]:
        """Counts of rows, those that matched nothing by their places (the first 20), and the annotators' agreement."""
        file = self._human.verdicts()
        unmatched = [row.where for place, row in enumerate(file.verdicts) if place not in self._matched]
        pairs = [file.agreement(places) for places in self._together]
        agreed, of = sum(agreed for agreed, _ in pairs), sum(of for _, of in pairs)
        names = {file.verdicts[place].annotator for place in self._matched} - {None}
        note = f"{len(unmatched):,} of {len(file.verdicts):,} rows of {file.name} matched nothing"
        return {
            "rows": len(file.verdicts),
            "without_verdict": file.blank,
            "unmatched": len(unmatched),
            "unmatched_rows": [*unmatched[:_SHOWN]],
            "annotators": len(names),
            "judged_by_several": sum(of > 0 for _, of in pairs),
            "annotator_agreement": round(agreed / of, 4) if of else None,
            "annotator_pairs": of,
            "note": f"{note}, the first being {unmatched[0]}" if unmatched else "every row matched",
        }


def _texts(question: Question) -> tuple[str, ...]:
    return tuple(as_matched(option.text) for option in question.options)


def _asked(judgment: Judgment) -> _Asked:
    return (judgment.prompt, judgment.principles, frozenset(judgment.options))
