"""What pydantic finds wrong, as problems that a person can act on: all of them, each at its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from solon.document.models import field_names, models_at
from solon.document.place import Document, Loc, in_order
from solon.document.words import EXPECTED, in_words
from solon.errors import InputError, Problem

_KEYS = "the keys here are "


def problems_of(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """Every error of a failed ``model.model_validate(document.data)``, at file:line:column and in words.

    Settings of plugins nested in the data are followed: for an unknown key among them the plugin's own fields are
    offered. An error whose ``ctx["error"]`` is a ``ValidationError`` or an ``InputError`` is taken apart; for the
    former, ``ctx["model"]`` may name the class that was validated.
    """
    return list(_each_list_once(in_order(_problems(error, document, _Root(model, ())))))


def _each_list_once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The same keys are not listed at every place where another one stands."""
    listed: set[str] = set()
    for problem in problems:
        hint, _, keys = problem.remedy.partition(_KEYS)
        yield replace(problem, remedy=hint.rstrip()) if keys in listed else problem
        if keys:
            listed.add(keys)


@dataclass(frozen=True)
class _Root:
    """The model that was validated, and where the value that it was validated with stands."""

    model: type[BaseModel]
    loc: Loc


@dataclass(frozen=True)
class _Finding:
    """One pydantic error, with its way through the document.

    Attributes:
        loc: pydantic's, from the root; may hold names of union members, which stand in no file.
        path: the part of it that stands in the document, and for a missing key that key.
    """

    loc: Loc
    path: Loc
    details: Any

    @property
    def type(self) -> str:
        return str(self.details["type"])

    @property
    def in_union(self) -> bool:
        return self.path != self.loc


def _problems(error: ValidationError, document: Document, root: _Root, prefix: Loc = ()) -> Iterator[Problem]:
    findings = []
    for details in error.errors(include_url=False):
        loc = (*prefix, *details["loc"])
        findings.append(_Finding(loc, _path(document, loc, details["type"]), details))
    seen: set[Loc] = set()
    for finding in findings:
        nested = finding.details.get("ctx", {}).get("error")
        match finding.type:
            case _ if isinstance(nested, ValidationError):
                inner = finding.details["ctx"].get("model")
                yield from _problems(nested, document, _Root(inner, finding.loc) if inner else root, finding.loc)
            case _ if isinstance(nested, InputError):
                here = document.place(finding.path)
                yield from (Problem(each.where or here, each.what, each.remedy) for each in nested.problems)
            case "extra_forbidden":
                yield _unknown_key(finding, document, root)
            case "missing":
                yield Problem(document.place(finding.path), f"missing key {finding.path[-1]!r}")
            case _ if finding.in_union and finding.type in EXPECTED:
                if finding.path not in seen and not _a_branch_went_on(finding, findings):
                    seen.add(finding.path)
                    wanted = [other.type for other in findings if other.in_union and other.path == finding.path]
                    yield Problem(document.place(finding.path), *in_words(finding.path, finding.details, wanted))
            case _:
                yield Problem(document.place(finding.path), *in_words(finding.path, finding.details))


def _path(document: Document, loc: Loc, type_: str = "") -> Loc:
    """``loc`` without what does not stand in the document: names of union members, keys that a validator put in."""
    path: Loc = ()
    for number, step in enumerate(loc, 1):
        here = document.at(path)
        known = (isinstance(here, dict) and step in here) or (isinstance(here, list) and _is_index(step, here))
        if known or (type_ == "missing" and number == len(loc)):
            path = (*path, step)
            if not known:
                break
    return path


def _is_index(step: str | int, items: list[Any]) -> bool:
    return isinstance(step, int) and step < len(items)


def _a_branch_went_on(finding: _Finding, findings: list[_Finding]) -> bool:
    """Whether another member of the same union took the value for its own kind and found something inside it wrong."""
    return any(
        other is not finding
        and other.path[: len(finding.path)] == finding.path
        and (len(other.path) > len(finding.path) or other.type not in EXPECTED)
        for other in findings
    )


def _unknown_key(finding: _Finding, document: Document, root: _Root) -> Problem:
    key = str(finding.loc[-1])
    data = document.at(_path(document, root.loc))
    models = models_at(root.model, finding.loc[len(root.loc) : -1], data)
    valid = list(dict.fromkeys(name for each in models for name in field_names(each)))
    return Problem(document.key_place(finding.path), f"unknown key {key!r}", _nearest(key, valid))


def _nearest(key: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(key, valid, n=1)
    hints = [f"did you mean {near[0]!r}?"] if near else []
    if valid:
        hints.append(f"{_KEYS}{', '.join(valid)}")
    return " ".join(hints)
