"""Keys that stand where their names belong: a recipe is committed, hashed, and copied into each run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from solon.document.place import Document
from solon.errors import Problem
from solon.keys import held, secret_in

_IS_A_SECRET = re.compile(
    r"(^|[_-])(api[_-]?key|secret|password|passwd|(access|auth|bearer)[_-]?token|authorization|credentials?)$",
    re.IGNORECASE,
)
_REMEDY = "take it out, put it into an environment variable, and write that variable's name (`api_key_env: NAME`)"


def keys_within(document: Document) -> list[Problem]:
    """Every secret of a document at its place. Says where, and never what."""
    found, secrets = [], held()
    for loc, value in _texts(document.data, ()):
        if what := _secret(loc, value, secrets):
            found.append(Problem(document.place(loc), f"{what} stands here", _REMEDY))
    return found


def _secret(loc: tuple[str | int, ...], value: str, secrets: Mapping[str, str]) -> str:
    if what := secret_in(value, secrets):
        return what
    named = next((step for step in reversed(loc) if isinstance(step, str)), "")
    return f"a value for {named!r}" if value.strip() and _IS_A_SECRET.search(named) else ""


def _texts(value: Any, loc: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield loc, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, (*loc, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*loc, number))
