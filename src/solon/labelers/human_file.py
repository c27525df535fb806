"""People's verdicts in a file: read whole, every problem found, and looked up by the texts that were judged."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from solon.data.prompts import PromptColumns, missing_columns, prompt_of, refuse
from solon.data.records import digest
from solon.data.tables import Row, read_rows
from solon.errors import DataError, Problem
from solon.plugins.base import Settings

PREFERRED = {"a": 1.0, "first": 1.0, "b": 0.0, "second": 0.0, "tie": 0.5, "both": 0.5}
"""What a verdict may say, in any case: the share that goes to the first response."""

MARKS = {"true": 1.0, "good": 1.0, "false": 0.0, "bad": 0.0}
"""What a score may say in place of a number, in any case: the best score there is, or the worst, on any scale."""


class HumanColumns(Settings):
    """Which columns hold what. Columns that a recipe calls otherwise must exist.

    Attributes:
        prompt: the prompt as a text, or as a list of messages; a column ``messages`` does as well.
        response_a: of a comparison, the first response.
        response_b: the second.
        preferred: ``A`` or ``first``, ``B`` or ``second``, ``tie`` or ``both``; an empty cell is no verdict.
        response: of a rating, the response.
        score: a number on the scale, or in every row ``true`` (``good``) or ``false`` (``bad``); an empty cell is no
            verdict.
        principle: the id of the principle that it was judged under, where a column or row says so.
        annotator: who judged, where a column or row says so.
        verdict_id: what rows on the same thing have in common, where a column says so: the last of them counts, and
            where that is no verdict, none of them does. The file of ``solon view`` has it.
    """

    prompt: str = "prompt"
    response_a: str = "response_a"
    response_b: str = "response_b"
    preferred: str = "preferred"
    response: str = "response"
    score: str = "score"
    principle: str = "principle"
    annotator: str = "annotator"
    verdict_id: str = "verdict_id"

    @property
    def compared(self) -> tuple[str, str, str]:
        """The columns of a comparison."""
        return (self.response_a, self.response_b, self.preferred)

    @property
    def rated(self) -> tuple[str, str]:
        """The columns of a rating."""
        return (self.response, self.score)

    @property
    def of_prompt(self) -> PromptColumns:
        """Where the prompt is."""
        return PromptColumns(prompt=self.prompt) if self.calls("prompt") else PromptColumns()

    def calls(self, column: str) -> bool:
        """Whether a column is called otherwise than it would be.

        Whether it was set says less: settings that went to a training's process and back are all set.
        """
        return bool(getattr(self, column) != type(self).model_fields[column].default)


def as_matched(text: str) -> str:
    """A text as texts are matched: every line ends in a line feed, nothing blank follows the last. All else counts."""
    return text.replace("\r\n", "\n").rstrip()


@dataclass(frozen=True)
class Verdict:
    """What one row says.

    Attributes:
        where: its place in the file.
        prompt, responses: the texts that were judged, as they are matched; two responses were compared, one was rated.
        value: the share that goes to the first response (1, .5 or 0), or the score as it was given.
        principle, annotator: where the row says so.
        marked: the score is a mark, good (1) or bad (0), and no number of a scale.
    """

    where: str
    prompt: str
    responses: tuple[str, ...]
    value: float
    principle: str | None = None
    annotator: str | None = None
    marked: bool = False

    def of(self, responses: Sequence[str]) -> float:
        """``value``, seen from the order in which the responses are named here."""
        return self.value if self.responses == tuple(responses) else 1.0 - self.value


@dataclass(frozen=True)
class HumanFile:
    """All verdicts of a file.

    Attributes:
        name: what people call it.
        verdicts: one a row, in their order.
        blank: how many rows hold no verdict.
        compares: whether they compare two responses; else they rate one.
        marks: whether they rate by marks, good (1) or bad (0), which are on no scale.
    """

    name: str
    verdicts: tuple[Verdict, ...]
    blank: int
    compares: bool
    marks: bool = False

    @cached_property
    def digest(self) -> str:
        """The hash of what the rows say, wherever the file lies."""
        said = [[v.prompt, *v.responses, v.value, v.principle, v.annotator] for v in self.verdicts]
        return digest([self.compares, said, *(["marks"] if self.marks else [])])

    @cached_property
    def principles(self) -> frozenset[str | None]:
        """The principles that rows name; ``None`` among them when a row names none."""
        return frozenset(verdict.principle for verdict in self.verdicts)

    @cached_property
    def _places(self) -> Mapping[tuple[str, tuple[str, ...], str | None], tuple[int, ...]]:
        places: dict[tuple[str, tuple[str, ...], str | None], list[int]] = {}
        for number, verdict in enumerate(self.verdicts):
            key = (verdict.prompt, tuple(sorted(verdict.responses)), verdict.principle)
            places.setdefault(key, []).append(number)
        return {key: tuple(numbers) for key, numbers in places.items()}

    def find(self, prompt: str, responses: Sequence[str], principle: str | None) -> tuple[int, ...]:
        """The places in ``verdicts`` of those on these texts that name this principle, or none."""
        return self._places.get((prompt, tuple(sorted(responses)), principle), ())

    def check_scale(self, low: float, high: float) -> None:
        """Refuses scores that are not on the scale.

        Raises:
            DataError: with the place of each.
        """
        worst, best = self._range
        if self.compares or self.marks or low <= worst <= best <= high:
            return
        outside = [
            Problem(one.where, f"the score {one.value:g} is not on the scale from {low:g} to {high:g}")
            for one in self.verdicts
            if not low <= one.value <= high
        ]
        refuse(self.name, outside, [], empty=False, what="verdicts")

    @cached_property
    def _range(self) -> tuple[float, float]:
        values = [verdict.value for verdict in self.verdicts]
        return min(values), max(values)

    def agreement(self, places: Sequence[int]) -> tuple[int, int]:
        """Of the verdicts at these places, all on the same texts: the pairs by two annotators that agree, of how many.

        Verdicts that name no annotator are taken to be by different people.
        """
        agreed = pairs = 0
        order = self.verdicts[places[0]].responses
        for one, other in combinations([self.verdicts[place] for place in places], 2):
            if one.annotator is None or one.annotator != other.annotator:
                pairs += 1
                agreed += one.of(order) == other.of(order)
        return agreed, pairs


def read_human(path: str, shown: str, columns: HumanColumns) -> HumanFile:
    """Reads a file, folder or hub dataset of verdicts; ``solon.data.tables`` says which kinds there are.

    Args:
        path: where it is.
        shown: what to call it in front of people.
        columns: which columns hold what.

    Raises:
        DataError: with every problem, each with its file and line.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
    """
    try:
        read = list(read_rows(path))
    except DataError as error:
        named = [replace(problem, where=problem.where.replace(path, shown, 1)) for problem in error.problems]
        raise DataError(named) from error
    rows = [row._replace(where=row.where.replace(path, shown, 1)) for row in read if isinstance(row, Row)]
    problems = [
        replace(problem, where=problem.where.replace(path, shown, 1))
        for problem in read
        if isinstance(problem, Problem)
    ]
    seen = dict.fromkeys(name for row in rows for name in row.values)
    if {*columns.compared, *columns.rated} <= seen.keys():
        what = "the rows have the columns of comparisons and those of ratings"
        raise DataError([Problem(shown, what, "put them into two files, or name other columns")])
    # where neither is complete, what is nearer to it was meant
    compares = _present(columns.compared, seen) >= _present(columns.rated, seen)
    verdicts: list[Verdict] = []
    blank = 0
    for row in _standing(rows, columns.verdict_id):
        verdict = _verdict(row, columns, compares)
        if isinstance(verdict, Problem):
            problems.append(verdict)
        elif verdict is None:
            blank += 1
        else:
            verdicts.append(verdict)
    wanted = [*(columns.compared if compares else columns.rated)]
    optional = ("principle", "annotator", "verdict_id")
    wanted += [getattr(columns, name) for name in optional if columns.calls(name)]
    absent = missing_columns(shown, seen, [columns.of_prompt.conversation, *((name,) for name in wanted)])
    marks = [verdict for verdict in verdicts if verdict.marked]
    if 0 < len(marks) < len(verdicts):
        number = next(verdict for verdict in verdicts if not verdict.marked)
        what = f"column {columns.score!r}: true or false (good or bad) here, and a number at {number.where}"
        problems.append(Problem(marks[0].where, what, "write all scores in one of the two ways"))
    refuse(shown, problems, absent, empty=not verdicts, what="verdicts")
    return HumanFile(shown, tuple(verdicts), blank, compares, marks=bool(marks))


def _standing(rows: Sequence[Row], column: str) -> list[Row]:
    """The rows that no later one takes the place of."""
    names = [name if isinstance(name := row.values.get(column), str) and name else None for row in rows]
    last = {name: place for place, name in enumerate(names)}
    return [row for place, row in enumerate(rows) if names[place] is None or last[names[place]] == place]


def _verdict(row: Row, columns: HumanColumns, compares: bool) -> Verdict | Problem | None:
    """What a row says; ``None`` when its verdict was left empty."""
    *texts, said = columns.compared if compares else columns.rated
    given = row.values.get(said)
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    value = _preferred(given) if compares else _score(given)
    if isinstance(value, str):
        return Problem(row.where, f"column {said!r}: {value}")
    # only where the prompt is, so that nothing else in the row can be wrong with it
    conversation = columns.of_prompt.conversation
    about = {name: row.values[name] for name in conversation if name in row.values}
    prompt = prompt_of(Row(row.where, about), columns.of_prompt)
    if isinstance(prompt, Problem):
        return prompt
    responses = []
    for name in texts:
        response = row.values.get(name)
        if not isinstance(response, str):
            return Problem(row.where, f"column {name!r}: a response is a text, not {_shown(response)}")
        responses.append(as_matched(response))
    names: list[str | None] = []
    for name in (columns.principle, columns.annotator):
        cell = row.values.get(name)
        if isinstance(cell, bool | list | dict):
            return Problem(row.where, f"column {name!r}: a name is a text or a number, not {_shown(cell)}")
        names.append(None if cell is None else str(cell).strip() or None)
    marked = not compares and _mark(given) is not None
    principle, annotator = names
    return Verdict(row.where, as_matched(prompt.text), tuple(responses), value, principle, annotator, marked)


def _preferred(given: Any) -> float | str:
    """The share of the first response; a text says what is wrong."""
    share = PREFERRED.get(given.strip().lower()) if isinstance(given, str) else None
    return f"a verdict is A, B or tie (or first, second, both), not {_shown(given)}" if share is None else share


def _score(given: Any) -> float | str:
    """A finite number, or what a mark stands for; a text says what is wrong."""
    if (mark := _mark(given)) is not None:
        return mark
    try:
        score = float(given)
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    return score if math.isfinite(score) else f"a score is a number, or true or false, not {_shown(given)}"


def _mark(given: Any) -> float | None:
    """1 for good, 0 for bad; ``None`` for what is neither."""
    return MARKS.get(str(given).strip().lower()) if isinstance(given, bool | str) else None


def _present(names: Sequence[str], seen: Mapping[str, Any]) -> float:
    return sum(name in seen for name in names) / len(names)


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)[:40]
