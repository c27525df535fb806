"""What stands on a page of SQLite's: the rows of a table, the entries of an index, and the pages below it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from solon.ledger.pages import Pages

INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF = 2, 5, 10, 13
Value: TypeAlias = int | float | str | bytes | None
_FAMILIES = {TABLE_INNER, TABLE_LEAF}, {INDEX_INNER, INDEX_LEAF}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclass
class Tree:
    """What could be reached of a table or an index.

    Attributes:
        pages: the leaves of a table, or all pages of an index.
        whole: whether every page of it could be reached.
        last: of a table, the highest rowid that an inner page speaks of.
    """

    pages: set[int] = field(default_factory=set)
    whole: bool = True
    last: int = 0


def kind_of(pages: Pages, number: int) -> int:
    """Which of the four kinds a page is; 0 where it is none."""
    kind = pages[number][_start(number)]
    return kind if kind in (INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF) else 0


def rows(pages: Pages, number: int) -> Iterator[tuple[int, list[Value] | None]]:
    """The rowid and the values of each row of a table's leaf; ``None`` for what cannot be read.

    The rowid of such a row is 0.
    """
    page = pages[number]
    for at in _cells(page, number):
        try:
            length, at = _varint(page, at)
            rowid, at = _varint(page, at)
            yield _signed(rowid), _record(_payload(pages, page, at, length, pages.usable - 35))
        except (ValueError, IndexError, struct.error):
            yield 0, None


def entry_count(pages: Pages, number: int) -> int:
    """How many entries a page of an index says that it has."""
    return len(list(_cells(pages[number], number)))


def entries(pages: Pages, number: int) -> Iterator[list[Value]]:
    """The entries of a page of an index that can be read: what is indexed, and the rowid."""
    page = pages[number]
    skipped = 4 if page[_start(number)] == INDEX_INNER else 0
    for at in _cells(page, number):
        try:
            length, start = _varint(page, at + skipped)
            yield _record(_payload(pages, page, start, length, (pages.usable - 12) * 64 // 255 - 23))
        except (ValueError, IndexError, struct.error):
            continue


def tree(pages: Pages, root: int) -> Tree:
    """All that can be reached from a root."""
    found, waiting, seen = Tree(), [root], set()
    family: set[int] = set()
    while waiting:
        number = waiting.pop()
        kind = kind_of(pages, number) if 1 <= number <= len(pages) and number not in seen else 0
        family = family or next((kinds for kinds in _FAMILIES if kind in kinds), set())
        if kind not in family:
            found.whole = False
            continue
        seen.add(number)
        if kind != TABLE_INNER:
            found.pages.add(number)
        if kind in (TABLE_INNER, INDEX_INNER):
            page, below = pages[number], []
            cells = list(_cells(page, number))
            try:
                below = [*(_word(page, at) for at in cells), _word(page, _start(number) + 8)]
                if kind == TABLE_INNER:
                    found.last = max([found.last, *(_signed(_varint(page, at + 4)[0]) for at in cells)])
            except (IndexError, struct.error):
                found.whole = False
            waiting += below
    return found


def _start(number: int) -> int:
    return 100 if number == 1 else 0


def _cells(page: bytes, number: int) -> Iterator[int]:
    """Where the cells begin, in their order."""
    start = _start(number)
    inner = page[start] in (INDEX_INNER, TABLE_INNER)
    (count,) = struct.unpack_from(">H", page, start + 3)
    first = start + (12 if inner else 8)
    for place in range(first, min(first + 2 * count, len(page) - 1), 2):
        (at,) = struct.unpack_from(">H", page, place)
        yield at


def _word(page: bytes, at: int) -> int:
    (word,) = struct.unpack_from(">I", page, at)
    return int(word)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        byte = data[at + number]
        if number == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + number + 1
    raise AssertionError


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _payload(pages: Pages, page: bytes, at: int, length: int, most: int) -> bytes:
    """A record with what of it stands on pages of its own. ``most``: what a page of its tree holds of one."""
    if length <= most:
        return page[at : at + length]
    if length > len(pages) * pages.size:
        raise ValueError("longer than the file")
    least = (pages.usable - 12) * 32 // 255 - 23
    here = least + (length - least) % (pages.usable - 4)
    here = here if here <= most else least
    parts, left = [page[at : at + here]], length - here
    number = _word(page, at + here)
    while left > 0:
        further = pages[number]
        parts.append(further[4 : 4 + min(left, pages.usable - 4)])
        left -= pages.usable - 4
        number = _word(further, 0)
    return b"".join(parts)


def _record(payload: bytes) -> list[Value]:
    """The values of a record. ``ValueError`` where it is none."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    at = end
    for kind in kinds:
        value, at = _value(payload, kind, at)
        values.append(value)
    if at != len(payload):
        raise ValueError("its parts do not add up")
    return values


def _value(payload: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind in _INTEGERS:
        width = _INTEGERS[kind]
        return int.from_bytes(payload[at : at + width], "big", signed=True), at + width
    match kind:
        case 0:
            return None, at
        case 7:
            return float(struct.unpack_from(">d", payload, at)[0]), at + 8
        case 8 | 9:
            return kind - 8, at
        case 10 | 11:
            raise ValueError("no such type")
    width = (kind - 12) // 2
    if at + width > len(payload):
        raise ValueError("its parts do not add up")
    content = payload[at : at + width]
    return (content.decode() if kind % 2 else content), at + width
