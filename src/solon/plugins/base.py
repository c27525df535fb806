"""What a plugin is: one frozen class whose fields are its settings and whose method is its deed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, WrapValidator

from solon.data.records import digest

_base: ContextVar[Path | None] = ContextVar("solon_base_folder", default=None)


@contextmanager
def base_folder(folder: Path | None) -> Iterator[None]:
    """While it is open, relative locations in settings are read from ``folder``: a recipe's own folder."""
    token = _base.set(folder)
    try:
        yield
    finally:
        _base.reset(token)


class LocationStr(str):
    """A path or hub id as it was written, which remembers the folder that it is relative to."""

    __slots__ = ("base",)
    base: Path | None

    @property
    def resolved(self) -> str:
        """The absolute path if that file or folder exists, otherwise the text as written (a hub id).

        A name in a folder that does exist is taken for a misspelt path, which is an error at once; a hub would be
        asked for it, again and again where there is no network.
        """
        base = self.base or Path()
        path = base / Path(str(self)).expanduser()
        is_a_path = path.exists() or (path.parent != base and path.parent.is_dir())
        return str(path.absolute()) if is_a_path else str(self)


def _locate(value: Any, validate: ValidatorFunctionWrapHandler) -> LocationStr:
    location = LocationStr(validate(value))
    # asked before validation, which makes a plain str of it
    location.base = value.base if isinstance(value, LocationStr) else _base.get()
    return location


Location = Annotated[str, WrapValidator(_locate)]
"""A pydantic field type for a path relative to the recipe, or a hub id. Use ``located(value)`` to open it."""


def located(location: str) -> str:
    """Where a ``Location`` is: an absolute path, or the hub id that was written."""
    return location.resolved if isinstance(location, LocationStr) else str(location)


class Settings(BaseModel):
    """Settings of any kind: frozen, closed to unknown keys, so that a misspelt key is an error and never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Plugin(Settings):
    """Base of chat models, labelers, trainers and evaluators.

    Class attributes:
        kind: its name in a recipe (``kind: dpo``), equal to the name of its entry point.
        group: the entry-point group it belongs to, e.g. ``solon.trainers``.
    """

    kind: ClassVar[str]
    group: ClassVar[str]

    def settings(self) -> dict[str, Any]:
        """``kind`` and every setting as plain JSON values: what is written to ``run.json`` and shown."""
        return {"kind": self.kind, **_fields(self, lambda plugin: plugin.settings())}

    def effects(self) -> dict[str, Any]:
        """As ``settings``, with all that may change a result and nothing else: what decides whether a stage is done.

        Chat models answer with what they *are* (``describe``): another port or time-out makes no other judge.
        """
        return {"kind": self.kind, **_fields(self, lambda plugin: plugin.effects())}

    def identity(self) -> str:
        """16 hexadecimal digits that change whenever a setting does."""
        return digest(self.settings())[:16]

    def problems(self) -> list[str]:
        """What would stop it on this machine, found without loading or spending anything: ``solon check`` asks.

        The default asks the plugins among its settings, those in lists and tuples too, and says each problem once.
        """
        return list(dict.fromkeys(problem for plugin in self.parts() for problem in plugin.problems()))

    def parts(self) -> Iterator[Plugin]:
        """The plugins among its settings, those in lists, tuples and settings within settings too."""
        return _parts(self)


def _parts(settings: BaseModel) -> Iterator[Plugin]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, Plugin):
                yield part
            elif isinstance(part, Settings):
                yield from _parts(part)


def _fields(model: BaseModel, of_plugin: Callable[[Plugin], dict[str, Any]]) -> dict[str, Any]:
    fields = type(model).model_fields.items()
    return {field.alias or name: _plain(getattr(model, name), of_plugin) for name, field in fields}


def _plain(value: Any, of_plugin: Callable[[Plugin], dict[str, Any]]) -> Any:
    """A setting as plain JSON values."""
    if isinstance(value, Plugin):
        return of_plugin(value)
    if isinstance(value, BaseModel):
        return _fields(value, of_plugin)
    if isinstance(value, dict):
        return {str(key): _plain(item, of_plugin) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, of_plugin) for item in value]
    if isinstance(value, int | float | bool) or value is None:
        return value
    return str(value)
