"""Plain values as JSON, exactly: how a child says what a value is, and how that is compared with what was expected.

A value is null, true, false, a string, or a list that begins with what it is: ``i`` whole number (hexadecimal), ``f``
float (hexadecimal), ``q`` fraction, ``c`` complex, ``y`` bytes (hexadecimal), ``l`` list, ``t`` tuple, ``s`` set, ``d``
mapping (pairs). Whoever compares never makes a value of what a child said, except numbers, and so cannot be hurt by it.
"""

from __future__ import annotations

import decimal
import numbers
from fractions import Fraction
from typing import Any

_LONGEST_FRACTION = 20_000
"""Hexadecimal digits: to reduce a fraction takes the square of its length."""


def encoded(value: Any) -> Any:
    """A value as JSON.

    Raises:
        TypeError: it holds something that is not plain.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list | tuple | set | frozenset):
        kind = "l" if isinstance(value, list) else "t" if isinstance(value, tuple) else "s"
        return [kind, [encoded(item) for item in value]]
    if isinstance(value, dict):
        return ["d", [[encoded(key), encoded(item)] for key, item in value.items()]]
    if isinstance(value, bytes | bytearray):
        return ["y", bytes(value).hex()]
    return _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, numbers.Integral):
        return ["i", format(int(value), "x")]
    if isinstance(value, decimal.Decimal) and value.is_finite():
        value = Fraction(value)
    if isinstance(value, numbers.Rational):
        return ["q", format(int(value.numerator), "x"), format(int(value.denominator), "x")]
    if isinstance(value, numbers.Real | decimal.Decimal):
        return ["f", float(value).hex()]
    if isinstance(value, numbers.Complex):
        plain = complex(value)
        return ["c", plain.real.hex(), plain.imag.hex()]
    raise TypeError(f"a {type(value).__name__} is not a plain value, so it cannot be compared")


def equals(claim: Any, expected: Any) -> bool:
    """Whether what a child said is this plain value, as ``==`` has it.

    Raises:
        ValueError: it said nothing of the kind that ``encoded`` says.
    """
    if claim is None or expected is None:
        return claim is None and expected is None
    if isinstance(claim, str) or isinstance(expected, str):
        return isinstance(claim, str) and isinstance(expected, str) and claim == expected
    if isinstance(claim, bool):
        return _is_number(expected) and bool(claim == expected)
    kind, contents = _parts(claim)
    match kind:
        case "i" | "f" | "q" | "c":
            return _is_number(expected) and bool(_as_number(kind, contents) == expected)
        case "y":
            return isinstance(expected, bytes | bytearray) and contents == [bytes(expected).hex()]
        case "l" | "t":
            items = _list(contents)
            if not isinstance(expected, list if kind == "l" else tuple) or len(items) != len(expected):
                return False
            return all(map(equals, items, expected))
        case "s":
            items = _list(contents)
            return isinstance(expected, set | frozenset) and _as_sets(items, list(expected), equals)
        case "d":
            items = _list(contents)
            return isinstance(expected, dict) and _as_sets(items, list(expected.items()), _equal_pairs)
        case _:
            raise ValueError(f"no value is a {kind!r}")


def number(claim: Any) -> Any:
    """The number that a child said: whole, float, fraction, complex, or true and false as 1 and 0.

    Raises:
        ValueError: it said something else.
    """
    if isinstance(claim, bool):
        return int(claim)
    kind, contents = _parts(claim)
    if kind not in {"i", "f", "q", "c"}:
        raise ValueError(f"no number is a {kind!r}")
    return _as_number(kind, contents)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | complex)


def _as_sets(items: list[Any], expected: list[Any], same: Any) -> bool:
    """Whether each item is one of those expected and each of those an item."""
    if len(items) != len(expected):
        return False
    for item in items:
        place = next((place for place, other in enumerate(expected) if same(item, other)), None)
        if place is None:
            return False
        del expected[place]
    return True


def _equal_pairs(claim: Any, expected: tuple[Any, Any]) -> bool:
    if not isinstance(claim, list) or len(claim) != 2:
        raise ValueError("an item of a mapping is a pair")
    return equals(claim[0], expected[0]) and equals(claim[1], expected[1])


def _as_number(kind: str, contents: list[Any]) -> Any:
    if not all(isinstance(part, str) for part in contents) or len(contents) != {"i": 1, "f": 1, "q": 2, "c": 2}[kind]:
        raise ValueError("not a number")
    match kind:
        case "i":
            return int(contents[0], 16)
        case "f":
            return float.fromhex(contents[0])
        case "q":
            numerator, denominator = (int(part, 16) for part in contents)
            if denominator <= 0 or max(map(len, contents)) > _LONGEST_FRACTION:
                raise ValueError("not a fraction in lowest terms, or too long a one")
            return Fraction(numerator, denominator)
        case _:
            return complex(*(float.fromhex(part) for part in contents))


def shown(claim: Any) -> str:
    """A value in a few words, for people; what is no value is shown as it is."""
    text = _shown(claim, 3)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _shown(claim: Any, depth: int) -> str:
    if claim is None or isinstance(claim, bool | str):
        return repr(claim)
    try:
        kind, contents = _parts(claim)
        if kind in {"i", "f", "q", "c"}:
            number = _as_number(kind, contents)
            return str(number) if kind != "i" or abs(number) < 10**50 else hex(number)
        if kind == "y":
            return repr(bytes.fromhex(contents[0]))
        if not depth:
            return "..."
        items = _list(contents)[:20]
        if kind == "d":
            return "{" + ", ".join(f"{_shown(k, depth - 1)}: {_shown(v, depth - 1)}" for k, v in items) + "}"
        inner = ", ".join(_shown(item, depth - 1) for item in items)
        return {"l": f"[{inner}]", "t": f"({inner}{',' * (len(items) == 1)})", "s": f"{{{inner}}}"}[kind]
    except (ValueError, TypeError, LookupError, OverflowError):
        return repr(claim)[:100]


def _parts(claim: Any) -> tuple[str, list[Any]]:
    if not isinstance(claim, list) or not claim or not isinstance(claim[0], str):
        raise ValueError("not a value")
    return claim[0], claim[1:]


def _list(contents: list[Any]) -> list[Any]:
    if len(contents) != 1 or not isinstance(contents[0], list):
        raise ValueError("not a list of values")
    return contents[0]
