"""Functions and classes told of from their source, where importing them would need torch."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from reference.markdown import fenced, inline, prose

_WIDTH = 100


def offered(module: str) -> Iterator[tuple[str, str]]:
    """What a module imports under ``TYPE_CHECKING``: each name, and the module that it is from."""
    for node in _tree(module).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for found in node.body:
                if isinstance(found, ast.ImportFrom) and found.module:
                    yield from ((name.name, found.module) for name in found.names)


def section(name: str, module: str) -> str:
    """A heading and all that the source says of one name."""
    for node in _tree(module).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                return "\n\n".join([f"## {name}", fenced(_signature(node), "text"), prose(ast.get_docstring(node))])
            case ast.ClassDef() if node.name == name:
                return "\n\n".join([f"## {name}", prose(ast.get_docstring(node)), *_methods(node)])
            case ast.Assign(targets=[ast.Name(id=assigned)]) if assigned == name:
                return "\n\n".join(filter(None, [f"## {name}", inline(text_below(name, module))]))
    raise LookupError(f"{module} has no {name}")


def text_below(name: str, module: str) -> str:
    """The string below the assignment of a name; empty where there is none."""
    for node, after in pairwise(_tree(module).body):
        assigned = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == name for each in assigned):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    return text
    return ""


def _methods(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
            yield f"{fenced(_signature(each), 'text')}\n\n{prose(ast.get_docstring(each))}"


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    arguments = [each for each in _arguments(node.args) if each not in ("self", "cls")]
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{prefix}{node.name}({', '.join(arguments)}){returned}"
    if len(line) <= _WIDTH:
        return line
    return f"{prefix}{node.name}(\n" + "".join(f"    {each},\n" for each in arguments) + f"){returned}"


def _arguments(found: ast.arguments) -> Iterator[str]:
    """Each argument as it is written; commas within one are its own."""
    positional = [*found.posonlyargs, *found.args]
    defaults = [None] * (len(positional) - len(found.defaults)) + list(found.defaults)
    yield from map(_argument, positional, defaults)
    if found.vararg:
        yield f"*{_argument(found.vararg, None)}"
    elif found.kwonlyargs:
        yield "*"
    yield from map(_argument, found.kwonlyargs, found.kw_defaults)
    if found.kwarg:
        yield f"**{_argument(found.kwarg, None)}"


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    equals = "" if default is None else (f" = {ast.unparse(default)}" if one.annotation else f"={ast.unparse(default)}")
    return f"{ast.unparse(one)}{equals}"


def _tree(module: str) -> ast.Module:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return ast.parse(Path(found.origin).read_text("utf-8"))
