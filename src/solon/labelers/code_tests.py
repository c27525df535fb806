"""Tests of code: statements with ``assert``, taken apart so that the code that is tested never sees what is expected.

``assert f(2) == 4`` in the process of ``f`` can be passed by an ``f`` that returns something equal to everything, or
that ends the process with success. So that process is only asked for the value of ``f(2)``; 4 is compared outside.
"""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from solon.labelers.code_relations import taken_apart
from solon.plugins.base import Settings

_SHOWN = 70


@dataclass(frozen=True)
class AssertTest:
    """One ``assert``.

    Attributes:
        setup: the statements that come before it, without other tests.
        expression: what is evaluated.
        truth: whether its truth is asked for, and not its value. What is compared with a value that the code could know
            is only as good as the code's word.
        expected: the value, or ``True``.
        differs: whether the value must be another than that.
        relation: what must hold of the value, a tuple of numbers, in place of being equal (see ``code_relations``).
        source: the test, short, for people.
    """

    setup: str
    expression: str
    truth: bool
    expected: Any
    source: str
    relation: str | None = None
    differs: bool = False


class Case(Settings):
    """What a program reads, and what it must print."""

    input: str
    output: str


_CASES = TypeAdapter(tuple[Case, ...])


@lru_cache(maxsize=1024)
def cases_of(source: str) -> tuple[Case, ...]:
    """Cases from JSON: ``[{"input": "2 3", "output": "5"}, ...]``.

    Raises:
        ValueError: it is anything else, or there is none.
    """
    try:
        cases = _CASES.validate_python(json.loads(source))
    except (ValueError, ValidationError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'the tests are not a list of {{"input": ..., "output": ...}} in JSON: {reason}') from error
    if not cases:
        raise ValueError("the tests are an empty list")
    return cases


@lru_cache(maxsize=1024)
def asserts_of(source: str) -> tuple[AssertTest, ...]:
    """The tests in Python statements, or in a JSON list of such (as MBPP has them).

    A test is each ``assert`` at the top. A function of asserts that is called with names, such as HumanEval's
    ``check(candidate)``, is put in the place of the call. What else does something after the last ``assert``, say a
    loop with asserts in it, is one more test, passed when it ends.

    Raises:
        ValueError: it is not Python, or tests nothing.
    """
    try:
        tests = tuple(_tests_in(_unfolded(ast.parse(_joined(source)).body)))
    # also where they were read and cannot be written again: numbers too long, expressions too deep
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the tests are not Python: {error}") from error
    if not tests:
        raise ValueError("the tests hold no assert")
    return tests


def _tests_in(statements: Iterable[ast.stmt]) -> Iterator[AssertTest]:
    before: list[ast.stmt] = []
    unfinished = False
    for statement in statements:
        if isinstance(statement, ast.Assert):
            if not isinstance(statement.test, ast.Constant):
                yield _test(statement, before)
            unfinished = False
        else:
            before.append(statement)
            unfinished = unfinished or _does_something(statement)
    if unfinished:
        yield AssertTest(_source(before), "True", truth=True, expected=True, source="the rest of the tests")


def _joined(source: str) -> str:
    """The statements; those of a JSON list, one after another."""
    if source.lstrip().startswith("["):
        try:
            lines = json.loads(source)
        except (ValueError, RecursionError):
            return source
        if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
            return "\n".join(lines)
    return source


def _test(statement: ast.Assert, before: Sequence[ast.stmt]) -> AssertTest:
    source = ast.unparse(statement.test)
    shown = source if len(source) <= _SHOWN else f"{source[: _SHOWN - 3]}..."
    match statement.test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() | ast.Is() as operator], comparators=[right]):
            differs = isinstance(operator, ast.NotEq)
            # `is` says as much as `==` of None alone
            sides = [] if isinstance(operator, ast.Is) else [(left, right), (right, left)]
            if isinstance(right, ast.Constant) and right.value is None:
                sides = [] if differs else [(left, right)]  # what is no plain value is not None either
            for asked, told in sides:
                known, value = _literal(told)
                if known and not _literal(asked)[0]:
                    expression = ast.unparse(asked)
                    return AssertTest(_source(before), expression, False, value, shown, differs=differs)
        case _:
            if (apart := taken_apart(statement.test)) is not None:
                return AssertTest(_source(before), apart[0], False, True, shown, apart[1])
    return AssertTest(_source(before), source, truth=True, expected=True, source=shown)


def _literal(node: ast.expr) -> tuple[bool, Any]:
    """Whether an expression is a plain value as it stands, and which: ``[1, -2]``, ``set((1,))``, ``float("inf")``."""
    makers = {"set": set, "frozenset": frozenset, "tuple": tuple, "list": list, "float": float}
    match node:
        case ast.Call(func=ast.Name(id=name), args=[] | [_], keywords=[]) if name in makers:
            values = [_literal(argument) for argument in node.args]
            if not all(known for known, _ in values):
                return False, None
            try:
                return True, makers[name](*(value for _, value in values))
            except (TypeError, ValueError):
                return False, None
        case _:
            try:
                return True, ast.literal_eval(node)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return False, None


def _does_something(statement: ast.stmt) -> bool:
    """Whether a statement may be there for the errors that it can raise."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return False
        case ast.Expr() | ast.For() | ast.While() | ast.With() | ast.If() | ast.Try():
            return True
        case _:
            return False


def _unfolded(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, with the body of a function of asserts in place of its one call."""
    functions = {item.name: item for item in statements if isinstance(item, ast.FunctionDef) and _can_unfold(item)}
    for statement in statements:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=arguments, keywords=[])) if (
                name in functions
                and len(arguments) == len(functions[name].args.args)
                and all(isinstance(argument, ast.Name) for argument in arguments)
            ):
                function = functions[name]
                # a name of its own stays apart from one that the code has
                renamed = {stored: f"_test_{stored}" for stored in _stored(function)}
                for parameter, argument in zip(function.args.args, arguments, strict=True):
                    renamed[parameter.arg] = ast.unparse(argument)
                for inner in function.body:
                    yield _Renamed(renamed).visit(copy.deepcopy(inner))
            case _:
                yield statement


def _can_unfold(function: ast.FunctionDef) -> bool:
    arguments = function.args
    plain = not (
        function.decorator_list
        or arguments.defaults
        or arguments.kwonlyargs
        or arguments.posonlyargs
        or arguments.vararg
        or arguments.kwarg
    )
    bound = (ast.Return, ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal, ast.FunctionDef, ast.Lambda, ast.ClassDef)
    inside = [node for statement in function.body for node in ast.walk(statement)]
    return (
        plain
        and any(isinstance(statement, ast.Assert) for statement in function.body)
        and not any(isinstance(node, bound) for node in inside)
        and not _stored(function) & {argument.arg for argument in arguments.args}
    )


def _stored(function: ast.FunctionDef) -> set[str]:
    """The names that are given a value in it."""
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)


def _source(statements: Sequence[ast.stmt]) -> str:
    return "\n".join(ast.unparse(ast.fix_missing_locations(statement)) for statement in statements)
