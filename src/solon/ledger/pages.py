"""The pages of a SQLite file as they lie on the disk, read without SQLite, which gives up on what is damaged.

Only ever read: neither the file nor the log beside it is touched. The format: https://sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from solon.ledger.log import Bytes, Log, beside, read, size_in, size_of

MAGIC = b"SQLite format 3\0"


class Pages:
    """A file's pages, counted from 1, each in the last version that was committed; a context manager.

    Attributes:
        size: bytes of a page.
        header: whether the file begins as SQLite's do.
        version, application: of the header: solon's schema, and whose file it is. 0 where there is none.
        log_broken: whether the log beside it is damaged: some pages may be older ones.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self._files = ExitStack()
        self._file = Bytes(path, self._files)
        self._log = Bytes(beside(path, "-wal"), self._files)
        head = self._file.read(0, 100)
        self.header = head.startswith(MAGIC) and bool(size_in(head))
        self.size = size or (size_in(head) if self.header else size_of(self._log))
        self._reserved = head[20] if self.header else 0
        self.version, self.application = (
            (int.from_bytes(head[60:64], "big"), int.from_bytes(head[68:72], "big")) if self.header else (0, 0)
        )
        logged = read(self._log, self.size) if self.size else Log()
        self._logged, self.log_broken = logged.pages, logged.broken
        self._count = max([-(-self._file.size // self.size), *self._logged]) if self.size else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def __len__(self) -> int:
        """The number of the last page, a part of one included."""
        return self._count

    @property
    def usable(self) -> int:
        """Bytes of a page that hold anything."""
        return self.size - self._reserved

    def __getitem__(self, number: int) -> bytes:
        """A page. ``ValueError`` where there is none."""
        if not 1 <= number <= self._count:
            raise ValueError(f"there is no page {number}")
        at = self._logged.get(number)
        if at is not None:
            return self._log.read(at, self.size)
        return self._file.read((number - 1) * self.size, self.size)
