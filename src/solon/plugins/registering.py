"""``@solon.plugins.register``: a plugin that is written in a notebook or a script, and in no installed package.

::

    @solon.plugins.register
    class Brevity(Labeler):
        kind: ClassVar[str] = "brevity"
        ...

It is there for as long as this process runs, and in those that it starts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from solon.errors import PluginError
from solon.plugins.checks import fault
from solon.plugins.groups import CONSTITUTIONS, GROUPS, NOUN
from solon.plugins.offers import offers

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Registered:
    """A class, or the function of a constitution, that this process has registered.

    Attributes:
        group, kind: its place.
        made: it.
        trouble: why it cannot be used here, of one that another process could not send.
    """

    group: str
    kind: str
    made: Callable[..., Any]
    trouble: str = ""

    @property
    def target(self) -> str:
        """``module:name`` of what is registered."""
        return f"{self.made.__module__}:{self.made.__qualname__}"


_registered: dict[tuple[str, str], Registered] = {}


def register(plugin: T) -> T:
    """Makes a class a plugin of this process under its own ``kind``, in the group of its base class. A decorator.

    A function without arguments that returns a ``Constitution`` is one under its own name. Registering a class of the
    same module and name again replaces it, as running a notebook's cell again does.

    Args:
        plugin: a frozen class that derives from ``ChatModel``, ``Labeler``, ``Trainer`` or ``Evaluator``.

    Returns:
        It, unchanged.

    Raises:
        PluginError: it is no plugin, or its kind is that of an installed one or of another class that is registered.
    """
    group, kind = _place(plugin)
    said = f"{NOUN[group]} {kind!r} ({plugin.__module__}.{plugin.__qualname__})"
    if wrong := fault(plugin, group, kind):
        raise PluginError(f"{said} cannot be registered: it {wrong}")
    if taken := next((offer for offer in offers(group) if offer.kind == kind), None):
        raise PluginError(f"{said} cannot be registered: {taken} is installed under that name. Give it another `kind`")
    known = _registered.get((group, kind))
    if known is not None and _name(known.made) != _name(plugin):
        raise PluginError(
            f"{said} cannot be registered: {'.'.join(_name(known.made))} has that name. Give it another `kind`, or "
            f"take the other back first: solon.plugins.unregister({known.made.__name__})"
        )
    _registered[group, kind] = Registered(group, kind, plugin)
    return plugin


def unregister(plugin: Callable[..., Any]) -> None:
    """Takes back what ``register`` did.

    Raises:
        PluginError: it is not registered.
    """
    place = next((place for place, known in _registered.items() if _name(known.made) == _name(plugin)), None)
    if place is None:
        raise PluginError(f"{'.'.join(_name(plugin))} is not registered")
    del _registered[place]


def registered(group: str) -> tuple[Registered, ...]:
    """What this process has registered in a group, by name."""
    return tuple(_registered[place] for place in sorted(_registered) if place[0] == group)


def put(one: Registered) -> None:
    """Registers what another process had registered, as it was there."""
    _registered[one.group, one.kind] = one


def _place(plugin: Any) -> tuple[str, str]:
    """Group and kind."""
    if inspect.isfunction(plugin):
        return CONSTITUTIONS, plugin.__name__
    bases = {base: group for group, base in GROUPS.items() if base is not None}
    group = next(
        (group for base, group in bases.items() if isinstance(plugin, type) and issubclass(plugin, base)), None
    )
    if group is None:
        names = ", ".join(base.__name__ for base in bases)
        raise PluginError(
            f"{plugin!r} cannot be registered: it derives from none of {names}, and is no function that returns a "
            f"Constitution"
        )
    kind = getattr(plugin, "kind", None)
    if not isinstance(kind, str) or not kind:
        example = plugin.__name__.lower()
        raise PluginError(
            f'{plugin.__name__} cannot be registered: give it a name, `kind: ClassVar[str] = "{example}"`'
        )
    return group, kind


def _name(plugin: Callable[..., Any]) -> tuple[str, str]:
    return plugin.__module__, plugin.__qualname__
