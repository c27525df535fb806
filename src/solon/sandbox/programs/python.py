"""Runs Python code and says what came of it: the value of an expression after it, or that it ended."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib
import importlib.machinery
import sys
import sysconfig
import threading
import types
from pathlib import Path
from typing import Any

from solon.sandbox.programs.plain import encoded

_NOT_NEEDED = ("_test", "_xx", "xx", "_tkinter", "_ctypes_test")


def prepare() -> None:
    """Loads what the standard library has in machine code: the libraries it needs are out of reach later."""
    folder = Path(sysconfig.get_path("platstdlib"), "lib-dynload")
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = path.name.partition(".")[0]
        if path.name.endswith(suffixes) and not name.startswith(_NOT_NEEDED):
            # one whose library this machine does not have cannot be imported by the code either
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    # what solutions use most: found once, and not by each child again
    for name in ("collections", "dataclasses", "decimal", "fractions", "functools", "itertools", "re", "typing"):
        importlib.import_module(name)
    atexit._clear()


def run(arguments: dict[str, Any]) -> dict[str, Any]:
    """Runs ``code`` and what belongs to it.

    Args:
        arguments: ``code``; and either nothing else, and it runs as a program, or ``setup`` (statements),
            ``expression`` and ``truth``: whether the truth of the expression is asked for and not its value.

    Returns:
        ``value`` (see ``plain``); or ``error``, in words, and ``where`` it was: ``code``, ``setup`` or ``expression``;
        of a program that ended well, nothing.
    """
    if "expression" in arguments:
        return _value(arguments["code"], arguments["setup"], arguments["expression"], truth=arguments["truth"])
    return _program(arguments["code"])


def _value(code: str, setup: str, expression: str, *, truth: bool) -> dict[str, Any]:
    names = _module("solution")
    steps = {"code": (code, "exec"), "setup": (setup, "exec"), "expression": (expression, "eval")}
    value = None
    for where, (source, mode) in steps.items():
        try:
            value = eval(compile(source, f"<{where}>", mode), names)  # noqa: S307 - in a process that can do nothing else
            if where == "expression":
                return {"value": encoded(bool(value) if truth else value)}
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a test that was left was not passed
            return {"error": _words(error), "where": where}
    raise AssertionError("the last step returns")


def _program(code: str) -> dict[str, Any]:
    names = _module("__main__")
    result: dict[str, Any] = {}
    try:
        exec(compile(code, "<code>", "exec"), names)  # noqa: S102
    except SystemExit as end:
        if end.code not in {None, 0}:
            result = {"error": f"it ended with exit code {end.code!r}"[:300], "where": "code"}
    except BaseException as error:  # noqa: BLE001
        result = {"error": _words(error), "where": "code"}
    # as an interpreter does at its end
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.__stdout__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr] # what suppress is for
    return result


def _module(name: str) -> dict[str, Any]:
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    # dataclasses and pickle look a class's module up
    sys.modules[name] = module
    return module.__dict__


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300].strip().removesuffix(":")
    except BaseException:  # noqa: BLE001 - an error whose text raises another
        return type(error).__name__
