"""What a function does and what it names, as its code says it."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any

from solon.plugins.plain_values import is_plain, text_of


def written_out(function: FunctionType) -> str:
    """What a function does, without the lines where it stands."""
    return repr((_of_code(function.__code__), defaults_of(function)))


def defaults_of(function: FunctionType) -> list[str]:
    """The plain values that its arguments have by default."""
    named = sorted((function.__kwdefaults__ or {}).items())
    positions = enumerate(function.__defaults__ or ())
    return [f"{place}={text_of(one)}" for place, one in (*positions, *named) if is_plain(one)]


@dataclass(frozen=True)
class Names:
    """The names in a function and those inside it.

    Attributes:
        read: of its module.
        assigned: of its module, or of a function around it.
        set_on: attributes, of whatever object.
        imported: modules, and what it takes from them, such as ``json`` and ``json.dumps``.
    """

    read: frozenset[str]
    assigned: frozenset[str]
    set_on: frozenset[str]
    imported: frozenset[str]


@cache
def names_in(code: CodeType) -> Names:
    """The names in a function's code."""
    read, assigned, set_on, imported = set[str](), set[str](), set[str](), set[str]()
    module = ""
    for step in dis.get_instructions(code):
        match step.opname:
            case "LOAD_GLOBAL" | "LOAD_NAME":
                read.add(step.argval)
            case "STORE_GLOBAL" | "DELETE_GLOBAL":
                assigned.add(step.argval)
            case "STORE_DEREF" if step.argval in code.co_freevars:
                assigned.add(step.argval)
            case "STORE_ATTR" | "DELETE_ATTR":
                set_on.add(step.argval)
            case "IMPORT_NAME":
                module = step.argval
                imported.add(module)
            case "IMPORT_FROM":
                imported.add(f"{module}.{step.argval}")
            case _:
                pass
    for inner in (names_in(one) for one in code.co_consts if isinstance(one, CodeType)):
        read |= inner.read
        assigned |= inner.assigned
        set_on |= inner.set_on
        imported |= inner.imported
    return Names(*map(frozenset, (read, assigned, set_on, imported)))


def _of_code(code: CodeType) -> tuple[Any, ...]:
    constants = tuple(_of_code(one) if isinstance(one, CodeType) else _constant(one) for one in code.co_consts)
    return code.co_code, constants, code.co_names, code.co_varnames


def _constant(value: Any) -> str:
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)  # in whatever order
