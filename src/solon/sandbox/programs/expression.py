"""Compares two mathematical expressions by value, with math-verify (0.9) and the sympy below it."""

from __future__ import annotations

import logging
import re
from typing import Any

_NAMED = re.compile(r"(?<![\\A-Za-z])(?:(?:arc)?(?:sin|cos|tan)|sinh|cosh|tanh|cot|sec|csc|ln|log|exp|pi)(?![A-Za-z])")
"""Names that LaTeX writes with a backslash; without one it reads sin as s times i times n."""


def prepare() -> None:
    """Loads math-verify, and with one comparison of each kind all that it loads when it is first used."""
    logging.disable(logging.CRITICAL)
    for given, wanted in (("x + x", "2x"), ("(1, 2]", "\\{1\\}"), ("x > 1", "1 < x"), ("\\sqrt{2}", "1.41")):
        run({"given": given, "wanted": wanted})


def run(arguments: dict[str, Any]) -> str:
    """Whether two expressions are equal.

    Args:
        arguments: ``given`` and ``wanted``, in LaTeX or plain, with or without dollar signs around.

    Returns:
        ``equal``, ``different``; ``no reference`` when ``wanted`` is no expression.
    """
    from math_verify import verify

    wanted = _parsed(arguments["wanted"])
    if not wanted:
        return "no reference"
    given = _parsed(arguments["given"])
    # the limits are those of the process
    return "equal" if given and verify(wanted, given, timeout_seconds=None) else "different"


def _parsed(text: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    for mark in ("$", "\\(", "\\)", "\\[", "\\]"):
        text = text.replace(mark, " ")
    latex = _NAMED.sub(r"\\\g<0>", " ".join(text.replace("**", "^").split()))
    found: list[Any] = parse(
        f"${latex}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return found
