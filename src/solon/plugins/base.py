"""What a plugin is: one frozen class whose fields are its settings and whose method is its deed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidatorFunctionWrapHandler, WrapValidator

from solon.data.records import digest
from solon.data.showing import settings_shown
from solon.plugins.boundary import answer_of
from solon.plugins.sources import source_of

if TYPE_CHECKING:
    from solon.plugins.testing.served import Served

_base: ContextVar[Path | None] = ContextVar("solon_base_folder", default=None)


@contextmanager
def base_folder(folder: Path | None) -> Iterator[None]:
    """While it is open, relative locations in settings are read from ``folder``: a recipe's own folder."""
    token = _base.set(folder)
    try:
        yield
    finally:
        _base.reset(token)


def base_folder_now() -> Path | None:
    """The folder of the ``base_folder`` that is open."""
    return _base.get()


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


CheckedWith: TypeAlias = "Mapping[str, Any] | Callable[[], Mapping[str, Any]] | Served"
"""Settings as in a recipe, a function that makes them, or a server with the settings that reach it."""


class Settings(BaseModel):
    """Settings of any kind: frozen, closed to unknown keys, so that a misspelt key is an error and never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The settings that are not as they are by default."""
        return settings_shown(self)


class Plugin(Settings):
    """Base of chat models, labelers, trainers and evaluators.

    Class attributes:
        kind: its name in a recipe (``kind: dpo``), equal to the name of its entry point.
        group: the entry-point group it belongs to, e.g. ``solon.trainers``.
        api_version: the ``solon.plugins.API_VERSION`` that it was written for; a third party's should state one.
        checked_with: settings to hold it to its contract with, offline and tiny, where those by default are not: a
            mapping as in a recipe, a function that makes one, or for a model behind a network
            ``solon.plugins.testing.Served``. ``solon plugins check`` and the classes of ``solon.plugins.testing`` read
            it, and nothing else.
    """

    kind: ClassVar[str]
    group: ClassVar[str]
    api_version: ClassVar[str | None] = None
    checked_with: ClassVar[CheckedWith] = {}
    _written: LocationStr | None = PrivateAttr(default=None)
    """Its name in a recipe where that is ``module:Class``, with the folder that the module was looked up in."""

    def settings(self) -> dict[str, Any]:
        """``kind`` and every setting as plain JSON values: what is written to ``run.json`` and shown."""
        return {"kind": self.written, **_fields(self, lambda plugin: plugin.settings())}

    @property
    def looked_up_in(self) -> Path | None:
        """The folder beside which ``module:Class`` was looked up; ``None`` of what is found in another way."""
        return None if self._written is None else self._written.base

    @property
    def written(self) -> str:
        """What a recipe calls it: its ``kind``, or the ``module:Class`` that it was imported by."""
        return self.kind if self._written is None else str(self._written)

    def effects(self) -> dict[str, Any]:
        """As ``settings``, with all that may change a result and nothing else: what decides whether a stage is done.

        Chat models answer with what they *are* (``describe``): another port or time-out makes no other judge.
        """
        return {"kind": self.written, **_fields(self, effects_of)}

    def identity(self) -> str:
        """16 hexadecimal digits that change whenever a setting does."""
        return digest(self.settings())[:16]

    def problems(self) -> list[str]:
        """What would stop it on this machine, found without loading or spending anything: ``solon check`` asks.

        The default asks the plugins among its settings, those in lists and tuples too, and says each problem once.
        """
        return list(dict.fromkeys(problem for plugin in self.parts() for problem in answer_of(plugin, "problems")))

    def parts(self) -> Iterator[Plugin]:
        """The plugins among its settings, those in lists, tuples and settings within settings too."""
        return _parts(self)


def effects_of(plugin: Plugin) -> dict[str, Any]:
    """Its ``effects``, and where no package's version stands for its source that source's hash: see ``sources``."""
    source = source_of(type(plugin))
    effects = answer_of(plugin, "effects")
    return effects if source is None else {**effects, "source code": source}


def values_of(settings: BaseModel) -> Iterator[Any]:
    """The value of each setting; of a list, each of its items."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        yield from value if isinstance(value, list | tuple) else (value,)


def _parts(settings: BaseModel) -> Iterator[Plugin]:
    for part in values_of(settings):
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
