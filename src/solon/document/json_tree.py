"""JSON text to nodes. JSON is nearly YAML, but tabs may indent it, and two surrogate escapes are one character."""

from __future__ import annotations

import json
import re
from bisect import bisect_right

from solon.document.place import Position
from solon.document.scalars import plain
from solon.document.tree import MAX_DEPTH, MAX_VALUES, Mapping, Node, Refused, Scalar, Sequence, too_deep, too_many

_STRINGS = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![0-9.])|true|false|null")


def nodes_of(text: str) -> Node | None:
    """The root of the JSON value in ``text``; ``None`` when it holds nothing.

    Raises:
        Refused: it is not JSON, or is larger or deeper than a document may be.
    """
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.here = 0
        self.count = 0

    def document(self) -> Node | None:
        self._space()
        if self.here == len(self.text):
            return None
        root = self.value(depth=0)
        self._space()
        if self.here < len(self.text):
            raise Refused(self._at(), "more text after the end of the JSON value")
        return root

    def value(self, *, depth: int) -> Node:
        at = self._at()
        self.count += 1
        if self.count > MAX_VALUES:
            raise too_many(at)
        if depth > MAX_DEPTH:
            raise too_deep(at)
        match self.text[self.here : self.here + 1]:
            case "{":
                return Mapping(at, self._pairs(depth))
            case "[":
                return Sequence(at, self._items(depth))
            case '"':
                return Scalar(at, self._string())
            case _:
                return Scalar(at, self._word())

    def _items(self, depth: int) -> list[Node]:
        items: list[Node] = []
        self.here += 1
        self._space()
        while not self._took("]"):
            if items:
                self._expect(",", "',' or ']'")
            items.append(self.value(depth=depth + 1))
            self._space()
        return items

    def _pairs(self, depth: int) -> list[tuple[Node, Node]]:
        pairs: list[tuple[Node, Node]] = []
        self.here += 1
        self._space()
        while not self._took("}"):
            if pairs:
                self._expect(",", "',' or '}'")
            at = self._at()
            if self.text[self.here : self.here + 1] != '"':
                raise Refused(at, "a key in double quotes is expected here")
            key = Scalar(at, self._string())
            self._space()
            self._expect(":", "':'")
            pairs.append((key, self.value(depth=depth + 1)))
            self._space()
        return pairs

    def _string(self) -> str:
        try:
            value, self.here = _STRINGS.raw_decode(self.text, self.here)
        except json.JSONDecodeError as error:
            self.here = min(error.pos, len(self.text))
            raise Refused(self._at(), f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}") from None
        return str(value)

    def _word(self) -> str | int | float | bool | None:
        word = _WORD.match(self.text, self.here)
        if word is None:
            raise Refused(self._at(), "a JSON value is expected here")
        at, self.here = self._at(), word.end()
        try:
            return plain(word[0])
        except ValueError as error:
            raise Refused(at, str(error)) from None

    def _took(self, character: str) -> bool:
        if self.text[self.here : self.here + 1] != character:
            return False
        self.here += 1
        return True

    def _expect(self, character: str, wanted: str) -> None:
        if not self._took(character):
            raise Refused(self._at(), f"{wanted} is expected here")
        self._space()

    def _space(self) -> None:
        space = _SPACE.match(self.text, self.here)
        self.here = space.end() if space else self.here

    def _at(self) -> Position:
        line = bisect_right(self.lines, self.here)
        return line, self.here - self.lines[line - 1] + 1
