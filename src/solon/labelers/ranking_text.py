"""A ranking in words: how a judge is asked for one, and how its reply is read, strictly or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any, TypeAlias

from solon.data.records import Message, Question
from solon.labelers.json_text import json_object, object_schema
from solon.labelers.prompt import Form, Ties, conversation, fill, material, principles_text, template

LETTERS = ascii_uppercase
"""The names of the options in the order in which they are shown."""

Places: TypeAlias = tuple[tuple[int, ...], ...]
"""A ranking: the best place first, at each place the options that share it, by their numbers in the order shown."""

_LINE = re.compile(r"[A-Z](?:[ \t]*[>=][ \t]*[A-Z])*")
_EXAMPLES = {
    ("line", "forced"): "B > A > C",
    ("line", "allowed"): "B > A = C",
    ("json", "forced"): '[["B"], ["A"], ["C"]]',
    ("json", "allowed"): '[["B"], ["A", "C"]]',
}


def ranking_messages(question: Question, *, ties: Ties, form: Form) -> tuple[Message, ...]:
    """The conversation that asks for a ranking of all options, in the order in which they stand in the question."""
    shown = material(question)
    written = "json" if form in ("json", "json_reasoning") else "line"
    system = fill(
        template("ranking_system"),
        principles=principles_text(question.principles),
        ties=template(f"ranking_{ties}"),
        form=fill(template(f"ranking_answer_{form}"), example=_EXAMPLES[written, ties]),
    )
    sections = "\n".join(
        f"[{shown.code} {letter}]\n{text}" for letter, text in zip(LETTERS, shown.options, strict=False)
    )
    user = fill(template("ranking_user"), code=shown.code, prompt=shown.prompt, responses=sections)
    return conversation(system, user)


def ranking_schema(n: int, *, with_reasoning: bool) -> dict[str, Any]:
    """The JSON Schema of an object that holds a ranking of n options, after the judge's reasoning or alone."""
    place = {"type": "array", "items": {"type": "string", "enum": list(LETTERS[:n])}}
    before: dict[str, Any] = {"reasoning": {"type": "string"}} if with_reasoning else {}
    return object_schema({**before, "ranking": {"type": "array", "items": place}})


def ranking_of_line(text: str, n: int, ties: Ties) -> Places | None:
    """The ranking that the last line of ``text`` that is not empty consists of: ``B > A > C``, each letter once.

    White space between letters and signs does not count; all else does. ``=`` is read only where ties are allowed. A
    reply in which another line is a different ranking says neither.
    """
    lines = [said for line in text.split("\n") if (said := line.strip(" \t\r"))]
    if not lines:
        return None
    told = [_places_of_line(line, n, ties) for line in lines]
    if told[-1] is None or any(other is not None and other != told[-1] for other in told):
        return None
    return told[-1]


def ranking_of_json(text: str, n: int, ties: Ties, *, with_reasoning: bool) -> tuple[Places, str | None] | None:
    """Ranking and reasoning of a text that is one object as the schema wants it, and ``None`` for any other."""
    given = json_object(text, ("reasoning", "ranking") if with_reasoning else ("ranking",))
    if given is None:
        return None
    places, why = given["ranking"], given.get("reasoning")
    if with_reasoning and not isinstance(why, str):
        return None
    if not isinstance(places, list) or not all(isinstance(place, list) for place in places):
        return None
    read = _places(places, n, ties)
    return None if read is None else (read, why)


def shares_of(places: Places) -> tuple[float, ...]:
    """For each option the share of the others that it is ranked above, sharing a place being half."""
    n = sum(map(len, places))
    shares = [0.0] * n
    below = n
    for place in places:
        below -= len(place)
        for option in place:
            shares[option] = (below + (len(place) - 1) / 2) / (n - 1)
    return tuple(shares)


def _places_of_line(line: str, n: int, ties: Ties) -> Places | None:
    if _LINE.fullmatch(line) is None:
        return None
    places = [[letter.strip(" \t") for letter in place.split("=")] for place in line.split(">")]
    return _places(places, n, ties)


def _places(places: Sequence[Sequence[Any]], n: int, ties: Ties) -> Places | None:
    """The places by numbers, each place in order; ``None`` unless every letter stands there once."""
    named = [letter for place in places for letter in place]
    if not all(isinstance(letter, str) for letter in named) or sorted(named) != list(LETTERS[:n]):
        return None
    if any(len(place) != 1 if ties == "forced" else not place for place in places):
        return None
    return tuple(tuple(sorted(LETTERS.index(letter) for letter in place)) for place in places)
