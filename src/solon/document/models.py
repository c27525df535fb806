"""Which pydantic models a place in a document may be: what the names of its keys are offered from."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from solon.document.place import Loc
from solon.errors import PluginError


def models_at(model: type[BaseModel], loc: Loc, data: Any) -> list[type[BaseModel]]:
    """The models that the value at ``loc`` is checked against, given that ``data`` is checked against ``model``."""
    here: list[Any] = list(_members(model, data))
    for step in loc:
        inside = data.get(step) if isinstance(data, dict) else None
        if isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data):
            inside = data[step]
        below = [member for each in here for child in _children(each, step) for member in _members(child, inside)]
        if below:
            here, data = below, inside
        # otherwise the step names a member of a union, and the value is the same
    return [each for each in here if isinstance(each, type) and issubclass(each, BaseModel)]


def field_names(model: type[BaseModel]) -> list[str]:
    """The keys that a model reads, in their order, as they are written in a file; ``kind`` first for a plugin."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return ["kind", *names] if isinstance(getattr(model, "kind", None), str) else names


def _members(annotation: Any, data: Any) -> Iterator[Any]:
    """The alternatives of a type, each plugin base replaced by the plugin that ``data`` names."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0], data)
    elif origin in {Union, UnionType}:
        for member in get_args(annotation):
            yield from _members(member, data)
    else:
        yield _plugin(annotation, data) or annotation


def _children(annotation: Any, step: str | int) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from (f.annotation for name, f in annotation.model_fields.items() if step in {name, f.alias})
        return
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, dict):
        yield from arguments[1:]
    elif origin in {list, tuple, set, frozenset} and isinstance(step, int):
        yield from arguments


def _plugin(annotation: Any, data: Any) -> type[BaseModel] | None:
    """The class of the plugin that ``data`` stands for where a base class such as ``Labeler`` is asked for."""
    group = getattr(annotation, "group", None)
    kind = data.get("kind") if isinstance(data, dict) else data
    if not isinstance(group, str) or not isinstance(kind, str) or hasattr(annotation, "kind"):
        return None
    from solon.plugins.registry import load  # here, since most documents hold no plugin

    try:
        found: type[BaseModel] = load(group, kind)
    except PluginError:
        return None  # validation has said so
    return found
