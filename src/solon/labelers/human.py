"""What people said, from a file, as one more labeler: to train on, or to measure a judge against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import ClassVar, Self

from pydantic import PrivateAttr, model_validator

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
from solon.labelers.base import Account, Label, Labeler, Revise
from solon.labelers.boundary import answered
from solon.labelers.human_account import HumanAccount
from solon.labelers.human_file import HumanColumns, HumanFile, as_matched, read_human
from solon.labelers.votes import as_share, check_all_judge
from solon.models.base import ChatModel
from solon.plugins.base import Location, located
from solon.plugins.registry import AnyLabeler

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
        otherwise: who judges what the file says nothing of: then people's verdicts correct a judge's. It decides which
            questions are asked, and shows as many responses as the file's rows.
    """

    kind: ClassVar[str] = "human"

    file: Location
    columns: HumanColumns = HumanColumns()
    low: float | None = None
    high: float | None = None
    otherwise: AnyLabeler | None = None

    _read: HumanFile | None = PrivateAttr(default=None)
    _answered: dict[_Asked, tuple[int, ...]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _both_ends(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("set both low and high, or neither")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low is below high")
        if self.otherwise is not None:
            check_all_judge((self.otherwise,))
        return self

    def models(self) -> tuple[ChatModel, ...]:
        """Those of whoever judges otherwise."""
        return self.otherwise.models() if self.otherwise is not None else ()

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
        effects: dict[str, object] = {
            "kind": self.kind,
            "verdicts": self.verdicts().digest,
            "low": self.low,
            "high": self.high,
        }
        # only where there is one, so that stages that were done before there could be stay done
        return effects if self.otherwise is None else {**effects, "otherwise": self.otherwise.effects()}

    def problems(self) -> list[str]:
        """Everything that is wrong with the file, and with whoever judges otherwise."""
        found = super().problems()
        try:
            self.verdicts()
        except DataError as error:
            return [*found, *map(str, error.problems)]
        except MissingExtra as error:
            return [*found, str(error)]
        if self.otherwise is not None and self.otherwise.options != self.options:
            each = "compare two responses" if self.options == 2 else "rate one response"
            how = f"{self.otherwise.kind} shows {self.otherwise.options or 'all at once'}"
            found.append(f"the rows of {self.file} {each}, and {how}: otherwise has to show as many as the rows")
        return found

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

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """What the file answers; with ``otherwise``, what that one asks, each question answered by people if they can.

        A champion that people made may meet others than the judge's, and these questions are asked then.
        """
        if self.otherwise is None:
            return await super().examine(candidates, constitution, label=label)
        return await self.otherwise.examine(candidates, constitution, label=label or self.label)

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
        if not places and self.otherwise is not None:
            return await answered(self.otherwise, question)
        if not places:
            raw = f"no human verdict on these responses in {file.name}"
            return question.judged(Failed(reason="unavailable", raw=raw), labeler=self.kind)
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
        judgment = question.judged(outcome, labeler=self.kind, rationale=rationale)
        self._answered[_asked(judgment)] = places
        return judgment

    def account(self) -> Account:
        """Which rows matched nothing, and how far annotators of the same texts agree."""
        return HumanAccount(self.verdicts(), self.otherwise, lambda judgment: self._answered.get(_asked(judgment), ()))

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise | None:
        """Lets whoever judges otherwise revise their own verdicts, and makes their logits shares: people give these."""
        if self.otherwise is None:
            return None

        def theirs() -> Iterator[Judgment]:
            return (judgment for judgment in judgments() if judgment.labeler != self.kind)

        revise = self.otherwise.conclude(theirs)
        logits = self.options == 1 and any(
            isinstance(one.outcome, Scored) and one.outcome.scale == "logit" for one in theirs()
        )
        if revise is None and not logits:
            return None

        def revised(judgment: Judgment) -> Judgment:
            if judgment.labeler == self.kind:
                return judgment
            judgment = judgment if revise is None else revise(judgment)
            if isinstance(judgment.outcome, Scored):
                return judgment.model_copy(update={"outcome": as_share(judgment.outcome)})
            return judgment

        return revised

    def expected_questions(self, completions: int, principles: int) -> int:
        """As many as the file could answer if it held every text; none of them costs anything.

        With ``otherwise``, those of that one: how many of them people have answered, only the texts can tell.
        """
        if self.otherwise is not None:
            return self.otherwise.expected_questions(completions, principles)
        if not principles:
            return 0
        named = self.verdicts().principles
        groups = min(principles, len(named - {None})) + (None in named)
        return groups * (completions * (completions - 1) if self.options == 2 else completions)

    @property
    def longest_reply(self) -> int:
        """0: nobody replies; with ``otherwise``, the longest of that one."""
        return self.otherwise.longest_reply if self.otherwise is not None else 0

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


def _texts(question: Question) -> tuple[str, ...]:
    return tuple(as_matched(option.text) for option in question.options)


def _asked(judgment: Judgment) -> _Asked:
    return (judgment.prompt, judgment.principles, frozenset(judgment.options))
