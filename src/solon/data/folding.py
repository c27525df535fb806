"""Texts as they are compared where spelling does not count: case folded, in one normal form of Unicode."""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import Literal

import regex

# decomposed, these are combining marks, though by their class they are none (UnicodeData.txt)
_MARKS_IN_DISGUISE = str.maketrans({"\u0f73": "\u0f71\u0f72", "\u0f75": "\u0f71\u0f74", "\u0f81": "\u0f71\u0f80"})
_HALF_WIDTH = str.maketrans({"\uff9e": "\u3099", "\uff9f": "\u309a"})
_LONG_RUN = regex.compile(r"[\p{M}\uff9e\uff9f]{128}")


def folded(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """The text with its case folded. ``NFKC`` also evens out what differs in form alone, such as full width.

    Normalised once more after case folding, because folding can leave the normal form (Unicode, D146).
    """
    return _normal(_normal(text, form).casefold(), form)


def _normal(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """``unicodedata.normalize``, which takes the square of the length of a run of combining marks out of order.

    Nobody writes hundreds of them on one letter but to hold up whoever reads it. They are put in order first, which
    changes nothing (Unicode, D109).
    """
    if not text.isascii() and _LONG_RUN.search(text):
        text = text.translate(_MARKS_IN_DISGUISE)
        if form == "NFKC":
            text = text.translate(_HALF_WIDTH)
        runs = groupby(text, key=lambda char: unicodedata.combining(char) > 0)
        # of letters, all are of class 0 and stay as they are
        text = "".join(char for _, run in runs for char in sorted(run, key=unicodedata.combining))
    return unicodedata.normalize(form, text)
