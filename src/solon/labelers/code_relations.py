"""Tests that relate numbers: ``f(2) > 3``, ``abs(f(2) - 1.5) < 1e-6``, ``math.isclose(f(2), 1.5)``.

Evaluated where the code runs, they are passed by a result that answers every question with yes. So what the code gives
is asked for as plain numbers, and the arithmetic around it is done outside.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from solon.sandbox.programs.plain import number

_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_COMBINED: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LARGEST_POWER = 1000
_TOLERANCES = {"rel_tol", "abs_tol"}


def taken_apart(test: ast.expr) -> tuple[str, str] | None:
    """What the code is asked for, a tuple, and what must hold of it, in which ``_0`` is its first value.

    ``None`` for a test that is something else, or in which no number is told: what is compared may be anything then.
    """
    asked: list[ast.expr] = []
    match test:
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARED for op in ops):
            sides = [left, *others]
            if not all(_told(one) or _told(other) for one, other in pairwise(sides)):
                return None
            parts = [_part(side, asked) for side in sides]
            relation: ast.expr = ast.Compare(parts[0], ops, parts[1:])
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="math"), attr="isclose"), args=[_, _], keywords=keywords
        ) if all(each.arg in _TOLERANCES and _told(each.value) for each in keywords) and any(map(_told, test.args)):
            relation = ast.Call(test.func, [_part(side, asked) for side in test.args], keywords)
        case _:
            return None
    if not asked:
        return None
    return ast.unparse(ast.Tuple(asked, ast.Load())), ast.unparse(relation)


def holds(relation: str, claim: Any) -> bool:
    """Whether it holds of what the code gave.

    Args:
        relation: of ``taken_apart``.
        claim: a tuple, as ``plain.encoded`` writes it.

    Raises:
        ValueError: it holds something that is no number.
        ArithmeticError, TypeError: they cannot be related.
    """
    match claim:
        case ["t", [*values]]:
            return bool(_value(_parsed(relation), [number(value) for value in values]))
        case _:
            raise ValueError("these are no numbers")


@lru_cache(maxsize=1024)
def _parsed(relation: str) -> ast.expr:
    return ast.parse(relation, mode="eval").body


def _told(node: ast.expr) -> bool:
    """Whether it is a number as it stands, or arithmetic on such."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return _told(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMBINED:
            return _told(left) and _told(right)
        case ast.BinOp(left=ast.Constant() as base, op=ast.Pow(), right=exponent):  # 10 ** -6, and no tower of powers
            return _told(base) and _is_small(exponent)
        case _:
            return False


def _is_small(exponent: ast.expr) -> bool:
    match exponent:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _is_small(inner)
        case ast.Constant(value=int(value)):
            return value <= _LARGEST_POWER
        case _:
            return False


def _part(node: ast.expr, asked: list[ast.expr]) -> ast.expr:
    """The arithmetic of an expression; what is none becomes a name, and is asked for."""
    match node:
        case _ if _told(node):
            return node
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=inner):
            return ast.UnaryOp(op, _part(inner, asked))
        # `+` and `*` are there for texts and lists too: only what has a number beside it is one
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMBINED and (
            isinstance(op, ast.Sub | ast.Div) or _told(left) or _told(right)
        ):
            return ast.BinOp(_part(left, asked), op, _part(right, asked))
        # of anything else, a vector say, it may be the code's own, and is a number only when it has been taken
        case ast.Call(
            func=ast.Name(id="abs"), args=[ast.BinOp() | ast.UnaryOp() | ast.Call(func=ast.Name(id="abs")) as inner]
        ) if not node.keywords:
            return ast.Call(node.func, [_part(inner, asked)], [])
        case _:
            asked.append(node)
            return ast.Name(f"_{len(asked) - 1}", ast.Load())


def _value(node: ast.expr, values: Sequence[Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[int(name[1:])]
        case ast.UnaryOp(op=op, operand=inner):
            value = _value(inner, values)
            return -value if isinstance(op, ast.USub) else +value
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _value(left, values) ** _value(right, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _COMBINED[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(), args=[inner]):
            return abs(_value(inner, values))
        case ast.Call(args=[one, other], keywords=keywords):
            tolerances = {str(each.arg): _value(each.value, values) for each in keywords}
            return math.isclose(_value(one, values), _value(other, values), **tolerances)
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [_value(side, values) for side in (left, *others)]
            return all(_COMPARED[type(op)](*pair) for op, pair in zip(ops, pairwise(sides), strict=True))
        case _:
            raise AssertionError("taken_apart makes nothing else")
