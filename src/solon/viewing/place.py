"""How far a file was read to which others add, and whether that is still what it begins with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BufferedReader

_COMPARED = 4096
"""Bytes before the place that have to be as they were: most of a line."""


@dataclass
class Place:
    """Where the next reading begins.

    Attributes:
        inode: the file's; 0 before anything was read.
        offset: bytes that were read.
        line: lines that were read to their end.
        before: the last of these bytes.
    """

    inode: int = 0
    offset: int = 0
    line: int = 0
    before: bytes = b""

    def found(self, file: BufferedReader) -> bool:
        """Goes there, if this is the file and holds what was read: a new one may have an old one's inode."""
        now = os.fstat(file.fileno())
        if now.st_ino != self.inode or now.st_size < self.offset:
            return False
        file.seek(self.offset - len(self.before))
        return file.read(len(self.before)) == self.before

    def begin(self, file: BufferedReader) -> None:
        """Goes to the beginning of a file that was not read yet."""
        self.inode, self.offset, self.line, self.before = os.fstat(file.fileno()).st_ino, 0, 0, b""
        file.seek(0)

    def pass_over(self, content: bytes) -> None:
        """Notes that a line was read and used: not before, so that one that cannot be is an error each time."""
        self.offset += len(content)
        self.line += content.endswith(b"\n")
        self.before = content[-_COMPARED:]
