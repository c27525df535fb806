"""What people think of answers side by side: a form that they fill in, not told whose answer is whose.

The form is the user's. It is read with whatever separator and encoding a spreadsheet left, gets new rows at its end
where answers are new, and is otherwise never touched.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from solon.data.artifacts import read_jsonl
from solon.data.identity import Noun, digest
from solon.data.records import RatingScale
from solon.data.whole import atomic
from solon.errors import DataError, Problem

FORM = "grades.csv"
ANSWERS = Path("evaluation", "qualitative.jsonl")
_COLUMNS = ("id", "group", "prompt", "answer_a", "answer_b", "grade_a", "grade_b", "note")
_FORMULA = re.compile(r"((?:\A|[\n\r;\t,])\s*)(?=[=+\-@])")
"""Where a spreadsheet may begin a cell, whatever it takes for a separator, and what it takes for a formula."""
_MOST_PROBLEMS = 20


class SideBySide(Noun):
    """Both models' answers to one prompt; ``None`` where a model gave none."""

    group: str
    prompt: str
    before: str | None
    after: str | None

    @property
    def id(self) -> str:
        """A letter and 12 hexadecimal digits of group, prompt and answers: other answers are not graded yet.

        Without the letter a spreadsheet takes one in two hundred for a number, and writes it as another.
        """
        return f"a{digest([self.group, self.prompt, self.before, self.after])[:12]}"

    @property
    def turned(self) -> bool:
        """Whether the form shows the trained model's answer first, which is left to the hash."""
        return int(self.id[1:], 16) % 2 == 1


class Graded(Noun):
    """Answers with what somebody said of them; ``None`` and an empty note where nothing was said."""

    answers: SideBySide
    before: float | None = None
    after: float | None = None
    note: str = ""


def graded(run_dir: Path, scale: RatingScale) -> tuple[Graded, ...]:
    """The answers of a run in their order, each with the grades that the form holds. Empty where none were asked for.

    Raises:
        DataError: the form cannot be read, or a grade is no number of the scale; with file and line.
    """
    path = run_dir / ANSWERS
    if not path.is_file():
        return ()
    form = _form(run_dir / FORM)
    problems: list[Problem] = []
    found = []
    for answers in read_jsonl(path, SideBySide):
        line, row = form.get(answers.id, (0, {}))
        grades = [_grade(row.get(name), scale, f"{run_dir / FORM}:{line}", problems) for name in ("grade_a", "grade_b")]
        first, second = reversed(grades) if answers.turned else grades
        note = (row.get("note") or "").strip()
        found.append(Graded(answers=answers, before=first, after=second, note=note))
    if problems:
        raise DataError(problems[:_MOST_PROBLEMS])
    return tuple(found)


def of_other_answers(run_dir: Path) -> int:
    """Rows of the form with a grade or a note whose answers are no longer the run's: other ones were given since.

    Raises:
        DataError: the form cannot be read.
    """
    path = run_dir / ANSWERS
    known = {answers.id for answers in read_jsonl(path, SideBySide)} if path.is_file() else set()
    said = (row for key, (_, row) in _form(run_dir / FORM).items() if key not in known)
    return sum(any((row.get(name) or "").strip() for name in ("grade_a", "grade_b", "note")) for row in said)


def write_form(run_dir: Path) -> Path | None:
    """Gives the form a row for every prompt that has none, and makes it where it is missing; returns it.

    Raises:
        DataError: the form that is there cannot be read.
        StorageError: the disk is full or not writable; the form is as it was.
    """
    path = run_dir / ANSWERS
    if not path.is_file():
        return None
    form = run_dir / FORM
    known = _form(form)
    new = [answers for answers in read_jsonl(path, SideBySide) if answers.id not in known]
    if not new:
        return form
    before = form.read_bytes() if form.is_file() else b""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=_delimiter(_text(before)))
    if not before:
        writer.writerow(_COLUMNS)
    writer.writerows(map(_row, new))
    ending = b"" if not before or before.endswith((b"\n", b"\r")) else b"\r\n"
    with atomic(form) as partial:
        # a byte order mark, without which spreadsheets take UTF-8 for something else
        partial.write_bytes((before or b"\xef\xbb\xbf") + ending + text.getvalue().encode("utf-8", "replace"))
    return form


def _row(answers: SideBySide) -> list[str]:
    shown = (answers.after, answers.before) if answers.turned else (answers.before, answers.after)
    texts = [answers.group, answers.prompt, *(text if text is not None else "(no answer)" for text in shown)]
    return [answers.id, *map(_plain, texts), "", "", ""]


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: the text is a model's."""
    return _FORMULA.sub(r"\1'", text)


def _form(path: Path) -> dict[str, tuple[int, Mapping[str, str | None]]]:
    """The rows of the form by their id, with the line on which each ends."""
    if not path.is_file():
        return {}
    try:
        text = _text(path.read_bytes())
    except UnicodeDecodeError as error:
        remedy = "save it as CSV in UTF-8"
        raise DataError([Problem(str(path), f"is not UTF-8 (byte {error.start})", remedy)]) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    wanted = {"id", "grade_a", "grade_b", "note"}
    if missing := sorted(wanted - set(reader.fieldnames or ())):
        remedy = "put the header line back, or move the file away and run `solon report` for a new form"
        raise DataError([Problem(f"{path}:1", f"has no column {', '.join(map(repr, missing))}", remedy)])
    found: dict[str, tuple[int, Mapping[str, str | None]]] = {}
    try:
        for row in reader:
            found[(row["id"] or "").strip()] = (reader.line_num, row)
    except csv.Error as error:
        raise DataError(
            [Problem(f"{path}:{reader.line_num}", f"is no CSV: {error}", "save it as CSV again")]
        ) from error
    return found


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig")


def _delimiter(text: str) -> str:
    """Of the header line: spreadsheets put a semicolon where the comma is for decimals."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count) if header else ","


def _grade(cell: str | None, scale: RatingScale, where: str, problems: list[Problem]) -> float | None:
    said = (cell or "").strip()
    if not said:
        return None
    try:
        grade = float(said.replace(",", "."))
    except ValueError:
        grade = math.nan
    if scale.low <= grade <= scale.high:
        return grade
    problems.append(Problem(where, f"{said[:40]!r} is no grade from {scale.low} to {scale.high}"))
    return None


def compared(found: Sequence[Graded]) -> list[tuple[float | None, float | None]]:
    """The grades of the answers of which at least one was graded."""
    return [(one.before, one.after) for one in found if one.before is not None or one.after is not None]


def by_group(found: Sequence[Graded]) -> dict[str, list[Graded]]:
    """The answers by their group, in the order in which the groups first appear."""
    groups: dict[str, list[Graded]] = {}
    for one in found:
        groups.setdefault(one.answers.group, []).append(one)
    return groups
