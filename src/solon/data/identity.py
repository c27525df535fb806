"""What makes a record a record: frozen, closed to unknown fields, named by the hash of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

# made once: json.dumps makes one for each call when its settings are not the default
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces, pure ASCII (so that lone surrogates survive): what gets hashed."""
    return _CANONICAL.encode(value)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


class Noun(BaseModel):
    """Base of all that follows: immutable, closed to unknown fields."""

    # what is no number stays what it is: pydantic would write null
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Record(Noun):
    """A noun that is identified by the hash of its content."""

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the record's content."""
        return digest(self.model_dump(mode="json"))[:16]

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and type(self) is type(other) and self.id == other.id

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, and so with an id of its own."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("id", None)  # pydantic copies caches too
        return copy
