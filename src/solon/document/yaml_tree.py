"""YAML text to nodes.

Stands on PyYAML's events and not on its loader: the loader keeps the last of duplicate keys, knows YAML 1.1 only, and
recurses as deep as the file says. The parser in Python is used even where the one in C is installed, so that the same
file gives the same message everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from solon.document.place import Position
from solon.document.scalars import resolve, shown_tag
from solon.document.tree import MAX_DEPTH, MAX_VALUES, Mapping, Node, Refused, Scalar, Sequence, too_deep, too_many


def nodes_of(text: str) -> Node | None:
    """The root of the one document in ``text``; ``None`` when it holds nothing but comments.

    Raises:
        Refused: it is not YAML, holds several documents, or is larger or deeper than a document may be.
    """
    try:
        return _Composer(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        at = (before.count("\n") + 1, error.position - before.rfind("\n"))
        raise Refused(at, f"the character U+{ord(text[error.position]):04X} cannot stand in a YAML file") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what, remedy = _in_words(error.context or "", error.problem or "")
        raise Refused(at, what, remedy) from None


class _Composer:
    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.anchors: dict[str, Node | None] = {}
        self.count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            match event:
                case StreamStartEvent() | StreamEndEvent() | DocumentEndEvent():
                    pass
                case DocumentStartEvent():
                    if root is not None:
                        raise Refused(_at(event), "a second document begins here", "keep one document in a file")
                case _:
                    root = self.node(event, depth=0)
        # PyYAML gives a document of one empty scalar for a lone '---'
        return None if isinstance(root, Scalar) and root.empty else root

    def node(self, event: Event, *, depth: int) -> Node:
        at = _at(event)
        self.count += 1
        if self.count > MAX_VALUES:
            raise too_many(at)
        if depth > MAX_DEPTH:
            raise too_deep(at)
        if isinstance(event, AliasEvent):
            return self._anchored(str(event.anchor), at)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = None  # until it is complete: an alias to it inside itself would be endless
        node = self._fresh(event, at, depth)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _fresh(self, event: Event, at: Position, depth: int) -> Node:
        match event:
            case ScalarEvent():
                return _scalar(event, at)
            case SequenceStartEvent():
                _only_own_tag(event, "tag:yaml.org,2002:seq")
                items = []
                while not isinstance(inner := next(self.events), SequenceEndEvent):
                    items.append(self.node(inner, depth=depth + 1))
                return Sequence(at, items)
            case MappingStartEvent():
                _only_own_tag(event, "tag:yaml.org,2002:map")
                pairs = []
                while not isinstance(inner := next(self.events), MappingEndEvent):
                    key = self.node(inner, depth=depth + 1)
                    pairs.append((key, self.node(next(self.events), depth=depth + 1)))
                return Mapping(at, pairs)
            case _:
                raise AssertionError(f"PyYAML's parser gave {event!r} where a value begins")

    def _anchored(self, anchor: str, at: Position) -> Node:
        if anchor not in self.anchors:
            raise Refused(at, f"*{anchor} refers to nothing", f"define it above with &{anchor}, or quote it")
        node = self.anchors[anchor]
        if node is None:
            raise Refused(at, f"*{anchor} refers to itself")
        return node


def _scalar(event: ScalarEvent, at: Position) -> Scalar:
    quoted = event.style is not None
    try:
        value = resolve(event.value, event.tag, quoted=quoted)
    except ValueError as error:
        raise Refused(at, str(error), "put it in quotes if it is meant as text") from None
    empty = not quoted and event.value == "" and event.tag is None
    return Scalar(at, value, empty=empty, merge=not quoted and event.tag is None and event.value == "<<")


def _only_own_tag(event: MappingStartEvent | SequenceStartEvent, tag: str) -> None:
    if event.tag not in {None, "!", tag}:
        raise Refused(
            _at(event), f"unknown tag {shown_tag(event.tag)!r}: only plain values are read", "take the tag out"
        )


def _at(event: Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _in_words(context: str, problem: str) -> tuple[str, str]:
    """PyYAML's most frequent complaints as a person would put them; the rest as they are."""
    match context, problem:
        case _, "found character '\\t' that cannot start any token":
            return "a tab stands where YAML wants spaces", "indent with spaces"
        case _, str() if problem.startswith("found character"):
            character = problem.split("'")[1]
            return f"unquoted text cannot begin with {character!r}", "put the text in quotes"
        case _, "mapping values are not allowed here":
            return "a second ': ' in one value", "put the text in quotes, or on lines of its own after '|'"
        case _, "could not find expected ':'":
            return "a line without 'key: value'", "indent it if it belongs to the text above"
        case str(), "found unexpected end of stream" if "quoted scalar" in context:
            return "the file ends inside a quoted text", "close the quote"
        case _, str() if problem.endswith("but got '?'"):
            return "unquoted text between brackets cannot hold '?'", "put the text in quotes"
        case _, str() if "flow" in context and problem.endswith("'<stream end>'"):
            return "a bracket is not closed", ""
        case str(), str() if "flow sequence" in context and problem.startswith("expected ',' or ']'"):
            return "a list that began with '[' is not closed, or lacks a comma", _quotes(problem)
        case str(), str() if "flow mapping" in context and problem.startswith("expected ',' or '}'"):
            return "a mapping that began with '{' is not closed, or lacks a comma", _quotes(problem)
        case str(), str() if "block mapping" in context and problem.startswith("expected <block end>"):
            return "this line does not fit the lines above it", "align it with its neighbours, as 'key: value'"

        case str(), str() if "block collection" in context and problem.startswith("expected <block end>"):
            return "this line does not fit the list above", "begin it with '- ', or align it"
        case _:
            said = ", ".join(part for part in (context, problem) if part)
            return f"not YAML: {said}", ""


def _quotes(problem: str) -> str:
    return "text that holds ': ' needs quotes" if problem.endswith("but got ':'") else ""
