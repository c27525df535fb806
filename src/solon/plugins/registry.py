"""Finds plugins by name, and loads one when it is used.

A name is that of an entry point of an installed package, of a class that this process has registered, or
``module:Class`` in a recipe that allows it. solon's own models, labelers, trainers and evaluators are registered in the
same entry-point groups as anyone's. Listing imports nothing; loading one imports that one. An unknown name, a clash, or
a plugin that does not load is an error that names the package and what to do; it is never a warning, and no name is
ever changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from solon.errors import PluginError
from solon.evaluation.base import Evaluator
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.base import LocationStr, Plugin
from solon.plugins.boundary import place_of
from solon.plugins.groups import GROUPS as GROUPS
from solon.plugins.groups import NOUN as NOUN
from solon.plugins.groups import a_noun
from solon.plugins.hints import meant
from solon.plugins.importing import recipe_folder
from solon.plugins.loading import imported, loaded
from solon.plugins.offers import OURS, offers_anew
from solon.plugins.offers import Offer as Offer
from solon.plugins.offers import offers as offers
from solon.plugins.registering import registered
from solon.trainers.base import Trainer

_IMPORT = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


def kinds(group: str) -> list[str]:
    """The names that may be used in a group, without loading any: of installed packages, then registered ones."""
    installed = [offer.kind for offer in offers(group) if not offer.refused]
    return list(dict.fromkeys([*installed, *(one.kind for one in registered(group))]))


def load(group: str, kind: str) -> Any:
    """The class (or, for constitutions, the callable) that ``kind`` names in ``group``.

    Raises:
        PluginError: nobody offers it (with the nearest name), several packages do, it may not be loaded, or it does not
            load.
        Interrupted: somebody pressed Ctrl-C while it was being imported.
    """
    if ":" in kind:
        return imported(group, kind)
    if (own := next((one for one in registered(group) if one.kind == kind), None)) is not None:
        if own.trouble:
            raise PluginError(own.trouble)
        return own.made
    known = [offer for offer in offers(group) if offer.kind == kind] or [
        offer for offer in offers_anew(group) if offer.kind == kind
    ]
    usable = [offer for offer in known if not offer.refused]
    if len(usable) > 1:
        packages = " and ".join(offer.package for offer in usable)
        raise PluginError(
            f"{NOUN[group]} {kind!r} is offered by several packages: {'; '.join(map(str, usable))}. Choose one of "
            f"{packages}: uninstall the others, or leave them out by SOLON_PLUGINS, which names the packages to load: "
            f"SOLON_PLUGINS={usable[0].package}"
        )
    if usable:
        return loaded(usable[0])
    if known:
        return loaded(known[0])  # says why not
    there = {each: kinds(each) for each in GROUPS}
    hint = meant(group, kind, there)
    raise PluginError(f"no {NOUN[group]} is called {kind!r}; installed: {', '.join(there[group]) or 'none'}{hint}")


def packages_of(plugins: Iterable[Plugin]) -> dict[str, str]:
    """The third-party packages that some plugins and those among their settings are from, with their versions."""
    found: dict[str, str] = {}
    for plugin in plugins:
        top = type(plugin).__module__.partition(".")[0]
        if top != OURS:
            known = (offer for offer in offers(plugin.group) if offer.kind == plugin.kind and not offer.refused)
            found |= {
                offer.package: offer.version for offer in known if offer.target.startswith((f"{top}.", f"{top}:"))
            }
        found |= packages_of(plugin.parts())
    return found


def create(group: str, value: Any) -> Any:
    """A plugin from what a recipe says: a name, or a mapping with ``kind`` and settings. An instance stays as it is.

    Raises:
        ValueError: it is no mapping, has no ``kind``, the kind is unknown, or its class raises what it should not.
        PydanticCustomError: the settings are not the plugin's; ``ctx["error"]`` holds every error.
    """
    if isinstance(value, Plugin):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping):
        raise ValueError(f"{a_noun(group)} is a name or a mapping with `kind`")
    if "kind" not in value:
        raise ValueError(f"`kind` is missing: which {NOUN[group]}? Installed: {', '.join(kinds(group))}")
    settings = dict(value)
    kind = str(settings.pop("kind"))
    try:
        plugin = load(group, kind)
    except PluginError as error:
        raise ValueError(str(error)) from error
    try:
        made = plugin.model_validate(settings)
    except ValidationError as error:
        # carries the inner errors and the class they are about, so that each is shown at its own place in the file
        raise PydanticCustomError(
            "plugin", "not the settings of this plugin", {"error": error, "model": plugin}
        ) from None
    except PydanticCustomError:
        raise
    except Exception as error:  # what a third party's validator may raise; pydantic takes ValueError alone
        if plugin.__module__.partition(".")[0] == "solon":
            raise
        raise ValueError(
            f"{NOUN[group]} {kind!r} ({place_of(plugin)}) raised {type(error).__name__}: {error}, when its settings "
            "were read. Report it to its authors"
        ) from error
    if ":" in kind:
        written = LocationStr(kind)
        written.base = recipe_folder()
        made._written = written
    return made


class _Named:
    """Makes a field accept a plugin's mapping, and tells editors which kinds there are and what each can be set to."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any) -> Any:
            return create(self.group, value)

        return core_schema.no_info_before_validator_function(validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        name = {"anyOf": [{"enum": kinds(self.group)}, {"type": "string", "pattern": _IMPORT}]}
        return {
            "description": f"{a_noun(self.group)}: its name, or a mapping with `kind` and settings",
            "anyOf": [*name["anyOf"], {"type": "object", "properties": {"kind": name}, "required": ["kind"]}],
        }


AnyChatModel = Annotated[ChatModel, _Named("solon.models")]
"""A pydantic field type: a chat model, or the mapping with ``kind`` that a recipe holds in its place."""
AnyLabeler = Annotated[Labeler, _Named("solon.labelers")]
"""A pydantic field type: a labeler, or its mapping."""
AnyTrainer = Annotated[Trainer, _Named("solon.trainers")]
"""A pydantic field type: a trainer, or its mapping."""
AnyEvaluator = Annotated[Evaluator, _Named("solon.evaluators")]
"""A pydantic field type: an evaluator, or its mapping."""
