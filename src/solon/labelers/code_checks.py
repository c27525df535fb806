"""Checks that run what they check: code against tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import Field, PositiveInt, model_validator

from solon.data.records import Failed
from solon.labelers.check_kinds import CheckKind, Run, Verdict, short
from solon.labelers.code_relations import holds
from solon.labelers.code_tests import AssertTest, Case, asserts_of, cases_of
from solon.labelers.fences import fenced_blocks
from solon.sandbox.programs.plain import equals, shown
from solon.sandbox.worker import Job, Result

_PYTHON = ("python", "python3", "py", "py3")


class CodeCheck(CheckKind):
    """The response's Python code passes the tests: ``{code: asserts}`` or ``{code: stdio}``.

    ``asserts`` are statements that run after the code, each in a process of its own; ``stdio`` runs the code as a
    program for each case. Only the standard library can be imported. Source: Chen et al. 2021, arXiv:2107.03374,
    sections 2.2 and 2.3; Austin et al. 2021, arXiv:2108.07732.

    Attributes:
        code: what the tests are.
        tests: them, for every prompt; the prompt's reference when it is left out.
        blocks: which of the response's fenced blocks of Python is its code.
        credit: the ``share`` of tests that pass, or 1 for ``all`` and else 0.
        seconds: of computing that one test may take.
        memory_mb: of address space that one test may have.
    """

    program = "python"

    code: Literal["asserts", "stdio"]
    tests: str | tuple[Case, ...] | None = None
    blocks: Literal["last", "all"] = "last"
    credit: Literal["share", "all"] = "share"
    seconds: PositiveInt = 5
    memory_mb: Annotated[int, Field(ge=64)] = 512

    @model_validator(mode="after")
    def _tests_fit(self) -> Self:
        if self.code == "asserts" and isinstance(self.tests, str):
            asserts_of(self.tests)
        elif self.tests is not None and (self.code == "asserts" or isinstance(self.tests, str) or not self.tests):
            wanted = (
                "Python statements, as one text" if self.code == "asserts" else "a list of {input: ..., output: ...}"
            )
            raise ValueError(f"`tests` for {self.code} are {wanted}")
        return self

    async def score(self, text: str, reference: str | None, run: Run) -> Verdict | Failed:
        """The share of the tests that pass; or 1 for all and else 0."""
        try:
            tests = self._tests(reference)
        except ValueError as error:
            return Failed(reason="error", raw=str(error))
        code = self._code(text)
        if code is None:
            return Verdict(0.0, "no Python code")
        passed = 0
        first: str | None = None
        for test in tests:
            match test:
                case AssertTest():
                    failure = await self._asserted(code, test, run)
                case Case():
                    failure = await self._printed(code, test, run)
                case _:
                    assert_never(test)
            if failure is None:
                passed += 1
            elif first is None:
                first = failure
                if self.credit == "all":
                    break
        if first is None:
            return Verdict(1.0)
        if self.credit == "all":
            return Verdict(0.0, first)
        return Verdict(passed / len(tests), f"{passed} of {len(tests)} tests pass; {first}")

    def _tests(self, reference: str | None) -> tuple[AssertTest, ...] | tuple[Case, ...]:
        if isinstance(self.tests, tuple):
            return self.tests
        source = self.tests if self.tests is not None else reference
        if source is None:
            raise ValueError("the prompt has no reference answer: it holds the tests")
        return asserts_of(source) if self.code == "asserts" else cases_of(source)

    def _code(self, text: str) -> str | None:
        """The blocks that say they are Python, or else those that say nothing; all of the text if there are none."""
        blocks = fenced_blocks(text)
        if not blocks:
            return text if text.strip() else None
        ours = [block.text for block in blocks if block.language in _PYTHON] or [
            block.text for block in blocks if not block.language
        ]
        if not ours:
            return None
        return ours[-1] if self.blocks == "last" else "\n".join(ours)

    async def _asserted(self, code: str, test: AssertTest, run: Run) -> str | None:
        """Why a test fails, or ``None``."""
        arguments = {"code": code, "setup": test.setup, "expression": test.expression, "truth": test.truth}
        result = await run(Job("python", arguments, seconds=self.seconds, memory_mb=self.memory_mb))
        claim = result.claim if isinstance(result.claim, dict) else {}
        if result.beyond is not None or not claim.keys() & {"value", "error"}:
            return f"assert {test.source}: {self._ended(result)}"
        if "error" in claim:
            return f"assert {test.source}: {_words(claim['error'])}"
        try:
            if test.relation is not None:
                passed = holds(test.relation, claim["value"])
            else:
                passed = equals(claim["value"], test.expected) is not test.differs
            if passed:
                return None
        except (ValueError, RecursionError, ArithmeticError, TypeError):
            return f"assert {test.source}: gives what is no {'value' if test.relation is None else 'number'}"
        return f"assert {test.source}: is {shown(claim['value'])}"

    async def _printed(self, code: str, case: Case, run: Run) -> str | None:
        """Why a case fails, or ``None``."""
        job = Job("python", {"code": code}, stdin=case.input, seconds=self.seconds, memory_mb=self.memory_mb)
        result = await run(job)
        asked = f"input {short(case.input)}"
        if result.beyond is not None:
            return f"{asked}: {self._ended(result)}"
        claim = result.claim if isinstance(result.claim, dict) else {}
        if "error" in claim:
            return f"{asked}: {_words(claim['error'])}"
        if result.code:
            return f"{asked}: {self._ended(result)}"
        if _lines(result.out) == _lines(case.output):
            return None
        return f"{asked}: prints {short(result.out)} instead of {short(case.output)}"

    def _ended(self, result: Result) -> str:
        match result.beyond:
            case "seconds":
                return f"takes more than {self.seconds} s"
            case "wall":
                return "waits and does not end"
            case "output":
                return "prints more than 1 MiB"
            case "files":
                return "writes more files than it may"
            case None:
                return f"ended too early (exit code {result.code})"


def _lines(text: str) -> list[str]:
    """Lines without white space at their ends, and without empty ones at the end."""
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _words(said: Any) -> str:
    return short(said) if isinstance(said, str) else "an error without words"
