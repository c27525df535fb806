"""TruthfulQA, MMLU and HellaSwag from files at hand, in the columns that their authors published them with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from solon.data.prompts import Problems, missing_columns, refuse
from solon.data.records import digest
from solon.data.tables import Row, read_rows
from solon.errors import DataError, Problem

Benchmark = Literal["truthfulqa", "mmlu", "hellaswag"]
Rows = dict[str, list[dict[str, Any]]]
"""Rows by split, such as ``validation``; of MMLU ``test``, and ``dev`` for its examples."""

_FILES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class _Layout:
    """The split that is evaluated on, one that examples may come from, and what each column has to hold."""

    split: str
    examples: str | None
    columns: Mapping[str, Callable[[Any], bool]]
    wanted: Mapping[str, str]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_answered(value: Any) -> bool:
    """``{"choices": [...], "labels": [...]}``, a 1 for each right choice, of which there is one at least."""
    if not isinstance(value, Mapping):
        return False
    choices, labels = value.get("choices"), value.get("labels")
    if not isinstance(choices, list) or not isinstance(labels, list):
        return False
    return len(choices) == len(labels) > 0 and all(map(_is_text, choices)) and 1 in labels and set(labels) <= {0, 1}


def _are_four(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_text, value))


def _is_one_of_four(value: Any) -> bool:
    return str(value) in ("0", "1", "2", "3") and not isinstance(value, bool)


_LAYOUTS: dict[Benchmark, _Layout] = {
    "truthfulqa": _Layout(
        "validation",
        None,
        {"question": _is_text, "mc1_targets": _is_answered, "mc2_targets": _is_answered},
        {"question": "a text", **dict.fromkeys(("mc1_targets", "mc2_targets"), "choices with labels of 0 and 1")},
    ),
    "mmlu": _Layout(
        "test",
        "dev",
        {"question": _is_text, "subject": _is_text, "choices": _are_four, "answer": _is_one_of_four},
        {"question": "a text", "subject": "a text", "choices": "four texts", "answer": "0, 1, 2 or 3"},
    ),
    "hellaswag": _Layout(
        "validation",
        "train",
        {
            "activity_label": _is_text,
            "ctx_a": _is_text,
            "ctx_b": _is_text,
            "endings": _are_four,
            "label": _is_one_of_four,
        },
        {
            **dict.fromkeys(("activity_label", "ctx_a", "ctx_b"), "a text"),
            "endings": "four texts",
            "label": "0, 1, 2 or 3",
        },
    ),
}


def split_of(benchmark: Benchmark) -> str:
    """The name of the split that is evaluated on."""
    return _LAYOUTS[benchmark].split


def lacks_examples(rows: Rows, shots: int) -> str:
    """What the rows lack of ``shots`` examples before each question, as a clause; empty where they have them."""
    given = rows.get("dev", rows.get("train"))
    if given is None:
        return "there is no file of them"
    of_subject = Counter(row.get("subject") for row in given)
    asked = dict.fromkeys(row.get("subject") for row in rows.get("test", rows.get("validation", [])))
    few = next((subject for subject in asked if of_subject[subject] < shots), None) if "dev" in rows else None
    return f"subject {few!r} has {of_subject[few]}" if few is not None else ""


def read_benchmark(benchmark: Benchmark, source: str | Path, *, limit: int | None, seed: int) -> Rows:
    """Rows of a file, which is the split to evaluate on, or of a folder with a file for each split.

    Args:
        benchmark: which.
        source: a file, or a folder with files whose names begin with the split's: ``test.jsonl``,
            ``dev-00000-of-00001.parquet``.
        limit: rows to evaluate on at most, chosen by hash and kept in their order; the examples are all kept.
        seed: of the hash.

    Raises:
        DataError: there is no such file, or a row is not as it should be; with file and line.
    """
    layout, path = _LAYOUTS[benchmark], Path(source)
    found = {layout.split: _rows(layout, _file_of(path, layout.split) if path.is_dir() else path)}
    if layout.examples is not None and path.is_dir() and _files_of(path, layout.examples):
        found[layout.examples] = _rows(layout, _file_of(path, layout.examples))
    if limit is not None and len(found[layout.split]) > limit:
        numbered = list(enumerate(found[layout.split]))
        chosen = sorted(sorted(numbered, key=lambda one: digest([seed, one[1]]))[:limit], key=lambda one: one[0])
        found[layout.split] = [row for _, row in chosen]
    return found


def _files_of(folder: Path, split: str) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name.startswith(split) and file.suffix in _FILES)


def _file_of(folder: Path, split: str) -> Path:
    files = _files_of(folder, split)
    if len(files) == 1:
        return files[0]
    what = f"holds {len(files) or 'no'} file{'s' if len(files) > 1 else ''} whose name begins with {split!r}"
    raise DataError([Problem(str(folder), what, f"one was expected, such as {split}.parquet or {split}.jsonl")])


def _rows(layout: _Layout, file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    problems, seen = Problems(), dict[str, None]()
    for row in read_rows(file):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        seen.update(dict.fromkeys(row.values))
        wrong = _wrong(layout, row)
        if wrong is None:
            found.append({column: _as_published(column, row.values[column]) for column in layout.columns})
        else:
            problems.append(wrong)
    missing = missing_columns(str(file), seen, [(column,) for column in layout.columns])
    refuse(str(file), problems, missing, empty=not found, what="rows")
    return found


def _as_published(column: str, value: Any) -> Any:
    """MMLU's answers are numbers: lm-eval looks a text up among the letters, and finds none."""
    return int(value) if column == "answer" else value


def _wrong(layout: _Layout, row: Row) -> Problem | None:
    for column, holds in layout.columns.items():
        value = row.values.get(column)
        if not holds(value):
            return Problem(row.where, f"column {column!r}: {layout.wanted[column]} expected, not {str(value)[:60]!r}")
    return None
