r"""JSON in the files of a run: the same bytes for the same content, errors with their place.

Text is UTF-8. JSON is written as it is, not as ASCII escapes, with one exception: half of a surrogate pair, which UTF-8
cannot hold and which some servers send, becomes its own escape (``\ud83d``) and is read back as it was.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from solon.data.strict_json import Unusable, lines_of, loads, too_large
from solon.data.whole import atomic
from solon.errors import DataError, Problem

T = TypeVar("T", bound=BaseModel)


# made once: json.dumps makes one for each call when its settings are not the default
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """``value`` as UTF-8 JSON with its keys in their own order.

    Raises:
        ValueError: it holds a number that JSON does not have (not a number, infinity).
    """
    if indent is None:
        text = _COMPACT.encode(value)
    else:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ": "), indent=indent)
    # only a lone surrogate fails to encode, always inside a JSON string, where \udXXX is its escape
    return text.encode("utf-8", "backslashreplace")


def _record_bytes(record: BaseModel) -> bytes:
    """As ``json_bytes``, by the record's own writer, which is three times as fast.

    It knows no half of a surrogate pair, and writes what is no number all the same.
    """
    try:
        text = record.model_dump_json()
    except PydanticSerializationError:
        return json_bytes(record.model_dump(mode="json"))
    if "NaN" in text or "Infinity" in text:
        return json_bytes(record.model_dump(mode="json"))
    return text.encode("utf-8")


def is_text(text: str) -> bool:
    """Whether it is Unicode text. Half of a surrogate pair, which some servers send, is not."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write_json(path: Path, value: Any) -> None:
    """Writes one JSON value, indented for people. A record is written by its fields."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    with atomic(path) as partial:
        partial.write_bytes(json_bytes(plain, indent=2) + b"\n")


Write = Callable[[BaseModel | Mapping[str, Any]], None]


@contextmanager
def writing_jsonl(path: Path) -> Iterator[Write]:
    """Gives a function that writes one record a line; the file appears at ``path``, whole, when the block ends."""
    with atomic(path) as partial, lines_into(partial) as write:
        yield write


@contextmanager
def lines_into(path: Path) -> Iterator[Write]:
    """As ``writing_jsonl``, straight into a file: for one that ``atomic`` gave."""
    with path.open("wb") as file:

        def write(record: BaseModel | Mapping[str, Any]) -> None:
            file.write(_record_bytes(record) if isinstance(record, BaseModel) else json_bytes(record))
            file.write(b"\n")

        yield write


def write_jsonl(path: Path, records: Iterable[BaseModel]) -> int:
    """Writes one record a line and returns how many."""
    written = 0
    with writing_jsonl(path) as write:
        for record in records:
            write(record)
            written += 1
    return written


def json_lines(path: Path, *, numbers_only: bool = True) -> Iterator[tuple[int, Any]]:
    """Each line's number (from 1) with its value, or with the ``Problem`` that keeps it from being read.

    Blank lines are skipped, and so is a byte order mark. A line of more than ``strict_json.MAX_ROW`` bytes is a problem
    and is not held. ``NaN`` and ``Infinity`` are problems too, unless ``numbers_only`` is false.

    Raises:
        DataError: there is no such file, or it cannot be read at all.
    """
    with opened(path) as file:
        # bytes, because only "\n" ends a line: str.splitlines would also break at U+2028
        for number, line in enumerate(lines_of(file), 1):
            if line is None:
                yield number, too_large(f"{path}:{number}")
                continue
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip()
            except UnicodeDecodeError as error:
                yield number, wrong_encoding(f"{path}:{number}:{error.start + 1}", line[error.start], line)
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    return  # every further line would fail for the same reason
                continue
            if not text:
                continue
            try:
                yield number, loads(text, numbers_only=numbers_only)
            except (ValueError, RecursionError) as error:
                column = f":{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
                yield number, Problem(f"{path}:{number}{column}", why_not_json(error))


def read_jsonl(path: Path, type: type[T]) -> Iterator[T]:  # noqa: A002
    """The records of a file, one a line, read as they are asked for.

    Raises:
        DataError: there is no such file, or a line is not a record of that type; with file, line and, for broken JSON,
            column.
    """
    for number, value in json_lines(path):
        if isinstance(value, Problem):
            raise DataError([value])
        try:
            yield type.model_validate(value)
        except ValidationError as error:
            raise DataError(validation_problems(f"{path}:{number}", type.__name__, error)) from error


def validation_problems(where: str, name: str, error: ValidationError) -> list[Problem]:
    """What keeps a value from being a record of that name, one problem a field."""
    details = error.errors(include_url=False, include_input=False)
    problems = []
    for detail in details:
        # an empty list "after validation" only repeats that its items were wrong
        depth = len(detail["loc"])
        if any(len(other["loc"]) > depth and other["loc"][:depth] == detail["loc"] for other in details):
            continue
        field = ".".join(str(part) for part in detail["loc"])
        at = f" at {field!r}" if field else ""
        problems.append(Problem(where, f"not a {name}{at}: {_lower_first(detail['msg'])}"))
    return problems


def why_not_json(error: ValueError | RecursionError) -> str:
    """Why ``json.loads`` did not read a text: the parser's message without its place, which stands in front."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {_lower_first(error.msg).removesuffix(' at').removesuffix(' starting')}"
    if isinstance(error, RecursionError):
        return "not usable JSON: nested too deeply"
    if isinstance(error, Unusable):
        return f"not usable JSON: {error}"
    return "not usable JSON: a number has more digits than can be read"


def wrong_encoding(where: str, byte: int, start: bytes) -> Problem:
    """Says which byte is not UTF-8, what the text probably is, and how to convert it."""
    guess = "UTF-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "WINDOWS-1252"
    return Problem(
        where,
        f"not UTF-8 text: byte 0x{byte:02x}",
        f"it may be {guess}; convert it: iconv -f {guess} -t UTF-8 OLD > NEW",
    )


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """The file as bytes. An error while it is opened or read is a ``DataError``."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DataError:
    """What to raise in place of the system's error about a file that was to be read."""
    if error.errno == errno.ENOENT:
        return DataError([Problem(str(path), "there is no such file")])
    return DataError([Problem(str(path), f"cannot be read: {_lower_first(error.strerror or str(error))}")])


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


# ---------------------------------------------------------------- what a file is


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
