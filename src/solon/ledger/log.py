"""The log beside a SQLite file: what was committed last, read without SQLite, and whether the log itself is damaged.

SQLite reads a log up to the first frame whose checksum does not fit, says nothing, and writes over what is behind it.
One bit that flips there would take back every reply that was committed after it.
Only ever read: the log is not touched. The format: https://sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

SIZES = tuple(1 << power for power in range(9, 17))
_HEADER, _FRAME_HEADER = 32, 24


def beside(path: Path, ending: str) -> Path:
    """A file that belongs to a ledger. It lies beside the file that links lead to, as SQLite's log does."""
    real = path.resolve()
    return real.with_name(real.name + ending)


class Bytes:
    """The bytes of a file, which need not be there."""

    def __init__(self, path: Path, files: ExitStack) -> None:
        self._file = files.enter_context(path.open("rb")) if path.exists() else None
        self.size = path.stat().st_size if self._file is not None else 0

    def read(self, at: int, length: int) -> bytes:
        """So many from there; zeros where the file has ended, or the disk gives none."""
        try:
            found = b"" if self._file is None else os.pread(self._file.fileno(), length, at)
        except OSError:
            found = b""
        return found.ljust(length, b"\0")


@dataclass
class Log:
    """What a log holds.

    Attributes:
        pages: where each page stands in its last version that was committed.
        broken: whether transactions were committed behind a frame that is not as it was written.
    """

    pages: dict[int, int] = field(default_factory=dict)
    broken: bool = False


def is_broken(path: Path) -> bool:
    """Whether the log beside a ledger is damaged, so that SQLite would pass over some of it."""
    with ExitStack() as files:
        content = Bytes(beside(path, "-wal"), files)
        size = size_of(content) or size_in(Bytes(path, files).read(0, 100))
        return bool(size) and read(content, size).broken


def size_in(head: bytes) -> int:
    """Bytes of a page, as a file's first bytes say; 0 where they cannot be meant."""
    (said,) = struct.unpack_from(">H", head, 16)
    said = 65536 if said == 1 else said
    return int(said) if said in SIZES else 0


def size_of(log: Bytes) -> int:
    """Bytes of a page, as the log says; 0 where it is none."""
    magic, _, size = struct.unpack_from(">3I", log.read(0, _HEADER))
    return int(size) if magic & ~1 == 0x377F0682 and size in SIZES else 0


def read(log: Bytes, size: int) -> Log:
    """What was committed.

    Where a frame does not fit, two things may have happened. The power went in the midst of a transaction, or a disk
    took none of it: nobody was told that it is committed, and SQLite is right to leave it. Or the log is damaged. A
    transaction is on the disk before the next one begins, so the first leaves the end of one transaction at most behind
    such a frame. Where there are more, all frames that fit are taken: each checksum goes on from the one that stands in
    the frame before, so those behind a broken one are sound by themselves.
    """
    found, behind = Log(), dict[int, int]()
    waiting: list[tuple[int, int]] = []
    broken, committed_behind = log.size >= _HEADER + _FRAME_HEADER + size and not _has_header(log, size), 0
    headless = broken
    for number, committed, at, fits in _frames(log, size, headless=headless):
        broken = broken or not fits
        committed_behind += broken and committed
        if fits:
            waiting.append((number, at))
        if committed:
            (behind if broken else found.pages).update(waiting)
            waiting = []
    found.broken = headless or committed_behind > 1
    if found.broken:
        found.pages |= behind
    return found


def _has_header(log: Bytes, size: int) -> bool:
    header = log.read(0, _HEADER)
    return size_of(log) == size and _summed(header[:24], (0, 0), _order(header)) == struct.unpack(">2I", header[24:])


def _order(header: bytes) -> str:
    return ">" if header[3] & 1 else "<"


def _frames(log: Bytes, size: int, *, headless: bool) -> Iterator[tuple[int, bool, int, bool]]:
    """Of each frame the number of its page, whether it ends a transaction, its place, and whether it fits."""
    header, step = log.read(0, _HEADER), _FRAME_HEADER + size
    # where the header is lost, the second frame says which round it is: the first may be lost with it
    second = _HEADER + step if log.size >= _HEADER + 2 * step else _HEADER
    salts = log.read(second, _FRAME_HEADER)[8:16] if headless else header[16:24]
    order, sums = _order(header), struct.unpack_from(">2I", header, 24)
    for at in range(_HEADER, log.size - step + 1, step):
        number, committed, frame_salts, said = struct.unpack(">II8s8s", log.read(at, _FRAME_HEADER))
        found = struct.unpack(">2I", said)
        if frame_salts == salts:
            content = log.read(at, step)
            fits = _summed(content[:8] + content[_FRAME_HEADER:], sums, order) == found
            yield number, bool(committed), at + _FRAME_HEADER, fits
        else:
            yield 0, False, 0, False  # of an earlier round, or its header is damaged
        sums = found


def _summed(content: bytes, sums: tuple[int, ...], order: str) -> tuple[int, int]:
    one, two = sums
    words = iter(struct.unpack(f"{order}{len(content) // 4}I", content))
    for word in words:
        one = (one + word + two) & 0xFFFFFFFF
        two = (two + next(words) + one) & 0xFFFFFFFF
    return one, two
