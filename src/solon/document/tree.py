"""A document before it is plain data: nodes with their places, and the rules that turn them into data.

Both readers, YAML and JSON, build these nodes. ``expand`` follows aliases and merges, so it is where duplicate keys
are found and where a small file that unfolds into a huge one is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, assert_never

from solon.document.place import Document, Loc, Position
from solon.errors import Problem

MAX_DEPTH = 64
"""How deep lists and mappings may nest. Nothing a person writes comes near; Python's own limit is about 1,000."""
MAX_VALUES = 100_000
"""How many values a document may hold once its aliases are expanded."""


@dataclass(frozen=True, eq=False)
class Scalar:
    """Text, a number, a boolean or nothing. ``empty`` is a value that was left out (``key:`` and no more)."""

    at: Position
    value: Any
    empty: bool = False
    merge: bool = False


@dataclass(frozen=True, eq=False)
class Sequence:
    """A list."""

    at: Position
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Mapping:
    """Pairs of key and value, in their order and before duplicates are looked for."""

    at: Position
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


class Refused(Exception):
    """Nothing can be read on from here. Never leaves the package: the reader turns it into the caller's error."""

    def __init__(self, at: Position, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.at = at
        self.what = what
        self.remedy = remedy


def too_deep(at: Position) -> Refused:
    """The refusal of a document that nests too deep."""
    return Refused(at, f"lists and mappings nest more than {MAX_DEPTH} deep here")


def too_many(at: Position) -> Refused:
    """The refusal of a document that holds too much."""
    return Refused(at, f"the file holds more than {MAX_VALUES:,} values, its aliases (*name) expanded")


def expand(root: Node, name: str) -> tuple[Document, list[Problem]]:
    """Plain data with the place of each value, and every duplicate or impossible key.

    Raises:
        Refused: too deep or too many values.
    """
    expansion = _Expansion(name)
    data = expansion.value(root, ())
    return Document(name, data, expansion.values, expansion.keys), expansion.problems


class _Expansion:
    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[Loc, Position] = {}
        self.keys: dict[Loc, Position] = {}
        self.problems: list[Problem] = []
        self.count = 0

    def value(self, node: Node, loc: Loc) -> Any:
        self._one_more(node)
        if len(loc) > MAX_DEPTH:
            raise too_deep(node.at)
        # an empty value has no place that a person could point at: its key stands for it
        empty = isinstance(node, Scalar) and node.empty
        self.values[loc] = self.keys.get(loc, node.at) if empty else node.at
        match node:
            case Scalar():
                return node.value
            case Sequence():
                return [self.value(item, (*loc, index)) for index, item in enumerate(node.items)]
            case Mapping():
                result: dict[str | int, Any] = {}
                for key, at, value in self.pairs(node, depth=len(loc)):
                    self.keys[*loc, key] = at
                    result[key] = self.value(value, (*loc, key))
                return result
            case _:
                assert_never(node)

    def pairs(self, mapping: Mapping, *, depth: int) -> Iterator[tuple[str | int, Position, Node]]:
        """The mapping's own pairs, then those it merges in (``<<``) and does not have itself."""
        if depth > MAX_DEPTH:
            raise too_deep(mapping.at)
        own: dict[str | int, Position] = {}
        merged: list[Node] = []
        for key, value in mapping.pairs:
            if isinstance(key, Scalar) and key.merge:
                merged.extend(value.items if isinstance(value, Sequence) else [value])
                continue
            name = self._key(key)
            if name is None:
                continue
            if name in own:
                what = f"duplicate key {name!r}, first on line {own[name][0]}"
                self._problem(key.at, what, "keep one of the two")
                continue
            own[name] = key.at
            yield name, key.at, value
        for source in merged:
            if not isinstance(source, Mapping):
                self._problem(source.at, "'<<' merges mappings only")
                continue
            for name, at, value in self.pairs(source, depth=depth + 1):
                self._one_more(value)
                if name not in own:
                    own[name] = at
                    yield name, at, value

    def _key(self, key: Node) -> str | int | None:
        if isinstance(key, Scalar) and isinstance(key.value, str | int) and not isinstance(key.value, bool):
            return key.value
        self._problem(key.at, "a key must be text or a whole number", "put it in quotes")
        return None

    def _one_more(self, node: Node) -> None:
        self.count += 1
        if self.count > MAX_VALUES:
            raise too_many(node.at)

    def _problem(self, at: Position, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.name}:{at[0]}:{at[1]}", what, remedy))
