r"""Numbers as people and models write them, read exactly or not at all.

``1,000`` = ``1000`` = ``1e3`` = ``10^3`` = ``1{,}000`` = ``1 thousand``; ``0.5`` = ``.5`` = ``1/2`` = ``½`` =
``\frac{1}{2}``; ``1 1/2`` = ``1.5``; ``-5`` with any minus. What stands around a number (currency, units, words) is not
part of it. Digits that could be two numbers, or are part of something bigger, are *unreadable*: ``3,5``, ``1.2.3``,
``12:30``, ``3-5``, ``2^10``, ``5x``, ``5k``, ``1 000``, ``3 + 5``, ``sqrt(2)``. Digits in a word, a name or a unit
(``CO2``, ``GPT-4``, ``m^2``) are no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from solon.labelers.math_text import GROUPS, PART, plainly

_LONGEST = 1000
"""Digits of a number, and the largest exponent of ten: beyond, nobody means a number."""

_DELIMITERS = r"=<>()\[\]{}$€£¥₹|\"“”`;&"
_TOKEN = re.compile(rf"[^\s{_DELIMITERS}]+|[{_DELIMITERS}\n]")
_DIGIT = re.compile(r"[0-9]")
_DECORATION = "*_.,;:!?'‘’#\\"
_MANTISSA = rf"(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,3}}(?:{GROUPS}\d{{3}})+|\d+)(?:\.\d+)?|\.\d+"
_UNIT = (
    # two letters and more, but those that multiply; or one that stands for nothing else; then powers and divisions
    r"(?:-?(?!(?:bn|mn|tn|mil)(?![^\W\d_]))[^\W\d_]{2,}|[mgshlJNWVCF](?![^\W\d_])|°[CFK]?(?![^\W\d_])|/[^\W\d_]{2,})"
    r"(?:\^?-?\d)?(?:[/.-][^\W\d_]+(?:\^?-?\d)?)*"
)
_NUMBER = re.compile(
    rf"(?P<sign>[-+])?(?:10\^(?P<power>[-+]?\d+)|(?P<mantissa>{_MANTISSA})"
    rf"(?:(?:[eE]|×10\^)(?P<exponent>[-+]?\d+))?(?:/(?P<divisor>{_MANTISSA}))?)(?P<percent>%)?(?:{_UNIT})?"
)
_NAME = re.compile(r"[-+]?(?:[^\W\d_]|\\[A-Za-z])")
_PROPER_FRACTION = re.compile(r"(\d{1,9})/(\d{1,9})")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


@dataclass(frozen=True)
class Number:
    """One number of a text.

    Attributes:
        value: exactly; of ``50 %`` it is 50.
        percent: whether it is followed by ``%`` or "percent".
        text: as it was written, more or less.
    """

    value: Fraction
    percent: bool
    text: str


@dataclass(frozen=True)
class Unreadable:
    """Digits that could be two numbers, or are part of something bigger, as they were written, more or less."""

    text: str


@dataclass(frozen=True)
class _Token:
    text: str
    start: int
    end: int

    @property
    def has_digit(self) -> bool:
        return _DIGIT.search(self.text) is not None


_NOTHING = _Token("", -1, -1)


def numbers_in(text: str) -> Iterator[Number | Unreadable]:
    """Every number of a text, in order, and everything that could be taken for one."""
    tokens = [_Token(found[0], found.start(), found.end()) for found in _TOKEN.finditer(plainly(text))]
    place = 0
    while place < len(tokens):
        first = place
        read, place = _at(tokens, place)
        if read is not None:
            yield _among(read, tokens, first, place)


def only_number(text: str) -> Number | Unreadable | None:
    """The number of a text that has exactly one; ``Unreadable`` when there are several, ``None`` when there is none."""
    found = list(numbers_in(text))
    if len(found) > 1:
        return Unreadable(text.strip()[:60])
    return found[0] if found else None


def last_number(text: str) -> Number | Unreadable | None:
    """The last number of a text. Where the last that could be one cannot be read, no earlier one takes its place."""
    found = list(numbers_in(text))
    return found[-1] if found else None


def _at(tokens: Sequence[_Token], place: int) -> tuple[Number | Unreadable | None, int]:
    """What stands at a place, and where to go on: after it, and after all that belongs to it."""
    here = tokens[place]
    if not here.has_digit:
        return None, place + 1
    bare = _bare(here.text)
    if _NAME.match(bare):
        return None, place + 1
    after = _token(tokens, place + 1)
    if re.fullmatch(r"[-+]?\d{1,9}", bare) and bare == here.text:
        fraction = _PROPER_FRACTION.match(after.text)
        if fraction and int(fraction[1]) < int(fraction[2]):
            part = _read(_bare(after.text))
            if isinstance(part, Number):
                value = abs(int(bare)) + part.value
                whole = replace(part, value=-value if bare.startswith("-") else value, text=f"{bare} {part.text}")
                return whole, place + 2
        end = place + 1
        while re.fullmatch(r"\d{3}", _bare(_token(tokens, end).text)):
            end += 1
        if end > place + 1 and len(bare.lstrip("-+")) <= 3:
            # 1 000: one number or two
            return Unreadable(" ".join(token.text for token in tokens[place:end])), end
    return _read(bare), place + 1


def _bare(token: str) -> str:
    """A token without what decorates it; the point of ``.5`` is part of it."""
    bare = token.strip(_DECORATION)
    before = token[: len(token) - len(token.lstrip(_DECORATION))]
    return f".{bare}" if before.endswith(".") and bare[:1].isdigit() else bare


def _read(bare: str) -> Number | Unreadable:
    """A token as a number."""
    found = _NUMBER.fullmatch(bare) if len(bare) <= _LONGEST else None
    if found is None:
        return Unreadable(bare[:60])
    power = int(found["power"] or found["exponent"] or 0)
    divisor = _decimal(found["divisor"] or "1")
    if abs(power) > _LONGEST or not divisor:
        return Unreadable(bare[:60])
    value = _decimal(found["mantissa"] or "1") * Fraction(10) ** power / divisor
    return Number(-value if found["sign"] == "-" else value, found["percent"] is not None, bare)


def _decimal(text: str) -> Fraction:
    return Fraction(text.replace(",", "").replace(GROUPS, ""))


def _among(read: Number | Unreadable, tokens: Sequence[_Token], first: int, end: int) -> Number | Unreadable:
    """What it is among its neighbours: an operand is no answer, a word may multiply it, a minus may stand apart."""
    if isinstance(read, Unreadable):
        return read
    before, after = _token(tokens, first - 1), _token(tokens, end)
    before_that, after_that = _token(tokens, first - 2), _token(tokens, end + 1)
    if before.text == "-" and before_that.text in {"=", "("}:
        return replace(read, value=-read.value, text=f"-{read.text}")
    in_a_call = before.text == "(" and before_that.end == before.start and before_that.text[-1:].isalnum()
    beside_a_bracket = (before.text == ")" and before.end == tokens[first].start) or (
        after.text == "(" and after.start == tokens[end - 1].end
    )
    signed_operand = read.text[0] in "-+" and before.has_digit
    multiplied = re.match(rf"\\[A-Za-z]|{PART}", after.text) is not None
    if (
        in_a_call
        or beside_a_bracket
        or signed_operand
        or multiplied
        or _joins(before.text, before_that)
        or _joins(after.text, after_that)
    ):
        return Unreadable(" ".join(token.text for token in tokens[max(first - 2, 0) : end + 2])[:60])
    scale = _SCALES.get(_bare(after.text).lower())
    return read if scale is None else replace(read, value=read.value * scale, text=f"{read.text} {after.text}")


def _joins(operator: str, other: _Token) -> bool:
    """Whether an operator joins a number to what is on its other side. A dash or a star may be no operator."""
    if operator in {"-", "x", "X"}:
        return other.has_digit
    return operator in {"+", "×", "÷", "*", "/", "^"} and (
        other.has_digit or other.text in {"(", ")"} or len(other.text) == 1
    )


def _token(tokens: Sequence[_Token], place: int) -> _Token:
    return tokens[place] if 0 <= place < len(tokens) else _NOTHING


def as_number(text: str) -> Number | None:
    """The number that a text is, currency aside; ``None`` for anything more, a unit too."""
    found = list(numbers_in(text))
    if len(found) != 1 or not isinstance(found[0], Number):
        return None
    rest = plainly(text).replace(found[0].text, "", 1)
    return None if re.sub(r"[\s$€£¥₹.]", "", rest) or re.search(_UNIT + r"$", found[0].text) else found[0]
