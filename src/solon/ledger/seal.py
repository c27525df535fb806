"""The seal of a large ledger: that the file is as solon left it, so that it need not be read through to open it.

It stands beside the ledger and says how large the file was and when it was changed for the last time, when a process
that had found it sound closed it, with nobody else there. Any other file is checked from the first page to the last:
one whose process was killed, or that was copied, restored, or changed by whatever else.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from solon.ledger.log import beside

SMALL_BYTES = 16_000_000
"""A file of no more is checked whenever it is opened: that takes a tenth of a second, and file systems do not tell the
times of two changes apart that are a few milliseconds from each other."""


def is_sealed(path: Path) -> bool:
    """Whether the ledger is large, and as the last process left it."""
    state = _state(path)
    if state is None or path.stat().st_size <= SMALL_BYTES:
        return False
    try:
        return beside(path, "-sealed").read_text("ascii") == state
    except (OSError, ValueError):
        return False


def is_emptied(path: Path) -> bool:
    """Whether the file is empty and held something when it was closed the last time."""
    return path.is_file() and not path.stat().st_size and beside(path, "-sealed").exists()


def is_log_alone(path: Path) -> bool:
    """Whether there is a log of what was committed, and no ledger that it belongs to. SQLite would delete it."""
    log = beside(path, "-wal")
    # the log first: who makes a new ledger writes into the file before there is anything in its log
    return log.is_file() and bool(log.stat().st_size) and not (path.exists() and path.stat().st_size)


def seal(path: Path) -> None:
    """Says how a ledger was left that was just closed, and had been found sound; nothing while others have it open."""
    state = _state(path)
    if state is not None:
        # without it the next process has to check, and that is all
        with (
            contextlib.suppress(OSError),
            open(beside(path, "-sealed"), "w", encoding="ascii", opener=_private) as file,
        ):
            file.write(state)


def unseal(path: Path) -> None:
    """What was said of the file holds no more: it has turned out to be damaged, or it is another one."""
    with contextlib.suppress(OSError):
        beside(path, "-sealed").unlink(missing_ok=True)


def _state(path: Path) -> str | None:
    """How the file is; ``None`` as long as changes stand in a log beside it: somebody has it open, or was killed."""
    log = beside(path, "-wal")
    try:
        if log.exists():
            return None
        now = path.stat()
        # the log again: whoever has come meanwhile may be writing
        return None if log.exists() else f"{now.st_size} {now.st_mtime_ns} {now.st_ctime_ns}\n"
    except OSError:
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
