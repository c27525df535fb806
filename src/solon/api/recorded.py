"""The files of a run that hold one record a line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from solon.data.artifacts import read_jsonl
from solon.data.records import Record
from solon.screen import visible

R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """The records of a file, one a line: a length, and an iteration that holds one of them at a time."""

    def __init__(self, path: Path, record: type[R]) -> None:
        self.path, self._record = path, record

    @cached_property
    def _length(self) -> int:
        with self.path.open("rb") as lines:
            return sum(1 for _ in lines)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[R]:
        return read_jsonl(self.path, self._record)

    def to_list(self) -> list[R]:
        """All of them."""
        return list(self)

    def __repr__(self) -> str:
        return visible(f"<{len(self):,} {_many(self._record)} in {self.path}>")


def _many(record: type[Record]) -> str:
    return {"Candidates": "candidates", "Judgment": "judgments"}.get(record.__name__, record.__name__)
