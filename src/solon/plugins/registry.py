"""Finds plugins through entry points, and loads one when it is used.

solon's own models, labelers, trainers and evaluators are registered in the same entry-point groups as anyone's.
Listing imports nothing; loading one imports that one. An unknown name, a clash, or a plugin that does not load is an
error that names the package and what to do; it is never a warning, and a name is never changed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from solon.errors import PluginError
from solon.evaluation.base import Evaluator
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.models.prices import listed
from solon.plugins.base import Plugin
from solon.trainers.base import Trainer

GROUPS: Mapping[str, type[Plugin] | None] = {
    "solon.models": ChatModel,
    "solon.labelers": Labeler,
    "solon.trainers": Trainer,
    "solon.evaluators": Evaluator,
    "solon.constitutions": None,  # a callable without arguments that returns a Constitution
}
NOUN = {
    "solon.models": "chat model",
    "solon.labelers": "labeler",
    "solon.trainers": "trainer",
    "solon.evaluators": "evaluator",
    "solon.constitutions": "constitution",
}


@dataclass(frozen=True)
class Offer:
    """One name that one installed package offers in one group. Making it imports nothing."""

    group: str
    kind: str
    target: str
    package: str
    version: str
    entry_point: EntryPoint

    def __str__(self) -> str:
        return f"{self.package} {self.version} ({self.target})"


@cache
def offers(group: str) -> tuple[Offer, ...]:
    """All that installed packages offer in a group, sorted by name and package."""
    found = {}
    for point in entry_points(group=group):
        package = point.dist.name if point.dist else "(unknown package)"
        version = point.dist.version if point.dist else "?"
        # one package found twice on the path (an editable install beside its metadata) is one offer
        found[point.name, package, point.value] = Offer(group, point.name, point.value, package, version, point)
    return tuple(offer for _, offer in sorted(found.items()))


def kinds(group: str) -> list[str]:
    """The names offered in a group, without loading any."""
    return list(dict.fromkeys(offer.kind for offer in offers(group)))


def load(group: str, kind: str) -> Any:
    """The class (or, for constitutions, the callable) that ``kind`` names in ``group``.

    Raises:
        PluginError: nobody offers it (with the nearest name), several packages do, or it does not load.
    """
    matching = [offer for offer in offers(group) if offer.kind == kind]
    noun = NOUN[group]
    if not matching:
        raise PluginError(
            f"no {noun} is called {kind!r}; installed: {', '.join(kinds(group)) or 'none'}{_meant(group, kind)}"
        )
    if len(matching) > 1:
        raise PluginError(
            f"{noun} {kind!r} is offered by several packages: {'; '.join(map(str, matching))}. Uninstall all but one"
        )
    (offer,) = matching
    try:
        loaded = offer.entry_point.load()
    except Exception as error:  # whatever a foreign module raises, the user needs its package's name
        raise PluginError(
            f"{noun} {kind!r} of {offer} does not load: {type(error).__name__}: {error}. "
            f"Reinstall or uninstall {offer.package}"
        ) from error
    expected = GROUPS[group]
    if expected is not None and not (isinstance(loaded, type) and issubclass(loaded, expected)):
        raise PluginError(f"{noun} {kind!r} of {offer} is not a subclass of {expected.__module__}.{expected.__name__}")
    if expected is not None and getattr(loaded, "kind", None) != kind:
        raise PluginError(
            f"{noun} {kind!r} of {offer} calls itself {getattr(loaded, 'kind', None)!r}: "
            f"its `kind` must equal the name of its entry point"
        )
    return loaded


def _meant(group: str, kind: str) -> str:
    """What may have been meant by a name that nobody offers in a group; empty where nothing comes to mind."""
    elsewhere = next((other for other in GROUPS if kind in kinds(other)), None)
    if elsewhere is not None:
        noun = NOUN[elsewhere]
        what = f"; {kind!r} is {'an' if noun[0] in 'aeiou' else 'a'} {noun}"
        if (group, elsewhere) == ("solon.labelers", "solon.models"):
            what += f", which goes under `judge`: {{kind: pairwise, judge: {{kind: {kind}, ...}}}}"
        return what
    if near := difflib.get_close_matches(kind, kinds(group), n=1):
        return f" (did you mean {near[0]!r}?)"
    if group == "solon.models":
        provider = next((name for name in ("openai", "anthropic") if listed(name, kind)), "endpoint")
        return f". The name of a model goes under `model`: {{kind: {provider}, model: {kind}}}"
    return ""


def create(group: str, value: Any) -> Any:
    """A plugin from what a recipe says: a name, or a mapping with ``kind`` and settings. An instance stays as it is.

    Raises:
        ValueError: it is no mapping, has no ``kind``, or the kind is unknown.
        PydanticCustomError: the settings are not the plugin's; ``ctx["error"]`` holds every error.
    """
    if isinstance(value, Plugin):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping):
        raise ValueError(f"a {NOUN[group]} is a name or a mapping with `kind`")
    if "kind" not in value:
        raise ValueError(f"`kind` is missing: which {NOUN[group]}? Installed: {', '.join(kinds(group))}")
    settings = dict(value)
    kind = settings.pop("kind")
    try:
        plugin = load(group, str(kind))
    except PluginError as error:
        raise ValueError(str(error)) from error
    try:
        return plugin.model_validate(settings)
    except ValidationError as error:
        # carries the inner errors and the class they are about, so that each is shown at its own place in the file
        raise PydanticCustomError(
            "plugin", "not the settings of this plugin", {"error": error, "model": plugin}
        ) from None


class _Named:
    """Makes a field accept a plugin's mapping, and tells editors which kinds there are and what each can be set to."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any) -> Any:
            return create(self.group, value)

        return core_schema.no_info_before_validator_function(validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        names = kinds(self.group)
        return {
            "description": f"a {NOUN[self.group]}: its name, or a mapping with `kind` and settings",
            "anyOf": [
                {"enum": names},
                {"type": "object", "properties": {"kind": {"enum": names}}, "required": ["kind"]},
            ],
        }


AnyChatModel = Annotated[ChatModel, _Named("solon.models")]
"""A pydantic field type: a chat model, or the mapping with ``kind`` that a recipe holds in its place."""
AnyLabeler = Annotated[Labeler, _Named("solon.labelers")]
"""A pydantic field type: a labeler, or its mapping."""
AnyTrainer = Annotated[Trainer, _Named("solon.trainers")]
"""A pydantic field type: a trainer, or its mapping."""
AnyEvaluator = Annotated[Evaluator, _Named("solon.evaluators")]
"""A pydantic field type: an evaluator, or its mapping."""
