"""Candidates on their way from the rows of a file to the labeler, gathered by prompt.

Few wait in memory as they are, since to write them down and to read them again takes longer than to read their rows;
many wait on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sys import getsizeof
from typing import Self

from solon.data.groups import Groups
from solon.data.records import Candidates

HELD = 16_000_000
"""Bytes of candidates that wait in memory, about; the first that is more sends all to the disk."""

_BESIDE_ITS_TEXT = 2_000
"""Bytes that a message or a completion takes in memory, about."""


class Gathering:
    """The rows of each prompt, in the order of the first rows. Open one with ``Gathering.open``.

    Its length is how many prompts there are.
    """

    def __init__(self, on_disk: Groups) -> None:
        self._on_disk = on_disk
        self._in_memory: dict[str, list[Candidates]] = {}
        self._room = HELD

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """An empty one, which may put its rows at ``path`` until the block ends.

        Raises:
            StorageError: the disk is full or not writable.
        """
        with Groups.open(path, Candidates) as on_disk:
            yield cls(on_disk)

    def add(self, row: Candidates) -> None:
        """Adds a row to those of its prompt."""
        if self._room < 0:
            self._on_disk.put(self._on_disk.begun(row.prompt.id), row)
            return
        self._in_memory.setdefault(row.prompt.id, []).append(row)
        self._room -= _size(row)
        if self._room < 0:
            in_memory, self._in_memory = self._in_memory, {}
            for rows in in_memory.values():
                for each in rows:
                    self.add(each)

    def __len__(self) -> int:
        return len(self._on_disk) or len(self._in_memory)

    def __iter__(self) -> Iterator[list[Candidates]]:
        """The rows of each prompt, in their order. May be read any number of times."""
        yield from self._in_memory.values()
        for records in self._on_disk:
            yield [record for record in records if isinstance(record, Candidates)]


def _size(row: Candidates) -> int:
    texts = [message.content for message in row.prompt.messages] + [each.text for each in row.completions]
    # of what a letter takes: one byte to four
    return sum(map(getsizeof, (*texts, row.prompt.topic, row.prompt.reference)), _BESIDE_ITS_TEXT * len(texts))
