"""The source of a plugin that no package version stands for: its hash decides whether a stage is done again.

A class in a notebook, in a script or in a file beside a recipe changes under one's hands, and so does a package that is
installed as editable. What they would do now must not be taken for what they did then.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from solon.data.records import digest
from solon.plugins.closures import closure, is_installed, root_of
from solon.plugins.notebook_sources import made_of

_known: WeakKeyDictionary[type, tuple[str | None, str | None]] = WeakKeyDictionary()


def source_of(plugin: type) -> str | None:
    """16 hexadecimal digits that change with the source of a class; ``None`` where a package's version stands for it.

    Of a class in a file: that file, and those beside it that it imports, at any depth. Of one in a notebook or in the
    script that is running: the class, and the functions, classes and plain values of the same place that it uses.
    """
    return _sources(plugin)[0]


def code_of(plugin: type) -> str | None:
    """As ``source_of``, without the values of a notebook or script: of a model in the ledger's key.

    A counter there must not make another model of it, whose replies are asked for again.
    """
    return _sources(plugin)[1]


def remember(plugin: type, source: str | None, code: str | None) -> None:
    """Says what the two are of a class that another process has sent, as that process knows it."""
    _known[plugin] = source, code


def _sources(plugin: type) -> tuple[str | None, str | None]:
    if plugin in _known:
        return _known[plugin]
    module = sys.modules.get(plugin.__module__)
    if plugin.__module__ == "__main__" or getattr(module, "__file__", None) is None:
        # asked anew each time: the cell with a function that it uses may be run again without its own
        both = (digest(sorted(set(made_of(plugin, values=values))))[:16] for values in (True, False))
        return next(both), next(both)
    source = _of_file(plugin.__module__, module)
    _known[plugin] = source, source
    return source, source


def _of_file(name: str, module: ModuleType | None) -> str | None:
    file = str(getattr(module, "__file__", ""))
    if name.partition(".")[0] == "solon":
        return None
    if loaded := getattr(module, "__solon_source__", None):
        return str(loaded)  # as it was when it was loaded: the file may have changed since
    if is_installed(Path(file)):
        return None
    return None if module is None else closure(Path(file), root_of(module))
