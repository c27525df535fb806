"""What an unquoted YAML scalar means: the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

Unlike YAML 1.1, ``yes``, ``no``, ``on`` and ``off`` are text, ``1e-5`` is a number, ``012`` is twelve, and dates are
text. Unlike the core schema, infinity and not-a-number are refused: no setting means them, and they have no JSON.
"""

from __future__ import annotations

import math
import re

Value = str | int | float | bool | None

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_DIGITS = 400
"""Python refuses to read whole numbers of more than 4,300 digits, and takes quadratic time for long ones."""


def plain(text: str) -> Value:
    """The value of an unquoted scalar.

    Raises:
        ValueError: it is a number that is not finite, or far too long; the message says so.
    """
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    return _number(text)


def _number(text: str) -> Value:
    numeric = _INT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text) or _FLOAT.fullmatch(text)
    if numeric and len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters")
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError(f"{text} is too large for a number")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a finite number")
    return text


_TAGS = {
    "tag:yaml.org,2002:null": type(None),
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}


def resolve(text: str, tag: str | None, *, quoted: bool) -> Value:
    """The value of a scalar with an explicit tag (``!!str 5``), or of a quoted or plain one without.

    Raises:
        ValueError: the tag is none of YAML's own, or the text is no such value.
    """
    if tag in {"!", "tag:yaml.org,2002:str"} or (tag is None and quoted):
        return text
    if tag is None:
        return plain(text)
    if tag not in _TAGS:
        raise ValueError(f"unknown tag {shown_tag(tag)!r}: only plain values are read")
    value = plain(text)
    if tag == "tag:yaml.org,2002:float" and type(value) is int:
        return float(value)
    if type(value) is not _TAGS[tag]:
        raise ValueError(f"{text!r} is not a {shown_tag(tag)} value")
    return value


def shown_tag(tag: str) -> str:
    """A tag as it is written in a file."""
    return tag.replace("tag:yaml.org,2002:", "!!")
