"""What a schema cannot say of a constitution: ids that repeat, cases that point nowhere, a scale without a span.

Looks at plain data and not at a validated ``Constitution``, so that these errors come together with the
schema's. Whatever is of the wrong type is passed over: the schema has said so.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from solon.data.records import RatingScale
from solon.document import Document
from solon.errors import Problem

MOST_SCORES = 1000
"""Of a rating scale: each is a choice that a judge is offered."""


def problems(document: Document) -> list[Problem]:
    """Every such error, in the order of the checks."""
    return [*_name(document), *_principles(document), *_cases(document), *_rating(document)]


def _name(document: Document) -> Iterator[Problem]:
    name = document.data.get("name")
    if isinstance(name, str) and not name.strip():
        yield Problem(document.place(("name",)), "a constitution needs a name")


def _principles(document: Document) -> Iterator[Problem]:
    if document.data.get("principles") == []:
        yield Problem(document.place(("principles",)), "a constitution needs at least one principle")
    first: dict[str, int] = {}
    for index, principle in _mappings(document, "principles"):
        id_ = principle.get("id")
        if not isinstance(id_, str):
            continue
        if id_ in first:
            line = document.values["principles", first[id_], "id"][0]
            what = f"duplicate id {id_!r}, first on line {line}"
            yield Problem(document.place(("principles", index, "id")), what, "every principle has an id of its own")
        first.setdefault(id_, index)


def _cases(document: Document) -> Iterator[Problem]:
    ids = [
        principle["id"] for _, principle in _mappings(document, "principles") if isinstance(principle.get("id"), str)
    ]
    for index, case in _mappings(document, "cases"):
        principle, prompt = case.get("principle"), case.get("prompt")
        if isinstance(principle, str) and principle not in ids:
            where = document.place(("cases", index, "principle"))
            yield Problem(where, f"no principle has the id {principle!r}", _nearest(principle, ids))
        if isinstance(prompt, str) and not prompt.strip():
            yield Problem(document.place(("cases", index, "prompt")), "a case needs a prompt")
        better, worse = case.get("better"), case.get("worse")
        if isinstance(better, str) and isinstance(worse, str) and better.strip() == worse.strip():
            where = document.place(("cases", index, "worse"))
            yield Problem(where, "'better' and 'worse' are the same text", "no judge could tell them apart")


def _rating(document: Document) -> Iterator[Problem]:
    rating = document.data.get("rating")
    if not isinstance(rating, dict):
        return
    scale = RatingScale()
    low, high = rating.get("low", scale.low), rating.get("high", scale.high)
    if type(low) is not int or type(high) is not int:
        return
    if low >= high:
        where = document.place(("rating", "high" if "high" in rating else "low"))
        yield Problem(where, f"the rating scale goes from {low} to {high}", "'low' must be below 'high'")
        return
    if high - low >= MOST_SCORES:
        where = document.place(("rating", "high" if "high" in rating else "low"))
        remedy = f"at most {MOST_SCORES:,}; no judge tells so many apart"
        yield Problem(where, f"the rating scale has {high - low + 1:,} scores", remedy)
        return
    meaning = rating.get("meaning")
    for score in meaning if isinstance(meaning, dict) else ():
        if type(score) is int and not low <= score <= high:
            where = document.key_place(("rating", "meaning", score))
            yield Problem(where, f"'meaning' names {score}, and the scale goes from {low} to {high}")


def _mappings(document: Document, key: str) -> Iterator[tuple[int, dict[Any, Any]]]:
    items = document.data.get(key)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield index, item


def _nearest(id_: str, ids: list[str]) -> str:
    near = difflib.get_close_matches(id_, ids, n=1)
    return f"did you mean {near[0]!r}?" if near else f"the ids are {', '.join(ids)}" if ids else ""
