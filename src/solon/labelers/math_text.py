"""Mathematics in running text: what is boxed, and numbers in LaTeX or Unicode written as plainly as they can be."""

from __future__ import annotations

import re
import unicodedata

GROUPS = "\ue000"
"""Stands for a space between digits that groups them: thin, narrow or not to be broken, or one of LaTeX's."""
PART = "√"
"""Stands before what a number can only be a part of: roots, and fractions of more than numbers."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_SAME = str.maketrans("−–﹣－⁄∕％٪·⋅≈≃—", "----//%%××== ")
_SUPERSCRIPT = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))
_REWRITTEN = [
    # first, so that no expression below can try many ways to divide a run of spaces; some make new ones, and two that
    # could then try many give nothing back
    (re.compile(r"[^\S\n]+"), " "),
    (re.compile(r"\s*\n\s*"), "\n"),
    (re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mathsf|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\(?:left|right|displaystyle|[bB]ig[lr]?)(?![A-Za-z])|\\!"), ""),
    (re.compile(r"\\[,;:]"), GROUPS),
    (re.compile(r"\\q?quad(?![A-Za-z])|\\ |~"), " "),
    (re.compile(rf"(?<!\d){GROUPS}|{GROUPS}(?!\d{{3}}(?!\d))"), " "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\([$%#&])"), r"\1"),
    (re.compile(r"\^\s*+\{?+\s*+\\(?:circ|degree)(?![A-Za-z])\s*\}?|\\(?:degree|circ)(?![A-Za-z])"), "°"),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])"), "×"),
    (re.compile(r"\\div(?![A-Za-z])"), "÷"),
    (re.compile(r"\\(?:approx|sim|simeq|equiv|leq?|geq?|neq?|to|implies|therefore|[rR]ightarrow)(?![A-Za-z])"), " = "),
    (re.compile(r"\\[dt]?frac\s*\{\s*([-+]?[\d.,]+)\s*\}\s*\{\s*([\d.,]+)\s*\}"), r" \1/\2 "),
    (re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)"), r" \1/\2 "),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), rf" {PART}\1/\2 "),
    (re.compile(r"\\sqrt\s*+(?:\[[^\[\]]*\]\s*+)?\{([^{}]*)\}|\\sqrt\s*"), rf"{PART}\1"),
    (re.compile(r"([_^])\s*[{(]\s*([-+]?\w+)\s*[})]"), r"\1\2"),
    (re.compile(r"\*\*(?=-?\d)(?<=[\d)]\*\*)"), "^"),
    (re.compile(r"(?<=\d)\s*[×xX*]\s*10\s*\^\s*(?=[-+]?\d)"), "×10^"),
    (re.compile(r"(?<=\d)\s*/\s*(?=\d)"), "/"),
    (re.compile(r"(?<=\d)\s*(?:%|per\s?cent\b)", re.IGNORECASE), "%"),
    (re.compile(r"(?<!\d)\.{2,}|\.{2,}(?!\d)"), " "),
    (re.compile(r"-\s?([$€£¥₹])\s?(?=[\d.])"), r"\1-"),
    # a comma or colon between digits is left: it may belong to them
    (re.compile(r"([,:])(?!\d)|(?<!\d)([,:])"), r" \1\2 "),
]


def last_boxed(text: str) -> str | None:
    r"""What the last ``\boxed{...}`` of a text holds; ``None`` when there is none or it is not closed."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    begins = boxes[-1].end()
    depth = 1
    for place in range(begins, len(text)):
        if text[place] in "{}" and text[place - 1] != "\\":
            depth += 1 if text[place] == "{" else -1
            if not depth:
                return text[begins:place]
    return None


def plainly(text: str) -> str:
    """The same numbers in fewer ways to write them: ASCII digits, one minus, ``a/b``, ``^n``, ``×10^n``, ``n%``."""
    plain = text if text.isascii() else _in_ascii(text)
    for pattern, replacement in _REWRITTEN:
        plain = pattern.sub(replacement, plain)
    return plain


def _in_ascii(text: str) -> str:
    """The digits, fractions, exponents, spaces and operators of Unicode as those of ASCII; the rest as it is."""
    out: list[str] = []
    before = ""
    for char in text:
        if char in _SUPERSCRIPT:
            out.append(_SUPERSCRIPT[char] if before in _SUPERSCRIPT else f"^{_SUPERSCRIPT[char]}")
        elif char.isascii():
            out.append(char)
        elif char.isdecimal():
            out.append(str(unicodedata.decimal(char)))
        elif unicodedata.decomposition(char).startswith("<fraction>"):
            # 1½ is a mixed number
            out.append(f" {unicodedata.normalize('NFKC', char)}")
        elif unicodedata.category(char) == "Zs":
            out.append(GROUPS)
        else:
            out.append(char)
        before = char
    return "".join(out).translate(_SAME)
