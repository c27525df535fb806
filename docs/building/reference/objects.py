"""Classes and functions as Markdown: signature, docstring, fields and methods."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from reference import source
from reference.markdown import code, fenced, inline, prose, table

_WIDTH = 100


def section(name: str, found: Any, module: str = "") -> str:
    """A heading and all that is to say of one public name; ``module`` is where it is assigned, for a value."""
    parts = [f"## {name}"]
    if inspect.isclass(found):
        parts += _class(name, found)
    elif inspect.ismodule(found):
        parts.append(prose(found.__doc__))
    elif inspect.isroutine(found):
        parts += [fenced(_signature(name, found), "text"), prose(found.__doc__)]
    else:
        parts.append(_value(name, found, module))
    return "\n\n".join(filter(None, parts))


def _class(name: str, found: type) -> Iterator[str]:
    text = prose(found.__doc__) if found.__doc__ != getattr(found.__base__, "__doc__", None) else ""
    if issubclass(found, BaseModel) or dataclasses.is_dataclass(found):
        yield text.partition("**Attributes:**")[0].strip()
        yield fields(found)
    else:
        if "__init__" in found.__dict__ and not getattr(found, "_is_protocol", False):
            yield fenced(_signature(name, found), "text")
        yield text
    for method in public(found):
        told = found.__dict__[method]
        function = getattr(told, "__func__", told)
        if isinstance(told, property | cached_property):
            yield f"**`.{method}`** {_first(inspect.getdoc(told))}"
        else:
            yield f"{fenced(_signature(method, function), 'text')}\n\n{prose(function.__doc__)}"


def public(found: type) -> list[str]:
    """The methods and properties that a class itself defines, in their order."""
    named = _names(found) if issubclass(found, BaseModel) or dataclasses.is_dataclass(found) else []
    return [
        name
        for name, told in found.__dict__.items()
        if not name.startswith(("_", "model_"))
        and name not in named
        and (inspect.isroutine(getattr(told, "__func__", told)) or isinstance(told, property | cached_property))
        and not hasattr(told, "decorator_info")  # pydantic's validators
    ]


def fields(found: type) -> str:
    """The fields of a frozen class: what each means is what the docstring says under ``Attributes``."""
    meaning = _described(found)
    rows = []
    for name in _names(found):
        type_, default = _field(found, name)
        rows.append((code(name), code(type_), default, meaning.get(name) or inline(_help(found, name))))
    return table(("field", "type", "default", "meaning"), rows)


def _described(found: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each attribute."""
    told: dict[str, str] = {}
    for each in reversed(found.__mro__):
        _, _, section = inspect.cleandoc(each.__dict__.get("__doc__") or "").partition("\nAttributes:\n")
        items = re.findall(r"^    (\w+(?:, \w+)*): (.*(?:\n {8,}.*)*)", section, re.MULTILINE)
        told |= {name: inline(re.sub(r"\s+", " ", text)) for names, text in items for name in names.split(", ")}
    return told


def _help(found: Any, name: str) -> str:
    return (found.model_fields[name].description or "") if issubclass(found, BaseModel) else ""


def _names(found: Any) -> list[str]:
    if issubclass(found, BaseModel):
        return list(found.model_fields)
    return [field.name for field in dataclasses.fields(found) if field.init and not field.name.startswith("_")]


def _field(found: Any, name: str) -> tuple[str, str]:
    owner = next(each for each in found.__mro__ if name in inspect.get_annotations(each))
    annotation = inspect.get_annotations(owner)[name]
    if issubclass(found, BaseModel):
        field = found.model_fields[name]
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
    else:
        field = next(each for each in dataclasses.fields(found) if each.name == name)
        made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        default = "required" if made is dataclasses.MISSING else _default(made)
    return _annotation(annotation, owner.__module__), default


def _default(value: Any) -> str:
    text = repr(value)
    return code(text) if " at 0x" not in text and len(text) < 80 else ""


def _annotation(annotation: Any, module: str = "") -> str:
    """As it is written; an alias of a choice of words is that choice."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    meant = getattr(sys.modules.get(module), text, None)
    if get_origin(meant) is Literal:
        return " | ".join(map(repr, get_args(meant)))
    return re.sub(r"Annotated\[([^,\]]+(?:\[[^\]]*\])?), .*\]", r"\1", text)


def _signature(name: str, found: Any) -> str:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return name
    kept = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    shown, star = [], False
    for one in kept:
        if one.kind is one.KEYWORD_ONLY and not star:
            shown.append("*")
        star = star or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        mark = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
        type_ = "" if one.annotation is one.empty else f": {_annotation(one.annotation)}"
        equals = " = " if type_ else "="
        shown.append(
            f"{mark}{one.name}{type_}" + ("" if one.default is one.empty else f"{equals}{_plain(one.default)}")
        )
    returned = signature.return_annotation
    arrow = "" if returned is signature.empty or inspect.isclass(found) else f" -> {_annotation(returned)}"
    prefix = "async " if inspect.iscoroutinefunction(found) else ""
    line = f"{prefix}{name}({', '.join(shown)}){arrow}"
    if len(line) <= _WIDTH:
        return line
    return f"{prefix}{name}(\n" + "".join(f"    {each},\n" for each in shown) + f"){arrow}"


def _plain(value: Any) -> str:
    text = repr(value)
    return "..." if " at 0x" in text or text.startswith("<") else text


def _value(name: str, found: Any, module: str) -> str:
    """A name that is neither class nor function: what the source says below it."""
    told = inline(inspect.cleandoc(source.text_below(name, module))) if module else ""
    return told or (code(repr(found)) if isinstance(found, int | str) else "")


def _first(text: str | None) -> str:
    return inline((text or "").partition("\n\n")[0].replace("\n", " "))
