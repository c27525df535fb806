"""How much a chat template may do with one conversation: what it builds, how often it goes round, how long it takes.

A template comes with a model, and is a program: it can double a text forty times, or count to a trillion. Everything
that it makes is measured before it is made, so that nothing large is ever built.
"""

from __future__ import annotations

import re
import time
from collections.abc import ItemsView, Iterable, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.runtime import Undefined

SPARE = 1_000_000
"""Characters that a template may write whatever it was given."""
TIMES_GIVEN = 4
"""And how often what it was given may be in what it writes."""
STEPS = 1_000_000
"""Calls, filters, operations and rounds of loops; and the square of how many values were given, as Gemma 4's template
looks at every later turn in each."""
SECONDS = 10.0
"""Of this thread's processor time; a template takes a ten-thousandth of one."""
_SECONDS_A_PAIR = 2e-6
_MADE = 50
"""How often the largest text may be built in all, and once more for every value that was given."""
_MOST_MADE = 4_000_000_000
_A_REFERENCE = 8
_MOST_BITS = 4_096
_MOST_WIDTH = 10_000
_MOST_DIGITS = 300
_WIDTH = re.compile(r"\*|[0-9]{5,}")
# of `%`, what may stand between it and its letter; a key in brackets may hold anything
_WIDTH_OF_PERCENT = re.compile(r"%[-#0 +]*(?:[0-9]*\.)?(?:\*|[0-9]{5,})")


class Budget:
    """What is left to one rendering.

    Attributes:
        most: the characters of the largest thing that may be built, the whole output too.
    """

    def __init__(self, given: Any) -> None:
        self.most = SPARE
        characters, values = self._measured(given, limited=False)
        self.most += TIMES_GIVEN * characters
        self._steps = self._most_steps = STEPS + values**2
        self._seconds = SECONDS + _SECONDS_A_PAIR * values**2
        self._until = time.thread_time() + self._seconds
        self._made = self._most_made = min(_MOST_MADE, self.most * (_MADE + values))

    def step(self, count: int = 1) -> None:
        """One thing more is done, or several.

        Raises:
            SecurityError: that was one too many, or too much time is gone.
        """
        self._steps -= count
        if self._steps < 0:
            raise SecurityError(f"it does more than {self._most_steps:,} things with one conversation")
        if time.thread_time() > self._until:
            raise SecurityError(f"it takes more than {self._seconds:.0f} seconds for one conversation")

    def made(self, characters: int) -> None:
        """So much has been built, and may be kept until the end.

        Raises:
            SecurityError: with what was built before, too much.
        """
        self._made -= characters
        if self._made < 0:
            raise SecurityError(f"it builds texts of more than {self._most_made:,} characters, one after the other")

    def allow(self, characters: float) -> None:
        """Something of that size may be built.

        Raises:
            SecurityError: it may not.
        """
        if characters > self.most:
            raise SecurityError(f"it builds a text of more than {self.most:,} characters")

    def size(self, value: Any, *, limited: bool = True) -> int:
        """About how many characters a value has when it is written out; what stands in it twice counts twice.

        Raises:
            SecurityError: too many, if that is ``limited``; or nobody can say.
        """
        return self._measured(value, limited=limited)[0]

    def _measured(self, value: Any, *, limited: bool) -> tuple[int, int]:
        """Its characters, and how many values there are in it."""
        total, values, left = 0, 0, [value]
        while left:
            values += 1
            match left.pop():
                case str() | bytes() | bytearray() as text:
                    total += len(text)
                case int() as number:
                    total += number.bit_length() // 3
                case None | float() | Undefined():
                    total += 8
                case Mapping() as mapping:
                    left += [*mapping.keys(), *mapping.values()]
                case range() as numbers:
                    total += 8 * len(numbers)
                case Sequence() | AbstractSet() | KeysView() | ValuesView() | ItemsView() as items:
                    left += items
                case other if type(other).__name__ == "Namespace":
                    raise SecurityError("it puts a namespace where a text, a list or a mapping belongs")
                case _:
                    total += 100
            total += 1
            if limited and total + len(left) > self.most:
                self.allow(total + len(left))
        return total, values

    def bounded(self, value: Any) -> Any:
        """The value, if it may be that large. What is read bit by bit is measured when it is read."""
        if isinstance(value, str):
            self.allow(len(value))
            self.made(len(value))
        elif isinstance(value, Sequence | Mapping | AbstractSet):
            self.size(value)
            self.made(_A_REFERENCE * len(value))
        return value

    def cut(self, value: Any) -> Any:
        """A part of what there was: no larger, and a copy."""
        if isinstance(value, str):
            self.made(len(value))
        elif isinstance(value, Sequence):
            self.made(_A_REFERENCE * len(value))
        return value

    # ------------------------------------------------------------ operators

    def times(self, left: Any, right: Any) -> None:
        """``left * right`` may be built."""
        for one, count in ((left, right), (right, left)):
            if isinstance(count, int) and not isinstance(one, int | float):
                self.allow(self.size(one) * max(count, 0))
        if isinstance(left, int) and isinstance(right, int):
            self._bits(left.bit_length() + right.bit_length())

    def power(self, left: Any, right: Any) -> None:
        """``left ** right`` may be built."""
        if isinstance(left, int) and isinstance(right, int):
            self._bits(left.bit_length() * abs(right))

    def formatted(self, text: str, values: Any) -> None:
        """``text % values`` may be built."""
        if (_WIDTH if "%(" in text else _WIDTH_OF_PERCENT).search(text):
            raise SecurityError(f"it formats to a width of more than {_MOST_WIDTH:,}")
        self.allow(len(text) + text.count("%") * (self.size(values) + _MOST_WIDTH))

    def width(self, specification: str) -> None:
        """A format specification asks for no great width."""
        if _WIDTH.search(specification):
            raise SecurityError(f"it formats to a width of more than {_MOST_WIDTH:,}")

    def _bits(self, bits: int) -> None:
        if bits > _MOST_BITS:
            raise SecurityError(f"it computes a number of more than {_MOST_BITS:,} bits")

    # ------------------------------------------------------------ methods and filters of texts

    def method(self, text: str, name: str, given: Sequence[Any]) -> None:
        """A method of a text, or the filter of that name, may be called with these arguments."""
        numbers = [value for value in given if isinstance(value, int)]
        texts = [str(value) for value in given if isinstance(value, str)]
        if name in {"center", "ljust", "rjust", "zfill", "truncate"}:
            self.allow(max([0, *numbers]))
        elif name == "expandtabs":
            self.allow(len(text) + text.count("\t") * max([8, *numbers]))
        elif name == "indent":
            self.allow(len(text) + (text.count("\n") + 1) * max([4, *numbers, *map(len, texts)]))
        elif name == "replace" and len(texts) > 1:
            self.allow(len(text) + (text.count(texts[0]) if texts[0] else len(text) + 1) * len(texts[1]))
        elif name == "translate":
            self.allow(len(text) * (1 + max([0, *(self.size(value) for value in given)])))
        elif name == "round" and any(abs(number) > _MOST_DIGITS for number in numbers):
            raise SecurityError(f"it rounds to more than {_MOST_DIGITS} digits")
        elif name in {"tojson", "batch", "slice"}:
            self.allow(100 * max([0, *numbers, *map(len, texts)]))

    def joined(self, between: Any, items: Iterable[Any]) -> list[Any]:
        """The items, if they may stand in one text with ``between`` between them."""
        found = self.listed(items)
        self.allow(self.size(found) + self.size(between) * len(found))
        return found

    def listed(self, items: Iterable[Any]) -> list[Any]:
        """What is read bit by bit, as a list, if that may be so large."""
        found, total = [], 0
        for item in items:
            self.step()
            total += self.size(item)
            self.allow(total)
            found.append(item)
        return found
