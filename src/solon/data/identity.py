"""What makes a record a record: frozen, closed to unknown fields, named by the hash of its content."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from json.encoder import encode_basestring_ascii
from types import NoneType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from solon.data.showing import line_of, table_of

# made once: json.dumps makes one for each call when its settings are not the default
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


_AT_ONCE = 2047
"""Bytes. Of more, ``hashlib`` gives Python's global lock away, and waits to get it back from whoever took it: with the
ledger's thread at work that takes ten times as long as the hash."""

_LONG = 150
"""Characters."""


def sha256_of(content: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    hashed = hashlib.sha256(content[:_AT_ONCE])
    for start in range(_AT_ONCE, len(content), _AT_ONCE):
        hashed.update(content[start : start + _AT_ONCE])
    return hashed.hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces, pure ASCII (so that lone surrogates survive): what gets hashed."""
    return _CANONICAL.encode(value)


def quoted(text: str) -> str:
    """``canonical(text)``."""
    # of a long text pydantic's writer takes a quarter of the time, and leaves these as they are
    if len(text) < _LONG or not text.isascii() or "\x7f" in text:
        return encode_basestring_ascii(text)
    return to_json(text).decode("ascii")


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 64 hexadecimal digits."""
    return sha256_of(canonical(value).encode("ascii"))


def canonical_of(model: BaseModel) -> str:
    """``canonical(model.model_dump(mode="json"))`` at half its price, since it is made several times for each reply."""
    text = _written(model)
    return canonical(model.model_dump(mode="json")) if text is None else text


def _written(model: BaseModel) -> str | None:
    """``None`` for what holds anything but texts, numbers, tuples and models, such as a mapping."""
    parts = []
    values = model.__dict__
    for name, key, usual, as_usual in _keys(type(model)):
        value = values[name]
        if value is usual:
            parts.append(as_usual)
            continue
        text = (_WRITERS.get(value.__class__) or _nested)(value)
        if text is None:
            return None
        parts.append(key + text)
    return f"{{{','.join(parts)}}}"


def _nested(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return _written(value)
    if value.__class__ is not tuple:
        return None
    texts = []
    for item in value:
        text = (_WRITERS.get(item.__class__) or _nested)(item)
        if text is None:
            return None
        texts.append(text)
    return f"[{','.join(texts)}]"


_NO_DEFAULT = object()


@cache
def _keys(kind: type[BaseModel]) -> tuple[tuple[str, str, object, str], ...]:
    """Each field with the beginning of its JSON, its default, and its JSON then, in the order of the names there.

    Most fields of most records hold the very object that is their default.
    """
    by_alias = kind.model_config.get("serialize_by_alias", False)
    keys = {name: (by_alias and field.serialization_alias) or name for name, field in kind.model_fields.items()}
    found = []
    for name, key in sorted(keys.items(), key=lambda item: item[1]):
        usual: Any = kind.model_fields[name].default
        text = (_WRITERS.get(usual.__class__) or _nested)(usual) if _never_changes(usual) else None
        found.append((name, f'"{key}":', _NO_DEFAULT if text is None else usual, f'"{key}":{text}'))
    return tuple(found)


def _never_changes(value: Any) -> bool:
    """Whether it is a text, a number, or made of nothing but these, and frozen."""
    if isinstance(value, BaseModel):
        fields, held = type(value).model_fields, value.__dict__
        frozen = value.model_config.get("frozen", False)
        return frozen and all(name in held and _never_changes(held[name]) for name in fields)
    if value.__class__ is tuple:
        return all(map(_never_changes, value))
    return value.__class__ in _WRITERS


_WRITERS: dict[type, Callable[[Any], str | None]] = {
    str: quoted,
    int: repr,
    float: lambda value: float.__repr__(value) if math.isfinite(value) else None,
    bool: lambda value: "true" if value else "false",
    NoneType: lambda _: "null",
}


class Noun(BaseModel):
    """Base of all that follows: immutable, closed to unknown fields."""

    # what is no number stays what it is: pydantic would write null
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What is worth reading on a line: ``solon.data.showing`` says."""
        return line_of(self)

    def _repr_html_(self) -> str | None:
        """What a notebook shows in place of the line, where a table says more."""
        return table_of(self)


class Record(Noun):
    """A noun that is identified by the hash of its content."""

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the record's content."""
        return sha256_of(canonical_of(self).encode("ascii"))[:16]

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and type(self) is type(other) and self.id == other.id

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, and so with an id of its own."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("id", None)  # pydantic copies caches too
        return copy
