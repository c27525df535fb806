"""Reading the dataset a trainer was given, and refusing one that it cannot learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from solon.data import hub
from solon.data.parquet_rows import read_parquet
from solon.data.records import Demonstration, Message, Preference, Prompt, Rating, Record, Task
from solon.errors import DataError, Problem
from solon.plugins.base import located

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: dict[type[Record], tuple[str, ...]] = {
    Preference: ("prompt", "chosen", "rejected"),
    Rating: ("prompt", "completion", "label"),
    Demonstration: ("prompt", "completion"),
    Task: ("prompt",),
}
"""The columns that TRL reads for each kind of record, most telling kind first."""

BUILT: dict[type[Record], tuple[str, str]] = {
    Preference: ("preference", "judgments"),
    Rating: ("unpaired", "judgments"),
    Demonstration: ("sft", "judgments"),
    Task: ("prompts", "prompts"),
}
"""The folder of ``datasets/`` that holds each kind of record, and what ``solon build`` makes it of."""

ALSO_READ: dict[type[Record], tuple[str, ...]] = {Task: ("topic", "reference")}
"""Columns that rewards need where a dataset has them, nulls among them."""


@dataclass(frozen=True)
class Rows:
    """A dataset in memory, with the columns that its trainer reads and no others.

    Attributes:
        id: 16 hexadecimal digits of the SHA-256 of the files.
        train: the rows to learn from; at least one.
        test: the rows held out by prompt; ``None`` when there are none.
    """

    id: str
    train: pa.Table
    test: pa.Table | None

    def counts(self) -> dict[str, int]:
        """Rows a split."""
        return {"train": self.train.num_rows, **({"test": self.test.num_rows} if self.test is not None else {})}


def place_of(location: str, record: type[Record] | None) -> Path:
    """Where a dataset is that a recipe names. One on a hub is downloaded, of the kind that the trainer learns from.

    Args:
        location: as it is written: a file, a folder, or ``hf://org/name`` as ``solon push`` leaves it there.
        record: what the trainer consumes.

    Raises:
        DataError: it is on a hub and cannot be downloaded, or is not as a training reads it; says how to convert it.
        MissingExtra: it is on a hub and ``huggingface_hub`` is not installed.
    """
    written = located(location)
    if not hub.is_on_the_hub(written):
        return Path(written)
    return hub.folder(written, BUILT[record if record in BUILT else Preference][0])


def read_rows(folder: Path, record: type[Record], *, trainer: str) -> Rows:
    """The rows of ``train.parquet`` and, where there is one, ``test.parquet``.

    Args:
        folder: where the files are; a single file holds rows to train on and none to test.
        record: what the trainer consumes.
        trainer: its kind, for the messages.

    Raises:
        DataError: a file is missing or not Parquet, holds another kind of record, or has no rows, or rows with gaps.
    """
    train_file = folder if folder.is_file() else folder / "train.parquet"
    if not train_file.is_file():
        raise DataError([Problem(str(train_file), "is missing", "build it with `solon build RECIPE`")])
    files = [train_file, *([folder / "test.parquet"] if (folder / "test.parquet").is_file() else [])]
    train, *rest = (_read(file, record, trainer) for file in files)
    if not train.num_rows:
        remedy = "see its README.md for the pairs that were dropped and why; ask for more prompts or completions"
        raise DataError([Problem(str(train_file), f"has no rows, so trainer {trainer!r} has nothing to learn", remedy)])
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(hashlib.sha256(file.read_bytes()).digest())
    return Rows(hashed.hexdigest()[:16], train, next((table for table in rest if table.num_rows), None))


def prompts_of(rows: pa.Table, where: str) -> list[Prompt]:
    """The prompts of a dataset, with topic and reference answer where it has them.

    Args:
        rows: with ``prompt``, a text or a list of messages.
        where: what the table is called in errors.

    Raises:
        DataError: one is none; says in which row.
    """
    return [prompt_of(row, f"{where}, row {number}") for number, row in enumerate(rows.to_pylist(), start=1)]


def prompt_of(row: Mapping[str, Any], where: str) -> Prompt:
    """The prompt of a row, which ``where`` says: a text is what a user says.

    Raises:
        DataError: it is none.
    """
    said = row["prompt"]
    try:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        details = {name: row.get(name) for name in ALSO_READ[Task]}
        return Prompt(messages=tuple(Message.model_validate(message) for message in messages), **details)
    except ValidationError as error:
        first = error.errors()[0]
        what = ": ".join([*map(str, first["loc"]), first["msg"]])
        remedy = "a prompt is a text, or a list of messages with `role` and `content`"
        raise DataError([Problem(where, f"the prompt is none: {what}", remedy)]) from None


def _read(file: Path, record: type[Record], trainer: str) -> pa.Table:
    table = read_parquet(file)
    wanted = COLUMNS[record]
    if not set(wanted) <= set(table.column_names):
        raise DataError([Problem(str(file), *_wrong_kind(table.column_names, record, trainer))])
    if record is Demonstration:
        _refuse_judged(file, table, trainer)
    also = [name for name in ALSO_READ.get(record, ()) if name in table.column_names]
    table = table.select([*wanted, *also])
    _check_shapes(file, table.select(wanted))
    _check_texts(file, table)
    gaps = [f"{name!r} in {table[name].null_count}" for name in wanted if table[name].null_count]
    if gaps:
        raise DataError([Problem(str(file), f"has rows without a value: {', '.join(gaps)} of {table.num_rows} rows")])
    return table


def _check_texts(file: Path, table: pa.Table) -> None:
    """Refuses bytes that are no Unicode, such as half of a surrogate pair: Parquet's readers take them as they are."""
    import pyarrow as pa

    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        row = next((row for row in range(table.num_rows) if not _is_text(table.slice(row, 1))), None)
        where = str(file) if row is None else f"{file}, row {row + 1}"
        what = f"holds what is no Unicode text, which no tokenizer reads: {error}"
        raise DataError([Problem(where, what, "leave the row out, or write it again from its source")]) from None


def _is_text(row: pa.Table) -> bool:
    try:
        row.to_pylist()
    except UnicodeDecodeError:
        return False
    return True


def _check_shapes(file: Path, table: pa.Table) -> None:
    from pyarrow import types

    shapes = {}
    for field in table.schema:
        if types.is_string(field.type) or types.is_large_string(field.type):
            shapes[field.name] = "texts"
        elif types.is_list(field.type) or types.is_large_list(field.type):
            shapes[field.name] = "messages"
        elif not types.is_boolean(field.type):
            shapes[field.name] = str(field.type)
    if set(shapes.values()) not in ({"texts"}, {"messages"}):
        found = ", ".join(f"{name!r} holds {shape}" for name, shape in shapes.items())
        remedy = "all columns hold texts, or all hold lists of messages with `role` and `content`"
        raise DataError([Problem(str(file), found, remedy)])


def _wrong_kind(names: list[str], record: type[Record], trainer: str) -> tuple[str, str]:
    found = next((kind for kind, columns in COLUMNS.items() if set(columns) <= set(names)), None)
    looks = f", so its rows are {found.__name__} records" if found else ""
    what = f"has the columns {', '.join(map(repr, names)) or 'none'}{looks}"
    wants = f"trainer {trainer!r} learns from {record.__name__} records: {', '.join(map(repr, COLUMNS[record]))}"
    return what, f"{wants}; {_build_line(record)}"


def _build_line(record: type[Record]) -> str:
    folder, source = BUILT[record]
    return f"`solon build RECIPE` builds them from {source}, into datasets/{folder}"


def _refuse_judged(file: Path, table: pa.Table, trainer: str) -> None:
    """Refuses responses that were judged and not chosen: their columns are those of demonstrations, and one more."""
    from pyarrow import compute, types

    def column(name: str) -> pa.ChunkedArray | None:
        return table[name] if name in table.column_names else None

    label, score = column("label"), column("score")
    what = None
    if label is not None and types.is_boolean(label.type):
        undesirable = table.num_rows - (compute.sum(label).as_py() or 0)
        what = undesirable and f"{undesirable} of {table.num_rows} rows have a `label` that is not true"
    elif score is not None and types.is_floating(score.type) and len(compute.unique(score)) > 1:
        what = f"its rows have a `score` each, and not the same: {table.num_rows} responses, good and bad"
    if what:
        remedy = (
            f"trainer {trainer!r} imitates every response it is given; {_build_line(Demonstration)}; or leave the "
            f"column out, and the rows that nobody should imitate"
        )
        raise DataError([Problem(str(file), what, remedy)])
