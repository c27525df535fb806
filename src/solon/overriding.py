"""One recipe over another: a partial recipe merged over a whole one, and single values from the command line.

The places of what is put in are kept, so that a problem with it is told where it was written: in a set of the file, or
on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from solon.document import Document, Loc, parse
from solon.document.place import Position
from solon.errors import Problem, RecipeError

_OVERRIDE = re.compile(r"^(?P<key>[A-Za-z_][\w-]*(?:\.[\w-]+)*)=(?P<value>.*)$", re.DOTALL)
_STANDS_FOR = {
    "policy": "model",
    "columns": "prompt",
    "label": "kind",
    "train": "kind",
    "canaries": "share",
    "evaluate": "with",
    "against": "model",
}
"""What a value in place of a mapping is short for, by the key under which it stands."""


# ---------------------------------------------------------------- partial recipes


def merged(data: Mapping[str, Any], partial: Mapping[str, Any]) -> dict[str, Any]:
    """A partial recipe over a recipe, as a new mapping; neither of the two is changed.

    Mappings merge key by key; lists and scalars replace what stands there. A mapping whose ``kind`` differs from what
    stands there replaces it whole: settings of one plugin mean nothing to another. A short form (``train: dpo``,
    ``policy: folder``, a list under ``evaluate``) that a mapping is merged over is first written out. A key of the
    recipe itself that is ``None`` in ``partial`` is taken out, so that it has its default; further down, ``None`` is
    the value.
    """
    whole = _over(data, partial)
    return {key: value for key, value in whole.items() if value is not None or key not in partial}


def merged_document(document: Document, at: Loc) -> Document:
    """As ``merged``, the value at ``at`` over the rest of its document; what it says has the place where it says it."""
    whole = replace(document, data=merged(document.data, document.at(at)))
    if isinstance(whole, Overridden):
        whole = replace(whole, below=".".join(map(str, at)) + ".")
    return replace(whole, values=_moved(document.values, at, whole), keys=_moved(document.keys, at, whole))


def written_out(key: str, value: Any) -> Any:
    """The mapping that a short form under ``key`` stands for; any other value as it is."""
    if key not in _STANDS_FOR or value is None or isinstance(value, Mapping):
        return value
    if isinstance(value, list) and key != "evaluate":
        return value
    return {_STANDS_FOR[key]: value}


def _over(here: Mapping[str, Any], partial: Mapping[str, Any]) -> dict[str, Any]:
    result = deepcopy(dict(here))
    for key, value in partial.items():
        below = written_out(str(key), result.get(key)) if isinstance(value, Mapping) else None
        if isinstance(below, Mapping) and ("kind" not in value or value["kind"] == below.get("kind")):
            result[key] = _over(below, value)
        else:
            result[key] = deepcopy(value)
    return result


def _moved(places: Mapping[Loc, Position], at: Loc, whole: Document) -> dict[Loc, Position]:
    """The places of a document in which the value at ``at`` was put over the rest."""
    left = {loc: place for loc, place in places.items() if _is_in(whole, loc)}
    return left | {loc[len(at) :]: place for loc, place in places.items() if loc[: len(at)] == at}


def _is_in(document: Document, loc: Loc) -> bool:
    try:
        document.at(loc)
    except KeyError:
        return False
    return True


# ---------------------------------------------------------------- the command line


def overridden(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of ``data`` with each ``key.path=value`` put in; the value is read as YAML.

    Raises:
        RecipeError: one is not of that form, or leads to where nothing can be set.
    """
    result: dict[str, Any] = deepcopy(dict(data))
    for override in overrides:
        match = _OVERRIDE.match(override)
        if match is None:
            raise RecipeError([Problem("command line", f"{override!r} is not of the form key.path=value")])
        steps = match["key"].split(".")
        here: Any = result
        for depth, (parent, following) in enumerate(pairwise(steps)):
            below = child(here, parent)
            in_list = isinstance(below, list) and _place(following) is not None
            if not in_list and (long := written_out(parent, below)) != below:
                below = here[parent] = long
            if below is None and isinstance(here, dict):
                below = here[parent] = {}
            if not isinstance(below, dict | list):
                done = ".".join(steps[: depth + 1])
                raise RecipeError(
                    [Problem("command line", f"{override!r}: {done!r} is a value and has no settings below")]
                )
            here = below
        value: Any = None
        if match["value"].strip():
            document, problems = parse(match["value"], f"command line, {match['key']}", error=RecipeError)
            if problems:
                raise RecipeError(problems)
            value = document.data
        if isinstance(here, list):
            at = _place(steps[-1])
            if at is None or at >= len(here):
                raise RecipeError(
                    [Problem("command line", f"{override!r}: the list has {len(here)} items, counted from 0")]
                )
            here[at] = value
        else:
            here[steps[-1]] = value
    return result


def child(here: Any, key: str) -> Any:
    """What stands under a key of a mapping or, counted from 0, in a list; ``None`` where nothing does."""
    if isinstance(here, list):
        at = _place(key)
        return here[at] if at is not None and at < len(here) else None
    return here.get(key)


def _place(step: str) -> int | None:
    """The place in a list that a step of a key names, counted from 0."""
    return int(step) if re.fullmatch(r"[0-9]{1,9}", step) else None


@dataclass(frozen=True)
class Overridden(Document):
    """A document with overrides put in, which knows what came from the command line.

    Attributes:
        typed: their keys.
        below: what a key begins with that stands at the root of this document, since that part was merged over it.
    """

    typed: tuple[str, ...] = ()
    below: str = ""

    def place(self, loc: Loc) -> str:
        """As of any document; ``command line, key`` for what was typed there, which stands in no file."""
        return self._typed_place(loc) or super().place(loc)

    def key_place(self, loc: Loc) -> str:
        """As ``place``, of the key."""
        return self._typed_place(loc) or super().key_place(loc)

    def _typed_place(self, loc: Loc) -> str | None:
        steps = tuple(map(str, loc))
        for key in reversed(self.typed):  # the last one counts
            path = tuple((key.removeprefix(self.below) if self.below else key).split("."))
            new = loc not in self.values and path[: len(steps)] == steps
            if new or steps[: len(path)] == path or (*steps, "kind") == path:  # a wrong kind is found at its plugin
                return f"command line, {key}"
        return None
