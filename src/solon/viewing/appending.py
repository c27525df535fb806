"""Adding a line to a file that others add to at the same time: locked, whole, and on the disk before it counts."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from solon.data.artifacts import json_bytes
from solon.data.whole import remedy_of
from solon.errors import DataError, Problem, StorageError

_BLOCK = 1 << 20


def append(path: Path, line: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Adds a line of JSON, or none.

    Args:
        path: the file, which is made where it is missing.
        line: what to write, asked while nobody else can write; ``None`` writes nothing.

    Returns:
        What was written.

    Raises:
        DataError: the last line is broken, and not by a crash; the file is as it was.
        StorageError: the disk is full or not writable; the file is as it was.
    """
    try:
        is_new = not path.exists()
        with _locked(path) as descriptor:
            value = line()
            if value is None:
                return None
            end = _end(descriptor, path)
            content = json_bytes(value) + b"\n"
            try:
                _write(descriptor, content)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, end)
                raise
        if is_new:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return value
    except OSError as error:
        remedy = remedy_of(error.errno)
        raise StorageError(
            f"cannot write {path}: {error.strerror}; the verdicts in it are untouched{remedy}"
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, open for reading and adding, which nobody else adds to meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # an editor that saved it in between has put another file in its place
            if not path.exists() or path.stat().st_ino != os.fstat(descriptor).st_ino:
                continue
            yield descriptor
            return
        finally:
            os.close(descriptor)


def _end(descriptor: int, path: Path) -> int:
    """Where the next line begins: after a line feed, which is added where somebody's editor left it out.

    What a crash left of a line that was never acknowledged is cut off; a line that is all there is somebody's.

    Raises:
        DataError: it is all there, and no JSON.
    """
    size = os.fstat(descriptor).st_size
    last = _last_line(descriptor, size)
    if not last:
        return size
    if not is_json(last):
        if last.rstrip().endswith(b"}"):
            with path.open("rb") as file:
                number = sum(1 for _ in file)
            remedy = "mend the line, or delete it; nothing was recorded"
            raise DataError([Problem(f"{path}:{number}", "the last line is not valid JSON", remedy)])
        os.ftruncate(descriptor, size - len(last))
        return size - len(last)
    _write(descriptor, b"\n")
    return size + 1


def _last_line(descriptor: int, size: int) -> bytes:
    """What follows the last line feed, however long it is."""
    blocks: list[bytes] = []
    while size > 0:
        start = max(0, size - _BLOCK)
        block = os.pread(descriptor, size - start, start)
        blocks.append(block[block.rfind(b"\n") + 1 :])
        if b"\n" in block:
            break
        size = start
    return b"".join(reversed(blocks))


def is_json(content: bytes) -> bool:
    """Whether it can be read."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _write(descriptor: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        count = os.write(descriptor, content[written:])
        if count == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += count
