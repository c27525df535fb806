"""The pages of what Python code imports: the API, the door for plugins, the records and the errors."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import solon
import solon.data.records
import solon.data.results
import solon.errors
import solon.plugins.testing
import solon.plugins.training
from reference import source
from reference.markdown import code, page, prose, table
from reference.objects import section
from solon.data.identity import Noun, Record
from solon.errors import SolonError


def api() -> str:
    """What ``import solon`` offers."""
    names = [name for name in solon.__all__ if not name.startswith("__")]
    told = _elsewhere()
    return page(
        "The Python API",
        "What `import solon` offers. [Python](../python.md) shows how it is used.",
        _links(names, told),
        *_sections(solon, [name for name in names if name not in told]),
    )


def plugin_api() -> str:
    """What ``import solon.plugins`` offers to authors of plugins."""
    told = _elsewhere()
    return page(
        "What plugins import",
        prose(solon.plugins.__doc__),
        _links(solon.plugins.__all__, told),
        *_sections(solon.plugins, [name for name in solon.plugins.__all__ if name not in told]),
    )


def training_api() -> str:
    """What ``import solon.plugins.training`` offers to authors of trainers; told without importing torch."""
    return page(
        "What trainers import",
        prose(solon.plugins.training.__doc__),
        *(source.section(name, module) for name, module in sorted(source.offered("solon.plugins.training"))),
    )


def testing_api() -> str:
    """What ``import solon.plugins.testing`` offers to the tests of plugins."""
    return page(
        "What plugins are tested with",
        prose(solon.plugins.testing.__doc__),
        *_sections(solon.plugins.testing, solon.plugins.testing.__all__),
    )


def records() -> str:
    """Every record, on one page."""
    return page(
        "Records",
        prose(solon.data.records.__doc__),
        *(section(name, found) for name, found in _records().items()),
    )


def errors() -> str:
    """Every error, with the exit code of a command that ends with it."""
    found = _errors().items()
    return page(
        "Errors and exit codes",
        prose(solon.errors.__doc__),
        "## Exit codes",
        "Of the command line, by the error that ended it. [All of them](cli.md#exit-codes).",
        table(("error", "exit code"), ((code(name), str(error.exit_code)) for name, error in found)),
        *(section(name, error) for name, error in found),
    )


def _sections(module: ModuleType, names: Iterable[str]) -> list[str]:
    assigned = dict(source.offered(module.__name__))
    return [section(name, getattr(module, name), assigned.get(name, "")) for name in names]


def _records() -> dict[str, type]:
    return _defined((Noun, Record), solon.data.records, solon.data.results)


def _errors() -> dict[str, type[SolonError]]:
    return _defined(SolonError, solon.errors)


def _defined(base: type | tuple[type, ...], *modules: ModuleType) -> dict[str, Any]:
    return {
        name: found
        for module in modules
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, base) and found.__module__ == module.__name__
    }


def _elsewhere() -> dict[str, str]:
    """The names that have a page of their own, and that page."""
    return {**dict.fromkeys(_records(), "records.md"), **dict.fromkeys(_errors(), "errors.md")}


def _links(names: Any, told: dict[str, str]) -> str:
    """A word on those of the names that are told of elsewhere."""
    there = [f"[{name}]({told[name]}#{name.lower()})" for name in names if name in told]
    return f"Told of elsewhere: {', '.join(there)}." if there else ""
