"""What is wrong with something that claims to be a plugin: found on the class itself, before any instance is made."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

from solon.plugins.base import Plugin
from solon.plugins.compatibility import misfit
from solon.plugins.groups import CONSTITUTIONS, DEEDS, GROUPS
from solon.trainers.base import Trainer

_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def fault(plugin: Any, group: str, kind: str | None) -> str:
    """What keeps ``plugin`` from being one, as the end of a sentence about it; empty where nothing does.

    Args:
        plugin: what an entry point, a decorator or a recipe names.
        group: the entry-point group.
        kind: the name that it is offered under; ``None`` where it is not offered under any.
    """
    if wrong := misfit_of(plugin):
        return wrong
    if group == CONSTITUTIONS:
        return "" if callable(plugin) else "is no function without arguments that returns a Constitution"
    base = GROUPS[group]
    assert base is not None
    if not (isinstance(plugin, type) and issubclass(plugin, base)):
        return f"is not a subclass of {base.__module__}.{base.__name__}"
    if "kind" in plugin.model_fields:
        return "has its `kind` as a setting: write `kind: ClassVar[str] = ...`"
    own = getattr(plugin, "kind", None)
    if kind is not None and own != kind:
        return f"calls itself {own!r}: its `kind` must equal the name of its entry point"
    if not isinstance(own, str) or not _KIND.fullmatch(own):
        return f"calls itself {own!r}: its `kind` must be a name of letters, digits, `-`, `_` and `.`"
    return _fault_of_class(plugin, base, group)


def _fault_of_class(plugin: type[Plugin], base: type[Plugin], group: str) -> str:
    deeds = DEEDS[group]
    if not any(getattr(plugin, deed) is not getattr(base, deed) for deed in deeds):
        return f"does not implement {' or '.join(f'{deed}()' for deed in deeds)}"
    if inspect.isabstract(plugin):
        return f"is abstract: it does not implement {', '.join(sorted(plugin.__abstractmethods__))}"
    if plugin.group != group:
        return f"says that its group is {plugin.group!r}, and it is offered in {group!r}"
    if issubclass(plugin, Trainer) and not hasattr(plugin, "consumes"):
        return "does not say what it consumes: `consumes: ClassVar[type[Record]] = Preference`, Rating, Task or another"
    config = plugin.model_config
    if config.get("frozen") is not True or config.get("extra") != "forbid":
        return "is not closed: its settings must be frozen and forbid what is unknown; take its own `model_config` out"
    return ""


def misfit_of(plugin: Any) -> str:
    """Why it does not fit this version of solon's plugin API; empty where it does, or states none."""
    stated = stated_version(plugin)
    return misfit(stated) if stated is not None else ""


def stated_version(plugin: Any) -> object:
    """The ``api_version`` of a class; of a function its own, or its module's. ``None`` where none is stated."""
    own = getattr(plugin, "api_version", None)
    if own is None and not isinstance(plugin, type):
        own = getattr(sys.modules.get(getattr(plugin, "__module__", "")), "api_version", None)
    return own
