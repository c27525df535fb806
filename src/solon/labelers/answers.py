"""Whether a response gives the reference answer."""

from __future__ import annotations

import re
from typing import Literal, assert_never

from solon.data.folding import folded
from solon.labelers.patterns import search

AnswerMatch = Literal["contains", "exact"]
_QUOTES = " \t\n\"'`*“”‘’"
_FINAL = _QUOTES + ".,;:!?"


def normalised(text: str) -> str:
    """Text as answers are compared: case folded, one space between words, no quotes around it, no final stop."""
    return " ".join(folded(text, "NFC").split()).lstrip(_QUOTES).rstrip(_FINAL)


def extracted(expression: str, text: str) -> str | None:
    """What an expression's first group finds first, or all that it matches if it has none; ``None`` for nothing.

    Raises:
        PatternTimeout: it takes too long on this text.
    """
    found = search(expression, text)
    if found is None:
        return None
    what: str | None = found[1] if found.re.groups else found[0]
    return what


def gives_answer(text: str, reference: str, match: AnswerMatch, extract: str | None = None) -> bool:
    """Whether a response is the reference answer, or contains it as whole words, both normalised.

    A number is whole only with its sign and its decimals: neither ``-5`` nor ``3.5`` nor ``1,500`` contains ``5``.

    Args:
        text: the response.
        reference: the right answer.
        match: ``contains`` it as whole words, or is ``exact``-ly it.
        extract: a regular expression; what its first group (all of it, if it has none) finds first is compared in place
            of the whole response. A response in which it finds nothing gives no answer.

    Raises:
        ValueError: nothing is left of the reference answer when it is normalised.
        PatternTimeout: the expression takes too long on this response.
    """
    wanted = normalised(reference)
    if not wanted:
        raise ValueError(f"the reference answer {reference!r} is empty")
    if extract is not None:
        text = extracted(extract, text) or ""
    given = normalised(text)
    match match:
        case "exact":
            return given == wanted
        case "contains":
            before = r"(?<![\w−-])(?<!\d[.,])" if wanted[0].isdigit() else r"(?<!\w)"
            after = r"(?!\w)(?![.,]\d)" if wanted[-1].isdigit() else r"(?!\w)"
            return re.search(before + re.escape(wanted) + after, given) is not None
        case _:
            assert_never(match)
