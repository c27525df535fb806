"""Takes what this process has registered to those that it starts: by value, since no import would find it there.

A training runs in a process of its own, and so does each entry of a comparison that runs beside others. The sandbox of
``verifier`` loads no plugin, and needs none.
"""

from __future__ import annotations

import base64
import importlib.util
import pickle
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from solon.data.records import Noun
from solon.errors import MissingExtra
from solon.plugins.base import Plugin
from solon.plugins.closures import is_installed
from solon.plugins.groups import GROUPS, NOUN
from solon.plugins.offers import offers_anew
from solon.plugins.registering import Registered, put, registered
from solon.plugins.sources import code_of, remember, source_of


class Sent(Noun):
    """A registered plugin on its way.

    Attributes:
        group, kind: its place.
        code: it, pickled by value, in base64; ``None`` where that cannot be done.
        source, of_code: what ``source_of`` and ``code_of`` say of it where it comes from.
        trouble: why it cannot be sent: the error of whoever uses it there.
        folders: where this process finds modules that are not installed, such as the folder of its script.
    """

    group: str
    kind: str
    code: str | None
    source: str | None = None
    of_code: str | None = None
    trouble: str = ""
    folders: tuple[str, ...] = ()


def sent(*used: Plugin) -> tuple[Sent, ...]:
    """Everything that this process has registered, and the classes of those used that are found in no other way."""
    known = [one for group in GROUPS for one in registered(group)]
    unknown = {(one.group, one.kind): one for one in _unregistered(used)}
    for one in known:
        unknown.pop((one.group, one.kind), None)
    return tuple(map(_sent, [*known, *unknown.values()]))


def _unregistered(used: Iterable[Plugin]) -> Iterator[Registered]:
    for plugin in used:
        installed = any(offer.kind == plugin.kind for offer in offers_anew(plugin.group))
        if plugin.looked_up_in is None and not installed:
            yield Registered(plugin.group, plugin.kind, type(plugin))
        yield from _unregistered(plugin.parts())


def receive(plugins: Iterable[Sent]) -> None:
    """Registers in this process what another has sent. One that could not be sent says so when it is used."""
    for one in plugins:
        # behind all others: they may hold a `datasets.py`, which must not stand in for the package of that name
        sys.path += [folder for folder in one.folders if folder not in sys.path]
        put(_received(one))


def _sent(one: Registered) -> Sent:
    place: dict[str, Any] = {"group": one.group, "kind": one.kind, "folders": _own_folders()}
    if isinstance(one.made, type):
        place |= {"source": source_of(one.made), "of_code": code_of(one.made)}
    said = f"{NOUN[one.group]} {one.kind!r} ({one.target}) cannot go to the process that would use it"
    if importlib.util.find_spec("cloudpickle") is None:
        return Sent(**place, code=None, trouble=f"{said}: {MissingExtra('sending a class of a notebook', 'train')}")
    try:
        return Sent(**place, code=base64.b64encode(_pickled(one.made)).decode("ascii"))
    except Exception as error:  # noqa: BLE001 - whatever the values that it refers to raise
        why = f"{said}: {type(error).__name__}: {error}"
        remedy = "Make such values inside its methods, or put the class into a file and name it as module:Class"
        return Sent(**place, code=None, trouble=f"{why}. {remedy}")


def _own_folders() -> tuple[str, ...]:
    folders = (Path(entry).absolute() for entry in sys.path)
    return tuple(str(folder) for folder in folders if folder.is_dir() and not is_installed(folder))


def _pickled(plugin: Any) -> bytes:
    """By value, with what it uses of its own module, unless that module is installed."""
    import cloudpickle

    module = sys.modules.get(plugin.__module__)
    file = getattr(module, "__file__", None)
    if plugin.__module__ == "__main__" or module is None or (file is not None and is_installed(Path(file))):
        return bytes(cloudpickle.dumps(plugin))
    cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(plugin))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _received(one: Sent) -> Registered:
    if one.code is None:
        return Registered(one.group, one.kind, _nothing, one.trouble)
    try:
        made = pickle.loads(base64.b64decode(one.code))  # noqa: S301 - written by the process that started this one
    except Exception as error:  # noqa: BLE001 - what it refers to may not be importable here
        trouble = (
            f"{NOUN[one.group]} {one.kind!r} cannot be used in this process: {type(error).__name__}: {error}. Put the "
            "class into a file, and name it as module:Class"
        )
        return Registered(one.group, one.kind, _nothing, trouble)
    if isinstance(made, type):
        remember(made, one.source, one.of_code)
    return Registered(one.group, one.kind, made)


def _nothing() -> None:
    """In place of what could not be sent."""
