"""Rows of whatever file people keep their data in, each with its place, so that every error can name it.

JSON Lines (``.jsonl``, ``.ndjson``), JSON (``.json``: a list), CSV and TSV (with a header line), Parquet, a folder of
such files (read in the order of their names), or ``hf://org/name`` and ``hf://org/name:split`` through ``datasets``.

All but ``.json``, which is one value, are read row by row: a file may be larger than the memory.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO, assert_never

from solon.data import hub
from solon.data.artifacts import json_lines, opened, sha256_of, unreadable, why_not_json, wrong_encoding
from solon.data.parquet_rows import parquet_rows
from solon.data.strict_json import MAX_ROW, loads, too_large
from solon.errors import DataError, Problem

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


class Row(NamedTuple):
    """One row: where it stands, and its values by column."""

    where: str
    values: dict[str, Any]


def read_rows(source: str | Path) -> Iterator[Row | Problem]:
    """The rows of a file, folder or hub dataset; in place of a row that cannot be read, the problem with it.

    Raises:
        DataError: there is no such file, nothing in it can be read, or its kind is unknown.
        MissingExtra: it is on the hub and ``datasets`` is not installed.
    """
    if hub.is_on_the_hub(source):
        for number, values in enumerate(hub.rows(str(source)), 1):
            yield Row(f"{source}: row {number}", values)
        return
    for file in _files(Path(source)):
        yield from _file_rows(file)


def identity(source: str | Path) -> dict[str, str]:
    """What changes when the data do: the SHA-256 of each file by its name; of a hub dataset, its revision.

    Reads the bytes and nothing more, a few seconds for some gigabytes.

    Raises:
        DataError, MissingExtra: as ``read_rows``.
    """
    if hub.is_on_the_hub(source):
        return hub.identity(str(source))
    return {file.name: sha256_of(file) for file in _files(Path(source))}


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise DataError([Problem(str(path), "there is no such file", _similar(path))])
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in FORMATS and file.is_file())
    files = [file for file in files if not file.name.startswith((".", "_"))]
    if not files:
        raise DataError([Problem(str(path), f"the folder holds no file that ends in {_one_of(FORMATS)}")])
    return files


def _file_rows(path: Path) -> Iterator[Row | Problem]:
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
            raise DataError([Problem(str(path), what, f"it may be {_one_of(FORMATS)}")])


def _jsonl_rows(path: Path) -> Iterator[Row | Problem]:
    for number, value in json_lines(path):
        yield value if isinstance(value, Problem) else _row(f"{path}:{number}", value)


def _json_rows(path: Path) -> Iterator[Row | Problem]:
    try:
        items = loads(_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        remedy = "one object a line is JSON Lines: name it .jsonl"
        raise DataError([Problem(where, why_not_json(error), remedy)]) from error
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(str(path), why_not_json(error))]) from error
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
    limit = csv.field_size_limit(MAX_ROW)
    line = 1
    reader = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_lines(file), delimiter=delimiter, strict=True)
            header: list[str] | None = None
            for cells in reader:
                where, line = f"{path}:{line}", reader.line_num + 1
                if not cells:
                    continue
                if header is None:
                    header = [name.strip() for name in cells]
                    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
                        yield Problem(where, f"the header names column {twice[0]!r} twice")
                        return
                elif len(cells) != len(header):
                    yield Problem(where, f"{len(cells)} fields in a row, and the header names {len(header)} columns")
                else:
                    yield Row(where, {name: cell or None for name, cell in zip(header, cells, strict=True)})
    except _TooLong:
        yield too_large(f"{path}:{line}")
    except csv.Error as error:
        yield Problem(f"{path}:{reader.line_num if reader else line}", f"not valid CSV: {error}")
    except UnicodeDecodeError:
        yield _first_that_is_no_text(path)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        csv.field_size_limit(limit)


class _TooLong(Exception):
    """A line of a CSV file that is longer than a row may be."""


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(MAX_ROW + 1):
        if len(line) > MAX_ROW:
            raise _TooLong
        yield line


def _first_that_is_no_text(path: Path) -> Problem:
    """The byte that stopped the decoder, which knows its place in a buffer and not in the file."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                return wrong_encoding(f"{path}:{number}:{error.start + 1}", line[error.start], line)
    return Problem(str(path), "the file changed while it was read")


def _text(path: Path) -> str:
    with opened(path) as file:
        content = file.read(MAX_ROW + 1)
    if len(content) > MAX_ROW:
        remedy = "as JSON Lines (.jsonl), one object a line, a file may be of any size"
        raise DataError([Problem(str(path), f"the file is larger than {MAX_ROW // 1_000_000} MB", remedy)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError([_first_that_is_no_text(path)]) from error


def _parquet_rows(path: Path) -> Iterator[Row | Problem]:
    for number, values in enumerate(parquet_rows(path), 1):
        yield values if isinstance(values, Problem) else Row(f"{path}: row {number}", values)


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
