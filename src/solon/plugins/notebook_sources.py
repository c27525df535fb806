"""What a class of a notebook, or of the running script, is made of: itself and what it uses that is not installed."""

from __future__ import annotations

import ast
import importlib.util
import linecache
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, get_args
from weakref import WeakKeyDictionary

from solon.plugins.closures import closure, files_of, is_installed, root_of
from solon.plugins.function_code import defaults_of, names_in, written_out
from solon.plugins.plain_values import is_plain, text_of

_texts: WeakKeyDictionary[type, str] = WeakKeyDictionary()
_loaded: dict[int, tuple[ModuleSpec, str]] = {}
"""Hashes of the files of modules as they were first looked at, by the identity of the spec, since a reload makes
another; empty where they are installed."""


def made_of(plugin: type, *, values: bool) -> Iterator[str]:
    """A class with what it uses, each as a text; in no order.

    That is the functions and classes of its module; the files of other modules that are not installed.

    Args:
        plugin: the class.
        values: whether the plain values of its module count too. Those that a function assigns anew are its state, and
            never do.
    """
    found = _Found(plugin.__module__, [plugin])
    seen: set[int] = set()
    while found.waiting:
        one = found.waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield from _of_class(one, found) if isinstance(one, type) else _of_function(one, found)
    yield from found.others
    for name, value in found.used.items() if values else ():
        if name not in found.assigned:
            yield f"{name} = {text_of(value)}"
    for (kind, name), value in found.of_classes.items():
        if name not in found.set_on:
            yield f"{kind}.{name} = {text_of(value)}"
    for (function, name), value in found.closed_over.items():
        if name not in found.assigned:
            yield f"{name} of {function} = {text_of(value)}"


@dataclass
class _Found:
    """What has been found of a class so far.

    Attributes:
        module: where the class is.
        waiting: functions and classes of that module.
        others: the hashes of other modules' files.
        used: values of the module, by their names.
        of_classes: plain values of classes, by the class and their names.
        closed_over: plain values of the functions around one, by that one and their names.
        assigned, set_on: the names that a function assigns, and the attributes that it sets on anything.
    """

    module: str
    waiting: list[Any]
    others: set[str] = field(default_factory=set)
    used: dict[str, Any] = field(default_factory=dict)
    of_classes: dict[tuple[str, str], Any] = field(default_factory=dict)
    closed_over: dict[tuple[str, str], Any] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    set_on: set[str] = field(default_factory=set)

    def uses(self, value: Any) -> None:
        """Takes in the functions and classes in a value."""
        for one in _code_in(value):
            module = sys.modules.get(one.__module__)
            if one.__module__ == self.module:
                self.waiting.append(one)
            elif module is not None:
                self.others |= set(_of_module(module))
        if isinstance(value, ModuleType):
            self.others |= set(_of_module(value))


def _of_class(kind: type, found: _Found) -> Iterator[str]:
    functions = list(_functions(kind))
    yield f"{kind.__qualname__}: {_text(kind, functions) or sorted(map(written_out, functions))}"
    for function in functions:
        _look_into(function, found)
        yield f"{function.__qualname__}: {defaults_of(function)}"
    for name, value in vars(kind).items():
        if not name.startswith("__") and is_plain(value):
            found.of_classes[kind.__qualname__, name] = value
        elif isinstance(value, type):
            found.uses(value)
    for each in (*kind.__mro__, *_kinds_in(kind)):
        found.uses(each)


def _of_function(function: FunctionType, found: _Found) -> Iterator[str]:
    _look_into(function, found)
    yield f"{function.__qualname__}: {written_out(function)}"


def _look_into(function: FunctionType, found: _Found) -> None:
    """Takes in what a function uses."""
    names = names_in(function.__code__)
    found.assigned |= names.assigned
    found.set_on |= names.set_on
    for name in names.read:
        value = function.__globals__.get(name)
        found.uses(value)
        if not (name.startswith("__") or isinstance(value, type | FunctionType | ModuleType)):
            found.used[name] = value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # empty so far
            continue
        found.uses(value)
        if is_plain(value):
            found.closed_over[function.__qualname__, name] = value
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        found.uses(value)
    for name in names.imported:
        found.others |= set(_of_import(name))


# ---------------------------------------------------------------- other modules


def _of_module(module: ModuleType) -> Iterator[str]:
    """The hash of its file; nothing where it is installed, or has none."""
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    if spec is None or not file or module.__name__.partition(".")[0] == "solon":
        return
    if id(spec) not in _loaded:
        _loaded[id(spec)] = spec, "" if is_installed(Path(file)) else closure(Path(file), root_of(module))
    if hashed := _loaded[id(spec)][1]:
        yield f"module {module.__name__}: {hashed}"


def _of_import(name: str) -> Iterator[str]:
    """The hashes of the files of a module that a function imports when it runs."""
    steps = name.split(".")
    if steps[0] in sys.stdlib_module_names or steps[0] == "solon":
        return
    module = sys.modules.get(name)
    if module is not None:
        yield from _of_module(module)
        return
    try:
        spec = importlib.util.find_spec(steps[0])
    except (ImportError, ValueError):
        return
    if spec is not None and spec.origin and spec.has_location and not is_installed(Path(spec.origin)):
        root = Path(spec.origin).parents[1 if spec.submodule_search_locations else 0]
        for file in list(files_of(root, steps))[-1:]:
            yield f"module {name}: {closure(file, root)}"


# ---------------------------------------------------------------- functions and classes


def _code_in(value: Any) -> Iterator[Any]:
    """The functions and classes in a value: itself, what it wraps, or the class that it is of."""
    if isinstance(value, type | FunctionType):
        yield value
    elif isinstance(value, MethodType):
        yield value.__func__
    elif isinstance(value, partial):
        yield from _code_in(value.func)
    elif not is_plain(value):
        yield type(value)
    try:
        wrapped = getattr(value, "__wrapped__", None)  # of functools.cache, functools.wraps
    except Exception:  # noqa: BLE001 - a foreign object may do anything when it is asked for an attribute
        return
    if isinstance(wrapped, type | FunctionType):
        yield wrapped


def _functions(kind: type) -> Iterator[FunctionType]:
    for value in vars(kind).values():
        inner = getattr(value, "wrapped", value)  # of pydantic's decorators
        names = ("__func__", "fget", "func", "__wrapped__")
        others = (getattr(inner, name, None) for name in names)
        deeper = (getattr(one, "__wrapped__", None) for one in (inner, *others))
        functions = (one for one in (inner, *others, *deeper) if isinstance(one, FunctionType))
        yield from {id(one): one for one in functions}.values()


def _kinds_in(kind: type) -> Iterator[type]:
    """The classes of its fields, those within lists and unions too."""
    waiting: list[Any] = [each.annotation for each in getattr(kind, "model_fields", {}).values()]
    while waiting:
        one = waiting.pop()
        waiting += get_args(one)
        if isinstance(one, type):
            yield one


def _text(kind: type, functions: Iterable[FunctionType]) -> str:
    """A class as it stands in its cell or script; empty where that cannot be found."""
    if kind not in _texts:
        _texts[kind] = next(filter(None, (_read(kind, function.__code__) for function in functions)), "")
    return _texts[kind]


def _read(kind: type, code: CodeType) -> str:
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or node.name != kind.__name__:
            continue
        if node.lineno <= code.co_firstlineno <= (node.end_lineno or 0):
            return ast.dump(node)  # not its text: another comment or indentation is no other plugin
    return ""
