"""The page of every command, with its arguments and options, from the command line itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer.main

from reference.markdown import code, fenced, inline, page, table
from solon.cli.app import app, main

_NAMES = re.compile(r"^(--?[\w-]+(?:(?:, | / )--?[\w-]+)*) ?(.*)$")
_ENDS = re.compile(r"^(.*?)(?:  \[([^\]]*)\])?$", re.DOTALL)


def cli() -> str:
    """Every command that is not hidden, in the order of ``solon --help``."""
    command = typer.main.get_command(app)
    root = command.make_context("solon", [], resilient_parsing=True)
    codes = inspect.cleandoc(main.__doc__ or "").partition("Exit codes: ")[2]
    return page(
        "The command line",
        "Every command says the same of itself with `--help`. What the verbs do is in [the recipe](../recipe.md).",
        *_command(command, root),
        "## Exit codes",
        table(("code", "meaning"), (each.strip(" .\n").split(" ", 1) for each in codes.split(";"))),
    )


def _command(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.command_path}"
    parameters = [one for one in command.get_params(context) if not one.hidden]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    inner = command.list_commands(context) if hasattr(command, "list_commands") else []
    usage = [context.command_path, "[OPTIONS]", *map(_written, arguments), *(["COMMAND [ARGS]..."] if inner else [])]
    yield fenced(" ".join(usage), "text")
    yield "\n\n".join(inline(part) for part in inspect.cleandoc(command.help or "").split("\n\n"))
    yield table(("argument", "", "meaning"), map(_argument, arguments))
    options = [one for one in parameters if one.param_type_name == "option" and one.name != "help"]
    yield table(("option", "value", "default, range", "meaning"), (_option(one, context) for one in options))
    for name in inner:
        one = command.get_command(context, name)
        if not one.hidden:
            yield from _command(one, one.make_context(name, [], parent=context, resilient_parsing=True))


def _written(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return str(name if argument.required or name.startswith("[") else f"[{name}]")


def _argument(argument: Any) -> tuple[str, str, str]:
    text, more = _told(argument.help or "")
    return code(_written(argument)), more or ("required" if argument.required else ""), inline(text)


def _option(option: Any, context: Any) -> tuple[str, str, str, str]:
    written, told = option.get_help_record(context)
    found = _NAMES.match(written)
    assert found is not None
    names, value = found[1], found[2].strip("<>").removesuffix(" range")
    text, more = _told(told)
    shown = ", ".join(code(name) for name in re.split(r", | / ", names))
    return shown, code(value) if value else "", more, inline(text)


def _told(text: str) -> tuple[str, str]:
    """The help of a parameter, and what the command line adds to it: its default, its range."""
    found = _ENDS.match(text)
    assert found is not None
    more = re.sub(r"(\S+)<=x<=(\S+)", r"\1 to \2", (found[2] or "").removeprefix("default: "))
    return found[1], more.replace("x>=", ">= ").replace("x<=", "<= ")
