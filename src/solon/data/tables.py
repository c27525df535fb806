"""Rows of whatever file people keep their data in, each with its place, so that every error can name it.

JSON Lines (``.jsonl``, ``.ndjson``), JSON (``.json``: a list), CSV and TSV (with a header line), Parquet, a folder of
such files (read in the order of their names), or ``hf://org/name`` and ``hf://org/name:split`` through ``datasets``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from solon.data.artifacts import json_lines, opened, why_not_json, wrong_encoding
from solon.errors import DataError, MissingExtra, Problem

HUB = "hf://"
_READ_AT_ONCE = 1024
_FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Row:
    """One row: where it stands, and its values by column."""

    where: str
    values: dict[str, Any]


def read_rows(source: str | Path) -> Iterator[Row | Problem]:
    """The rows of a file, folder or hub dataset; in place of a row that cannot be read, the problem with it.

    Raises:
        DataError: there is no such file, nothing in it can be read, or its kind is unknown.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
    """
    if str(source).startswith(HUB):
        yield from _hub_rows(str(source))
        return
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _FORMATS and file.is_file())
        files = [file for file in files if not file.name.startswith((".", "_"))]
        if not files:
            raise DataError([Problem(str(path), f"the folder holds no file that ends in {_one_of(_FORMATS)}")])
        for file in files:
            yield from _file_rows(file)
        return
    yield from _file_rows(path)


def _file_rows(path: Path) -> Iterator[Row | Problem]:
    if not path.exists():
        raise DataError([Problem(str(path), "there is no such file", _similar(path))])
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            yield from _jsonl_rows(path)
        case ".json":
            yield from _json_rows(path)
        case ".csv":
            yield from _csv_rows(path, ",")
        case ".tsv":
            yield from _csv_rows(path, "\t")
        case ".parquet":
            yield from _parquet_rows(path)
        case suffix:
            what = (
                f"files that end in {suffix!r} are not read" if suffix else "the file has no ending that says its kind"
            )
            raise DataError([Problem(str(path), what, f"it may be {_one_of(_FORMATS)}")])


def _jsonl_rows(path: Path) -> Iterator[Row | Problem]:
    for number, value in json_lines(path):
        yield value if isinstance(value, Problem) else _row(f"{path}:{number}", value)


def _json_rows(path: Path) -> Iterator[Row | Problem]:
    try:
        items = json.loads(_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        remedy = "one object a line is JSON Lines: name it .jsonl"
        raise DataError([Problem(where, why_not_json(error), remedy)]) from error
    if not isinstance(items, list):
        raise DataError([Problem(str(path), f"a list of rows was expected, and it holds {_kind(items)}")])
    for number, item in enumerate(items, 1):
        yield _row(f"{path}: item {number}", item)


def _row(where: str, value: Any) -> Row | Problem:
    if isinstance(value, dict):
        return Row(where, value)
    if isinstance(value, str):
        return Row(where, {"prompt": value})
    return Problem(where, f"a row is an object with columns, and this is {_kind(value)}")


def _csv_rows(path: Path, delimiter: str) -> Iterator[Row | Problem]:
    # one field may hold a whole conversation; the limit is the process's, so it is put back
    limit = csv.field_size_limit(2**31 - 1)
    try:
        reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        line = 1
        for cells in reader:
            where, line = f"{path}:{line}", reader.line_num + 1
            if not cells:
                continue
            if header is None:
                header = [name.strip() for name in cells]
                if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
                    raise DataError([Problem(where, f"the header names column {twice[0]!r} twice")])
            elif len(cells) != len(header):
                yield Problem(where, f"{len(cells)} fields in a row, and the header names {len(header)} columns")
            else:
                yield Row(where, {name: cell or None for name, cell in zip(header, cells, strict=True)})
    except csv.Error as error:
        raise DataError([Problem(f"{path}:{reader.line_num}", f"not valid CSV: {error}")]) from error
    finally:
        csv.field_size_limit(limit)


def _text(path: Path) -> str:
    with opened(path) as file:
        content = b"".join(file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise DataError([wrong_encoding(f"{path}:{line}:{column}", content[error.start], content)]) from error


def _parquet_rows(path: Path) -> Iterator[Row | Problem]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=_READ_AT_ONCE):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}: row {number}", values)
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise DataError([Problem(str(path), f"not a readable Parquet file: {first_line}")]) from error


def _hub_rows(address: str) -> Iterator[Row | Problem]:
    name, _, split = address.removeprefix(HUB).partition(":")
    if not name.strip("/"):
        raise DataError(
            [Problem(address, "the address names no dataset", "write hf://org/name or hf://org/name:split")]
        )
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra(f"reading {address}", "train") from error
    try:
        table = datasets.load_dataset(name, split=split or "train")
    # what the library raises for a name, split, configuration or connection that is not there
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        first_line = str(error).partition("\n")[0]
        remedy = "check name, split and network; a downloaded file or folder can be given instead"
        raise DataError([Problem(address, f"cannot be loaded: {first_line}", remedy)]) from error
    for number, values in enumerate(table, 1):
        yield Row(f"{address}: row {number}", dict(values))


def _similar(path: Path) -> str:
    from difflib import get_close_matches

    try:
        names = sorted(file.name for file in path.parent.iterdir())
    except OSError:
        return f"nor is there a folder {str(path.parent)!r}"
    near = get_close_matches(path.name, names, n=1)
    return f"did you mean {str(path.with_name(near[0]))!r}?" if near else ""


def _one_of(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            assert_never(value)
