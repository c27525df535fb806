"""Checks that compare by value: a number, and a mathematical expression."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Self

from pydantic import NonNegativeFloat, PositiveInt, model_validator

from solon.data.records import Failed
from solon.labelers.answers import extracted
from solon.labelers.check_kinds import CheckKind, Run, Verdict, short
from solon.labelers.math_text import last_boxed
from solon.labelers.numbers import Number, Unreadable, as_number, last_number, only_number
from solon.labelers.patterns import Regex
from solon.sandbox.worker import Job

_MEMORY_MB = 512


class _ByValue(CheckKind):
    """What the two that compare by value have in common."""

    extract: Regex | None = None
    percent: Literal["hundredths", "ignored"] = "hundredths"
    relative: NonNegativeFloat = 0.0
    absolute: NonNegativeFloat = 0.0

    def _close(self, given: Number, wanted: Number) -> bool:
        """Exactly; the two tolerances are read as the decimals that they are written as."""
        one, other = (
            number.value / 100 if number.percent and self.percent == "hundredths" else number.value
            for number in (given, wanted)
        )
        return abs(one - other) <= max(Fraction(repr(self.absolute)), Fraction(repr(self.relative)) * abs(other))


class NumberCheck(_ByValue):
    r"""The response's final number is the reference's, by value: ``{number: last}``, ``only`` or ``boxed``.

    ``last`` is the last number, ``only`` the one of a text that has exactly one (use it with ``extract``), ``boxed``
    the one in the last ``\boxed{}``. The reference is a number, or a text that ends in ``#### 72`` (as GSM8K's do), or
    has one boxed. What is a number, and what is not: ``solon.labelers.numbers``.

    Attributes:
        number: where it is looked for.
        extract: a regular expression; what its first group finds is looked at in place of the whole response.
        percent: 50 % is 0.5 (``hundredths``), or the sign is left out like a unit and it is 50 (``ignored``).
        relative, absolute: how far apart the two may be: a share of the reference, or a number; the larger counts.
    """

    number: Literal["last", "only", "boxed"]

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.number == "boxed" and self.extract is not None:
            raise ValueError("`boxed` says where to look already: leave `extract` out, or write `number: only`")
        return self

    async def score(self, text: str, reference: str | None, run: Run) -> Verdict | Failed:  # noqa: ARG002 - not run
        """1 when the numbers are equal, or within the tolerances."""
        wanted = only_number(_answer_of(reference)) if reference is not None else None
        if not isinstance(wanted, Number):
            return _no_reference(reference, "a number")
        place = last_boxed(text) if self.number == "boxed" else text
        if self.extract is not None:
            place = extracted(self.extract, text)
        given = None if place is None else (last_number if self.number == "last" else only_number)(place)
        match given:
            case None:
                return Verdict(0.0, f"no number instead of {wanted.text}")
            case Unreadable():
                return Verdict(0.0, f"{given.text!r} is not one number; {wanted.text} is right")
            case Number():
                return (
                    Verdict(1.0)
                    if self._close(given, wanted)
                    else Verdict(0.0, f"{given.text} instead of {wanted.text}")
                )


class ExpressionCheck(_ByValue):
    r"""The response's mathematical expression is the reference's, by value: ``{expression: boxed}`` or ``all``.

    ``boxed`` is what the last ``\boxed{}`` holds, ``all`` the whole text (use it with ``extract``); LaTeX or plain. Two
    numbers are compared exactly, as by ``number``; all else by math-verify, where decimals count to the sixth place.

    Attributes:
        expression: where it is looked for.
        extract, percent, relative, absolute: as in ``number``; the last three are for two numbers.
        seconds: of computing that one comparison may take.
    """

    program = "expression"

    expression: Literal["boxed", "all"]
    seconds: PositiveInt = 5

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.expression == "boxed" and self.extract is not None:
            raise ValueError("`boxed` says where to look already: leave `extract` out, or write `expression: all`")
        return self

    async def score(self, text: str, reference: str | None, run: Run) -> Verdict | Failed:
        """1 when the expressions are equal. One that cannot be compared within the limits is not equal to any."""
        wanted = _answer_of(reference) if reference is not None else ""
        if not wanted.strip():
            return _no_reference(reference, "an expression")
        given = last_boxed(text) if self.expression == "boxed" else text
        if self.extract is not None:
            given = extracted(self.extract, text)
        if given is None or not given.strip():
            return Verdict(0.0, f"no expression instead of {short(wanted)}")
        wrong = Verdict(0.0, f"{short(given)} instead of {short(wanted)}")
        if "".join(given.split()) == "".join(wanted.split()):
            return Verdict(1.0)
        numbers = as_number(given), as_number(wanted)
        if numbers[0] is not None and numbers[1] is not None:
            return Verdict(1.0) if self._close(numbers[0], numbers[1]) else wrong
        said = await self._compared(given, wanted, run)
        if said is None:
            # with anything, or with this response?
            if await self._compared("1", wanted, run) is None:
                reason = f"the reference answer {short(wanted)} cannot be compared in {self.seconds} s"
                return Failed(reason="error", raw=reason)
            return Verdict(0.0, f"{short(given)} cannot be compared with {short(wanted)} in {self.seconds} s")
        match said:
            case "equal":
                return Verdict(1.0)
            case "no reference":
                return _no_reference(reference, "an expression")
            case _:
                return wrong

    async def _compared(self, given: str, wanted: str, run: Run) -> str | None:
        """What the program says; ``None`` when it did not come to an end."""
        arguments = {"given": given, "wanted": wanted}
        job = Job("expression", arguments, seconds=self.seconds, memory_mb=_MEMORY_MB)
        claim = (await run(job)).claim
        return claim if isinstance(claim, str) else None


def _answer_of(reference: str) -> str:
    """The answer in a reference: what follows the last ``####``, or is boxed, or all of it."""
    if "####" in reference:
        return reference.rpartition("####")[2]
    boxed = last_boxed(reference)
    return reference if boxed is None else boxed


def _no_reference(reference: str | None, what: str) -> Failed:
    if reference is None:
        return Failed(reason="error", raw="the prompt has no reference answer")
    return Failed(reason="error", raw=f"the reference answer {short(reference)} is not {what}")
