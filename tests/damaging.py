"""Ways in which disks and hands damage a ledger: each changes a copy of its bytes, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from solon.ledger.schema import PAGE_BYTES

TABLE_LEAF, INDEX_LEAF, INDEX_INNER = 13, 10, 2
_KINDS = {TABLE_LEAF, INDEX_LEAF, INDEX_INNER, 5}

Damage = Callable[[bytearray, Random], None]


def pages_overwritten(data: bytearray, rng: Random) -> None:
    """One to five pages of noise; the first page, which names all tables, is another kind."""
    for _ in range(rng.randint(1, 5)):
        _write(data, rng.randrange(1, len(data) // PAGE_BYTES), rng.randbytes(PAGE_BYTES))


def page_of_zeros(data: bytearray, rng: Random) -> None:
    """A page that a disk has lost."""
    _write(data, rng.randrange(1, len(data) // PAGE_BYTES), bytes(PAGE_BYTES))


def two_pages_exchanged(data: bytearray, rng: Random) -> None:
    """Sound pages in each other's place."""
    one, other = rng.sample(range(1, len(data) // PAGE_BYTES), 2)
    first, second = (bytes(data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES]) for page in (one, other))
    _write(data, one, second)
    _write(data, other, first)


def truncated(data: bytearray, rng: Random) -> None:
    """Cut off anywhere in its last half."""
    del data[rng.randrange(len(data) // 2, len(data)) :]


def header_zeroed(data: bytearray, rng: Random) -> None:
    """The first 100 bytes, without which SQLite reads nothing."""
    data[:100] = bytes(100)


def header_scribbled(data: bytearray, rng: Random) -> None:
    """Noise in the bytes that say how large a page is, how text is written, and whose file it is."""
    for first, last in ((16, 18), (56, 60), (68, 72)):
        data[first:last] = bytes(byte ^ rng.randrange(1, 256) for byte in data[first:last])


def first_page_zeroed(data: bytearray, rng: Random) -> None:
    """With it goes all that says which tables there are and where."""
    _write(data, 0, bytes(PAGE_BYTES))


def bit_flipped_in_a_row(data: bytearray, rng: Random) -> None:
    """Somewhere in a reply or what stands beside it: SQLite itself notices few of these."""
    _flip(data, rng, _cell(data, rng, TABLE_LEAF))


def bit_flipped_in_a_long_reply(data: bytearray, rng: Random) -> None:
    """On a page that holds what does not fit on a leaf: SQLite notices none of these."""
    at = rng.choice([at for at in _pages(data) if data[at] not in _KINDS])
    _flip(data, rng, [place for place in range(at + 4, at + PAGE_BYTES) if data[place]])


def bits_flipped_in_an_index(data: bytearray, rng: Random) -> None:
    """Keys that lead to no reply any more, or to another one."""
    for _ in range(3):
        _flip(data, rng, _cell(data, rng, INDEX_LEAF))


def bits_flipped_in_many_rows(data: bytearray, rng: Random) -> None:
    """Fifty, and a page that is lost."""
    for _ in range(50):
        _flip(data, rng, _cell(data, rng, TABLE_LEAF))
    page_of_zeros(data, rng)


def noise(data: bytearray, rng: Random) -> None:
    """Nothing of it is left."""
    data[:] = rng.randbytes(len(data))


def emptied(data: bytearray, rng: Random) -> None:
    """No bytes."""
    data.clear()


SALVAGEABLE: tuple[Damage, ...] = (
    pages_overwritten,
    page_of_zeros,
    two_pages_exchanged,
    truncated,
    header_zeroed,
    header_scribbled,
    first_page_zeroed,
    bit_flipped_in_a_row,
    bit_flipped_in_a_long_reply,
    bits_flipped_in_an_index,
    bits_flipped_in_many_rows,
)
HOPELESS: tuple[Damage, ...] = (noise, emptied)


def _write(data: bytearray, page: int, content: bytes) -> None:
    data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = content


def _flip(data: bytearray, rng: Random, places: Sequence[int]) -> None:
    data[rng.choice(places)] ^= 1 << rng.randrange(8)


def _pages(data: bytearray) -> list[int]:
    """Where each page begins, but the first."""
    return [number * PAGE_BYTES for number in range(1, len(data) // PAGE_BYTES)]


def _cell(data: bytearray, rng: Random, kind: int) -> Sequence[int]:
    """Where a row of the table of replies stands, or an entry of its index: drawn from the pages that hold several."""
    leaves = [at for at in _pages(data) if data[at] == kind and data[at : at + PAGE_BYTES].count(b"JUDGE:") > 2]
    if kind == INDEX_LEAF:
        leaves = [at for at in _pages(data) if data[at] == kind and int.from_bytes(data[at + 3 : at + 5], "big") > 20]
    at = rng.choice(leaves)
    place = at + 8 + 2 * rng.randrange(int.from_bytes(data[at + 3 : at + 5], "big"))
    first = at + int.from_bytes(data[place : place + 2], "big")
    length = 64 if kind == INDEX_LEAF else 250
    return range(first, min(first + length, at + PAGE_BYTES))
