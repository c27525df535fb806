"""Texts that nobody has written yet: a mark that stands for so many tokens, wherever it is put.

A plan shows judges responses that are still to be sampled, and critiques answer replies that are still to come.
"""

from __future__ import annotations

import re

CHARACTERS_A_TOKEN = 4.5
"""How many characters a token is on the disk: the upper end for English prose, as room on the disk errs upwards too."""

_MARK = re.compile(r"~unwritten:(\d+):\d+~")


def unwritten(tokens: int, number: int) -> str:
    """A text of so many tokens; texts with different numbers are different."""
    return f"~unwritten:{tokens}:{number}~"


def apart(text: str) -> tuple[str, int]:
    """What stands in a text already, and the tokens that are still to be written into it."""
    if "~unwritten:" not in text:
        return text, 0
    return _MARK.sub("", text), sum(int(tokens) for tokens in _MARK.findall(text))


def size(text: str) -> int:
    """About how many characters a text will have."""
    written, tokens = apart(text)
    return len(written) + round(tokens * CHARACTERS_A_TOKEN)
