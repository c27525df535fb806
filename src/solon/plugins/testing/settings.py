"""The clauses that every plugin keeps, whatever its group: it is one frozen class whose fields are its settings."""

from __future__ import annotations

import base64
import inspect
import json
import os
import pickle
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from solon.constitution.schema import described
from solon.errors import PluginError
from solon.plugins.base import Plugin, Settings
from solon.plugins.compatibility import API_VERSION, misfit
from solon.plugins.testing.clauses import Broken, Clause, Unchecked, clause, raised, some
from solon.plugins.testing.subject import CANARY, Subject, probed

ALL: list[Clause[Subject[Any]]] = []
"""The clauses of all groups but constitutions."""

_SECRET = re.compile(r"(^|_)(api_?key|secret|password|passwd|token|credentials?)$")


@clause(ALL, "installed", "is what its entry point names, under its own kind", "a recipe finds it by that name")
def _installed(subject: Subject[Plugin]) -> None:
    cls = subject.cls
    kind = getattr(cls, "kind", None)
    if not isinstance(kind, str) or not kind:
        raise Broken(
            expected="a class attribute `kind`: its name in a recipe",
            happened=f"{cls.__name__}.kind is {kind!r}",
            remedy='add `kind: ClassVar[str] = "..."`',
        )
    line = f'[project.entry-points."{cls.group}"]\n{kind} = "{cls.__module__}:{cls.__qualname__}"'
    try:
        found = subject.found
    except PluginError as error:
        raise Broken(
            expected=f"group {cls.group} offers {kind!r}",
            happened=error,
            remedy=f"register it in pyproject.toml, then `pip install -e .`:\n{line}",
        ) from error
    if found is not cls:
        raise Broken(
            expected=f"{kind!r} of group {cls.group} is {cls.__module__}:{cls.__qualname__}",
            happened=f"it is {found.__module__}:{found.__qualname__}",
            remedy=f"choose a kind that nobody has, or let the entry point name this class:\n{line}",
        )


@clause(
    ALL, "api-version", "states the plugin API that it was written for", "another version refuses it with the reason"
)
def _api_version(subject: Subject[Plugin]) -> None:
    stated = subject.cls.api_version
    if stated is None and subject.cls.__module__.startswith("solon."):
        return  # they come with the API itself
    if stated is None or misfit(stated):
        raise Broken(
            expected="a stated version of the plugin API that this solon has",
            happened=misfit(stated) if stated is not None else "none is stated",
            remedy=f'add `api_version: ClassVar[str] = "{API_VERSION}"` to the class',
        )


@clause(ALL, "described", "says what it does, and what each setting means", "`solon plugins show` and editors show it")
def _described(subject: Subject[Plugin]) -> None:
    cls = subject.cls
    if not (cls.__dict__.get("__doc__") or "").strip():
        raise Broken(
            expected="a docstring of its own",
            happened=f"{cls.__name__} has none",
            remedy="say in one sentence what it does, and under `Attributes:` what each setting means",
        )
    if missing := list(_undescribed(cls)):
        raise Broken(
            expected="a description of every setting",
            happened=f"nothing says what {some(missing, 10)} means",
            remedy="give it `Field(description=...)`, or a line under `Attributes:` in the docstring of the class",
        )


def _undescribed(cls: type[BaseModel]) -> Iterator[str]:
    told: set[str] = set()
    for base in cls.__mro__:
        if issubclass(base, Settings) and inspect.getdoc(base):
            for names in described(base)[1]:
                told.update(name.strip() for name in names.split(","))
            # `a, b: ...` describes both
            told.update(
                name.strip()
                for line in re.findall(r"^    ([\w, ]+): ", inspect.getdoc(base) or "", re.MULTILINE)
                for name in line.split(",")
            )
    for name, field in cls.model_fields.items():
        if not field.description and name not in told and field.alias not in told:
            yield name


@clause(ALL, "settings-plain", "gives its settings as plain JSON values", "`run.json` and reports hold them")
def _plain(subject: Subject[Plugin]) -> None:
    settings = subject.plugin.settings()
    try:
        again = json.loads(json.dumps(settings, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Broken(
            expected="settings() of texts, numbers, truth values, lists and mappings",
            happened=error,
            remedy="use field types that pydantic can write as JSON",
        ) from error
    if again != settings:
        raise Broken(
            expected="the same after JSON", happened=f"{settings} became {again}", remedy="use plain field types"
        )


@clause(ALL, "settings-round-trip", "is made again from its own settings", "a run is reproduced from `run.json`")
def _round_trip(subject: Subject[Plugin]) -> None:
    settings = subject.plugin.settings()
    given = {name: value for name, value in settings.items() if name != "kind"}
    try:
        again = subject.cls.model_validate(given)
    except ValidationError as error:
        raise Broken(
            expected="the class takes what settings() gives",
            happened=error,
            remedy="let validators take what they have made",
        ) from error
    if again.settings() != settings or again.identity() != subject.plugin.identity():
        changed = [name for name, value in again.settings().items() if settings.get(name) != value]
        raise Broken(
            expected="the same settings and identity the second time",
            happened=f"{some(changed)} came out differently: {[again.settings()[name] for name in changed][:3]}",
            remedy="keep what was given in the field, and work with what follows from it in a property",
        )


@clause(ALL, "settings-closed", "refuses a setting that it does not have", "a misspelt key would be ignored in silence")
def _closed(subject: Subject[Plugin]) -> None:
    given = {name: value for name, value in subject.plugin.settings().items() if name != "kind"}
    try:
        subject.cls.model_validate({**given, "misspelt_setting": 1})
    except ValidationError as error:
        if any(one["loc"] == ("misspelt_setting",) for one in error.errors()):
            return
        raise Broken(
            expected="an error about `misspelt_setting`", happened=error, remedy="see settings-round-trip"
        ) from error
    raise Broken(
        expected="a validation error about `misspelt_setting: 1`",
        happened="it was taken",
        remedy='leave `extra="forbid"` of solon.plugins.Settings in force: take it out of model_config',
    )


@clause(
    ALL, "settings-frozen", "cannot be changed once it is made", "settings are hashed and written before they are used"
)
def _frozen(subject: Subject[Plugin]) -> None:
    if not subject.cls.model_fields:
        if subject.cls.model_config.get("frozen"):
            return
        names: list[str] = ["its model_config"]
    else:
        names = [name for name in subject.cls.model_fields if not _refuses(subject.plugin, name)]
    if names:
        raise Broken(
            expected="an error when a setting is assigned",
            happened=f"{some(names)} could be assigned",
            remedy="leave `frozen=True` of solon.plugins.Settings in force: take it out of model_config",
        )


def _refuses(plugin: Plugin, name: str) -> bool:
    value = getattr(plugin, name)
    try:
        setattr(plugin, name, value)
    except (ValidationError, TypeError, AttributeError):
        return True
    return False


@clause(ALL, "no-secrets", "holds the name of a key and never the key", "settings are written out, hashed and shown")
def _no_secrets(subject: Subject[Plugin]) -> None:
    for name, field in subject.cls.model_fields.items():
        if _SECRET.search(name) and field.annotation in (str, str | None):
            raise Broken(
                expected="the *name* of an environment variable",
                happened=f"the setting {name!r} takes a text that is written into run.json",
                remedy=f"call it {name}_env, and read os.environ[self.{name}_env] when the key is needed",
            )
    keys = {value for name, value in os.environ.items() if name in set(_named(subject.plugin)) and len(value) > 5}
    keys.add(CANARY)
    plugin = subject.plugin
    for where, text in {
        "settings()": json.dumps(plugin.settings(), default=str),
        "effects()": json.dumps(plugin.effects(), default=str),
        "repr()": repr(plugin),
    }.items():
        if any(key in text for key in keys):
            raise Broken(
                expected="the key nowhere but in the environment",
                happened=f"{where} shows it",
                remedy="read the key inside the method that sends it, and keep it in no field",
            )


def _named(settings: Settings) -> Iterator[str]:
    """The environment variables that settings name."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name.endswith("_env") and isinstance(value, str):
            yield value
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, Settings):
                yield from _named(part)


@clause(ALL, "light-import", "is imported, and its settings read, without torch and its like", "`solon check` is quick")
def _light(subject: Subject[Plugin]) -> None:
    if heavy := subject.elsewhere["heavy"]:
        raise Broken(
            expected=f"`import {subject.cls.__module__}` imports nothing heavy",
            happened=f"it imports {some(heavy, 10)}",
            remedy="import it inside the method that uses it",
        )


@clause(ALL, "picklable", "goes to another process and is the same there", "trainings and checks run in their own")
def _picklable(subject: Subject[Plugin]) -> None:
    try:
        pickled = pickle.dumps(subject.plugin)
    except Exception as error:
        raise Broken(
            expected="pickle.dumps(plugin)",
            happened=raised(error),
            remedy="keep no connection, lock or function in a field or a private attribute",
        ) from error
    if any(callable(value) for value in subject.plugin.__dict__.values()):
        raise Unchecked("a setting holds a function, which is a test's own")
    question = {"module": subject.cls.__module__, "pickle": base64.b64encode(pickled).decode()}
    there = probed(question)["settings"]
    if there != subject.plugin.settings():
        raise Broken(
            expected=f"the same settings there: {subject.plugin.settings()}",
            happened=there,
            remedy="keep all that it is in its fields",
        )
