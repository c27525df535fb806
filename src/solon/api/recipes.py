"""A recipe however it is given: a file, a mapping as the file would hold it, or a ``Recipe``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from solon.document import Document, Loc
from solon.errors import InputError, Problem, RecipeError
from solon.overriding import merged_document, overridden
from solon.plugins.base import LocationStr, Plugin, values_of
from solon.recipe import Opened, Recipe, read, validated
from solon.tracking import Tracker

AnyRecipe: TypeAlias = "str | Path | Mapping[str, Any] | Recipe"
Overrides: TypeAlias = "Mapping[str, Any] | Sequence[str] | None"
_NAME = "recipe.yaml"


def opened(recipe: AnyRecipe, overrides: Overrides = None, sets: str | Sequence[str] = ()) -> Opened:
    """The recipe as every verb takes it.

    Args:
        recipe: the path of a file; or a mapping of what the file would say, in which instances may stand in place of
            plugins; or a ``Recipe``. The latter two are named as a ``recipe.yaml`` in the current folder would be, and
            paths in a mapping are relative to that folder.
        overrides: values in place of the recipe's, by key: ``{"train.beta": 0.05}``, or ``["train.beta=0.05"]`` as
            on the command line.
        sets: variations of the recipe, as they stand under ``sets``; each is merged over the ones before.

    Raises:
        RecipeError: with every problem.
    """
    remedy = "give the path of a file, a mapping of what it would say, or a Recipe"
    refuse_unlike(recipe, (str, Path, Mapping, Recipe), "recipe", remedy)
    values = typed(overrides)
    named = (sets,) if isinstance(sets, str) else tuple(sets)
    if isinstance(recipe, str | Path):
        return read(Path(recipe), values, named)
    if isinstance(recipe, Recipe):
        if recipe.phases or values or named:
            _refuse_functions(recipe, "recipe")
        if not values and not named:
            folder = _folder_of(recipe)
            return Opened(recipe, folder / _NAME, plain(recipe, folder))
        recipe = plain(recipe, Path.cwd())
    if recipe.get("phases"):
        _refuse_functions(recipe, "recipe")
    return _of_mapping(recipe, values, named)


def _of_mapping(recipe: Mapping[str, Any], values: Sequence[str], sets: Sequence[str]) -> Opened:
    document = Document("recipe", dict(recipe))
    for name in sets:
        known = document.data.get("sets") or {}
        if not isinstance(known, Mapping):
            break  # validation says what `sets` is
        if name not in known:
            there = ", ".join(known) or "none"
            raise RecipeError([Problem("", f"this recipe has no set {name!r}; its sets: {there}")])
        document = merged_document(document, ("sets", name))
    document = InCode("recipe", overridden(document.data, values))
    path = Path.cwd() / _NAME
    found = validated(document, path)
    data = {key: _values(value, path.parent) for key, value in document.data.items() if key != "sets"}
    return Opened(found, path, data, document=replace(document, data=data))


def refuse_unlike(
    given: object, kinds: tuple[type, ...], what: str, remedy: str, error: type[InputError] = RecipeError
) -> None:
    """Says of an argument of another type, or of an empty text, what it is and what to give.

    Raises:
        InputError: ``error``, where it is empty or of none of these ``kinds``.
    """
    if isinstance(given, str) and not given.strip():  # as a path it would be the current folder
        raise error([Problem(what, "is an empty text", remedy)])
    if not isinstance(given, kinds):
        found = "None" if given is None else f"of type {type(given).__name__}"
        raise error([Problem(what, f"is {found}", remedy)])


class InCode(Document):
    """What stands in no file: its places are keys."""

    def place(self, loc: Loc) -> str:
        """As ``recipe.train.beta``."""
        return ".".join(filter(None, [self.name, *map(str, loc)]))

    def key_place(self, loc: Loc) -> str:
        """The same."""
        return self.place(loc)


def typed(overrides: Overrides) -> list[str]:
    """As they would be typed on the command line."""
    if overrides is None:
        return []
    if isinstance(overrides, str):
        raise RecipeError([Problem("overrides", "is a text", 'give a mapping: overrides={"train.beta": 0.05}')])
    if not isinstance(overrides, Mapping):
        return list(overrides)
    _refuse_functions(overrides, "overrides")
    return [f"{key}={json.dumps(_values(value, None), ensure_ascii=False)}" for key, value in overrides.items()]


def _folder_of(recipe: Recipe) -> Path:
    """What most of its paths are relative to."""
    return next((each.base for each in _locations(recipe) if each.base is not None), Path.cwd())


def _locations(settings: BaseModel) -> Iterator[LocationStr]:
    for each in values_of(settings):
        if isinstance(each, LocationStr):
            yield each
        elif isinstance(each, BaseModel):
            yield from _locations(each)


def plain(settings: BaseModel, folder: Path | None) -> dict[str, Any]:
    """What was set, as a recipe in ``folder`` would say it: only what is not as it is by default."""
    found: dict[str, Any] = {}
    if isinstance(settings, Plugin | Tracker):
        found["kind"] = settings.written if isinstance(settings, Plugin) else settings.kind
    own = settings.settings() if isinstance(settings, Plugin) else {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if field.is_required() or not _is_usual(value, field):
            key = field.alias or name
            # a function appears by its name
            found[key] = own[key] if callable(value) and key in own else _values(value, folder)
    return found


def _is_usual(value: Any, field: FieldInfo) -> bool:
    usual = field.get_default(call_default_factory=True)
    if value == usual or type(value) is type(usual) or value is None or usual is None:
        return bool(value == usual)
    # a default may be short for what is made of it
    annotated: Any = Annotated[field.annotation, field]
    return bool(value == TypeAdapter(annotated).validate_python(usual))


def _refuse_functions(value: Any, name: str) -> None:
    """Of phases, and of what is overridden, only what a file could say is read.

    Raises:
        RecipeError: a setting holds a function.
    """
    if found := list(_functions(value, name)):
        said = "holds a function, which no file could say: phases and overrides read what a file would"
        remedy = "put it into a plugin of your own (@solon.plugins.register), or run without them"
        raise RecipeError([Problem(where, said, remedy) for where in found])


def _functions(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _functions(each, f"{where}.{key}")
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from _functions(each, f"{where}.{number}")
    elif callable(value) and not isinstance(value, type):
        yield where


def _values(value: Any, folder: Path | None) -> Any:
    """Plain JSON values; a path that is relative to another folder becomes absolute."""
    if isinstance(value, BaseModel):
        return plain(value, folder)
    if isinstance(value, Mapping):
        return {str(key): _values(each, folder) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_values(each, folder) for each in value]
    if isinstance(value, LocationStr) and (value.base or Path.cwd()) != folder:
        return value.resolved
    return str(value) if isinstance(value, str | Path) else value
