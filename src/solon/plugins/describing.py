"""The settings of a plugin in words, from its class itself: types, defaults, ranges and help.

Help is a field's ``description``, else what the class says of it in its docstring under ``Attributes:``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from solon.data.records import Noun
from solon.errors import PluginError
from solon.plugins.base import Location, Plugin
from solon.plugins.groups import NOUN

_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    NoneType: "nothing",
    Any: "anything",
}
_LIMITS = (("gt", "> {}"), ("ge", ">= {}"), ("lt", "< {}"), ("le", "<= {}"), ("multiple_of", "a multiple of {}"))
_LENGTHS = (("min_length", "at least {} long"), ("max_length", "at most {} long"))
_SECTION = re.compile(r"^(?:Class attributes|Attributes|Args|Raises|Returns|Yields):\s*$", re.MULTILINE)


class Setting(Noun):
    """One setting.

    Attributes:
        name: as in a recipe, with those that it is in: ``lora.r``; ``[]`` stands for each item of a list.
        type: what it may be, in words.
        required: whether it has to be given.
        default: its value where it is left out.
        range: what it has to fulfil besides; empty where that is nothing.
        help: what it is for.
    """

    name: str
    type: str
    required: bool
    default: JsonValue = None
    range: str = ""
    help: str = ""


def settings_of(model: type[BaseModel]) -> tuple[Setting, ...]:
    """Every setting of a class in its order, each followed by those inside of it."""
    return tuple(_settings(model, "", (), None))


def about(plugin: Any) -> str:
    """What a class or function says of itself, without the sections about its settings."""
    text = inspect.getdoc(plugin) or ""
    section = _SECTION.search(text)
    return (text[: section.start()] if section else text).strip()


def schema_of(plugin: type[Plugin]) -> dict[str, Any]:
    """The JSON Schema of its mapping in a recipe.

    Raises:
        PluginError: one of its settings has none.
    """
    try:
        schema = plugin.model_json_schema(by_alias=True)
    except PydanticUserError as error:
        raise PluginError(f"{plugin.__qualname__} has no JSON Schema: {error.message}") from error
    schema["properties"] = {"kind": {"const": plugin.kind}, **schema.get("properties", {})}
    schema["required"] = ["kind", *schema.get("required", [])]
    return schema


def _settings(
    model: type[BaseModel], before: str, outer: tuple[type[BaseModel], ...], usual: BaseModel | None
) -> Iterator[Setting]:
    """Those of a class, and of the classes in it; ``usual`` is the instance that is there when nothing is said."""
    told = _attributes(model)
    for name, field in model.model_fields.items():
        called = before + (field.alias or name)
        required = usual is None and field.is_required()
        default: Any = None
        if not required:
            default = field.get_default(call_default_factory=True) if usual is None else getattr(usual, name)
        yield Setting(
            name=called,
            type=in_words(field.annotation, field.metadata),
            required=required,
            default=_plain(default),
            range=" and ".join(dict.fromkeys(_limits(field))),
            help=" ".join((field.description or told.get(name, "")).split()),
        )
        for inner, step in _groups_in(field.annotation):
            if inner not in (*outer, model):
                yield from _settings(
                    inner, f"{called}{step}.", (*outer, model), default if isinstance(default, inner) else None
                )


def _plain(value: Any) -> Any:
    if isinstance(value, Plugin):
        return value.settings()
    if value is PydanticUndefined:
        return None
    try:
        return to_jsonable_python(value, by_alias=True)
    except ValueError:  # of a kind that no recipe can hold
        return repr(value)


# ---------------------------------------------------------------- types


def in_words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """What a value may be, as a reader of YAML would say it."""
    if _is_location(metadata):
        return "path or name"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(arguments[0], annotation.__metadata__)
    if origin in (Union, UnionType):
        members = [one for one in arguments if one is not NoneType]
        return " or ".join(dict.fromkeys(map(in_words, members)))
    if origin is Literal:
        return " or ".join("nothing" if one is None else str(_yaml(one)) for one in arguments)
    if origin in (list, tuple, set, frozenset):
        inside = [one for one in arguments if one is not Ellipsis]
        return f"list of {' and '.join(dict.fromkeys(map(in_words, inside)))}" if inside else "list"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {in_words(arguments[0])} to {in_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Plugin):
        return NOUN.get(getattr(annotation, "group", ""), "plugin")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return _WORDS.get(annotation) or str(getattr(annotation, "__name__", annotation))


def _yaml(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _is_location(metadata: Iterable[Any]) -> bool:
    return any(one in Location.__metadata__ for one in metadata)  # type: ignore[attr-defined]


def _groups_in(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """The classes of settings within settings, each with what stands between the two names."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and not issubclass(annotation, Plugin):
        yield annotation, ""
    elif origin is Annotated:
        yield from _groups_in(arguments[0])
    elif origin in (Union, UnionType):
        for one in arguments:
            yield from _groups_in(one)
    elif origin in (list, tuple):
        for one in arguments:
            yield from ((inner, f"[]{step}") for inner, step in _groups_in(one))
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from ((inner, f".NAME{step}") for inner, step in _groups_in(arguments[1]))


# ---------------------------------------------------------------- ranges


def _limits(field: FieldInfo) -> Iterator[str]:
    for one in (*field.metadata, *_within(field.annotation)):
        for name, text in (*_LIMITS, *_LENGTHS):
            if (limit := getattr(one, name, None)) is not None and not isinstance(limit, Callable):  # type: ignore[arg-type]
                yield text.format(limit)
        if isinstance(pattern := getattr(one, "pattern", None), str):
            yield f"matches {pattern}"


def _within(annotation: Any) -> Iterator[Any]:
    """What an annotation says of the values inside of it."""
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
    for one in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield from _within(one)


# ---------------------------------------------------------------- help


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each setting; the nearest counts."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _told(inspect.cleandoc(base.__doc__ or ""))
    return found


def _told(text: str) -> dict[str, str]:
    """The entries under ``Attributes:``; one may be about several names."""
    _, _, section = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section.rstrip()):
        if entry and not entry.startswith(" "):
            break  # the next section, or text again
        names, _, what = entry.strip().partition(": ")
        found |= {name.strip().strip("`"): what for name in names.split(",") if what}
    return found
