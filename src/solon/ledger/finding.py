"""What a damaged ledger still holds: every row that can be shown to be as it was written, and how many are missing.

A reply is never changed and never deleted, so one that is found on any page of the file is one that was given: no tree
has to lead to it. It is sound when its key is the hash of its model's description and its request, its checksum fits,
and it says the tokens that stand beside it. Rows of other tables come and go. They are taken from the pages that their
tree leads to, and from others only where the tree is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from solon.ledger.cells import (
    INDEX_INNER,
    INDEX_LEAF,
    TABLE_LEAF,
    Tree,
    Value,
    entries,
    entry_count,
    kind_of,
    rows,
    tree,
)
from solon.ledger.checksums import intact
from solon.ledger.pages import Pages
from solon.ledger.reading import reply_of, request_of
from solon.ledger.rows import UNKNOWN, id_of, key_of

Row = list[Value]

_NONE = type(None)
_SHAPES: dict[str, tuple[type, ...]] = {
    # without the column that a later schema has added at the end
    "models": (str, str, str),
    "replies": (str, str, str, str, str, str, int, int, int, int, float, float),
    "sent": (_NONE, str, str, str, str, str, int, str, str, int, float),
    "budgets": (str, int, int, int),
    "batches": (_NONE, str, object, str, str, str, str, int, str, str, float, object),
}
_LONGER = {"replies", "sent"}
_NAMED = {"models": (0, 16), "replies": (0, 64), "sent": (1, 64), "batches": (1, 16)}
"""Which column names the row, and by how many hexadecimal digits."""


_LEAST_BYTES = 200  # of a reply with its request: the keys alone have 144


@dataclass
class Finds:
    """What was found; of replies, where they are.

    Attributes:
        models: name and description, by id.
        sent, batches: rows by rowid: calls under way and in doubt, and what was handed to providers.
        budgets: cap, spent and reserved, by name.
        broken: the tables of which a page could not be reached, or a row not be read; all, where the log is broken.
        reply_pages: where replies are, in the order in which they were recorded.
        trees: the tables and indexes that the first page names.
    """

    models: dict[str, tuple[str, str]] = field(default_factory=dict)
    sent: dict[int, Row] = field(default_factory=dict)
    batches: dict[int, Row] = field(default_factory=dict)
    budgets: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    reply_pages: list[int] = field(default_factory=list)
    trees: dict[str, Tree] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        """How much was found, to be compared."""
        return len(self.reply_pages) + len(self.models) + len(self.sent) + len(self.batches)


def find(pages: Pages) -> Finds:
    """Reads all of the file but its replies."""
    finds = Finds(trees=_trees(pages))
    # of a broken log some pages are lost, and older ones stand in their place
    reached = {table for table, one in finds.trees.items() if one.whole and not pages.log_broken}
    finds.broken = set(_SHAPES) - reached
    homes = {number: name for name, one in finds.trees.items() if name in _SHAPES for number in one.pages}
    first: dict[int, int] = {}
    for number in range(1, len(pages) + 1):
        if kind_of(pages, number) != TABLE_LEAF:
            continue
        home = homes.get(number, "")
        for rowid, row in rows(pages, number):
            table = _table(row)
            if row is not None and table == "replies":
                first[number] = rowid
                break
            if home and table != home:
                finds.broken.add(home)
            elif row is not None and table and (table == home or table in finds.broken):
                _keep(finds, table, rowid, row)
    finds.reply_pages = sorted(first, key=first.__getitem__)
    return finds


def replies(pages: Pages, finds: Finds) -> Iterator[tuple[int, Row]]:
    """Rowid and row of each sound reply, in the order in which they were recorded."""
    for number in finds.reply_pages:
        for rowid, row in rows(pages, number):
            if row is not None and _table(row) == "replies" and _is_sound(row, finds.models):
                yield rowid, row


def count(pages: Pages, finds: Finds, table: str, index: str, found: Sequence[int]) -> int:
    """How many rows the table had, as far as that can be known, when those with these rowids were found.

    The index of a table has as many entries. Where it is broken too, replies tell by their numbers: they were counted
    up one by one, and none was ever deleted.
    """
    leads = finds.trees.get(index, Tree(whole=False))
    own = [number for number in leads.pages if kind_of(pages, number) in (INDEX_INNER, INDEX_LEAF)]
    if leads.whole:
        return sum(entry_count(pages, number) for number in own)
    numbers = {entry[-1] for number in own for entry in entries(pages, number)}.union(found)
    if table != "replies":
        return len(numbers)
    numbers.add(finds.trees[table].last if table in finds.trees else 0)
    # one that was damaged itself is no number of a reply
    most = len(pages) * pages.size // _LEAST_BYTES
    return max([number for number in numbers if isinstance(number, int) and number <= most], default=0)


def call_is_sound(key: str, model: str, request: str, models: dict[str, tuple[str, str]]) -> bool:
    """Whether the key is that of the call; where nobody knows the model's description any more, whether it may be."""
    if not request.isascii():
        return False
    if model in models:
        return key_of(models[model][1], request) == key
    return _parses(request_of, request)


def _trees(pages: Pages) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for number in sorted(tree(pages, 1).pages) if len(pages) else ():
        for _, row in rows(pages, number) if kind_of(pages, number) == TABLE_LEAF else ():
            match row:
                case ["table" | "index", str(name), str(), int(root), str() | None]:
                    found[name] = tree(pages, root)
    return found


def _table(row: Row | None) -> str:
    """Whose row it is, by its shape; empty where it is nobody's."""
    for table, shape in _SHAPES.items() if row else ():
        assert row is not None
        if len(row) - len(shape) in ((0, 1) if table in _LONGER else (0,)) and _fits(table, shape, row):
            return table
    return ""


def _fits(table: str, shape: tuple[type, ...], row: Row) -> bool:
    kinds = [(int, float) if kind is float else kind for kind in shape]  # SQLite writes a whole float as an int
    if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=False)):
        return False
    column, digits = _NAMED.get(table, (0, 0))
    name = str(row[column])
    return not digits or (len(name) == digits and not set(name) - set("0123456789abcdef"))


def _keep(finds: Finds, table: str, rowid: int, row: Row) -> None:
    values: Sequence[Any] = row
    match table:
        case "models" if values[2].isascii() and id_of(values[2]) == values[0]:
            finds.models[values[0]] = values[1], values[2]
        case "models" if values[2] == UNKNOWN:
            pass  # its description was lost in an earlier salvage
        case "sent":
            finds.sent[rowid] = row
        case "batches":
            finds.batches[rowid] = row
        case "budgets":
            name, cap, spent, reserved = values
            _, spent_too, reserved_too = finds.budgets.get(name, (0, 0, 0))
            finds.budgets[name] = cap, max(spent, spent_too), max(reserved, reserved_too)
        case _:
            finds.broken.add(table)


def _is_sound(row: Row, models: dict[str, tuple[str, str]]) -> bool:
    values: Sequence[Any] = row
    key, model, _, _, request, text, *tokens = values[:9]
    if not intact(values) or not call_is_sound(key, model, request, models):
        return False
    try:
        usage = reply_of(text).usage
    except (ValueError, RecursionError):
        return False
    return [usage.input_tokens, usage.output_tokens, usage.cached_tokens] == tokens


def _parses(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except (ValueError, RecursionError):
        return False
    return True
