"""The public interface as text: ``python tests/public_api.py`` writes it into ``tests/public_api.txt``.

What ``solon``, ``solon.aio`` and ``solon.plugins`` offer, with arguments and defaults, and every record with its
fields. Annotations stand as they are in the source, so the text is the same with every version of Python.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

SNAPSHOT = Path(__file__).with_suffix(".txt")
_OWN = "solon"


def written() -> str:
    """All of it."""
    import solon
    import solon.aio
    import solon.data.records
    import solon.plugins
    import solon.plugins.testing
    import solon.plugins.training

    parts = {module.__name__: list(_of_module(module)) for module in (solon, solon.aio, solon.plugins)}
    parts["what the calls return"] = [line for one in _returned() for line in _of_class(one.__name__, one)]
    for module in (solon.plugins.training, solon.plugins.testing):
        parts[f"{module.__name__}, names"] = sorted(module.__all__)
    found = _records(solon.data.records).items()
    parts["solon.data.records"] = [line for name, one in found for line in _of_class(name, one)]
    return "\n\n".join(f"# {title}\n\n" + "\n".join(lines) for title, lines in parts.items()) + "\n"


def _returned() -> list[type]:
    from solon.api.building import Datasets
    from solon.api.compared import Compared
    from solon.api.datasets import InFiles, InMemory
    from solon.api.evaluating import Evaluation
    from solon.api.labeling import Labeled
    from solon.api.metrics import Costs, Measured, Metrics
    from solon.api.recorded import Records
    from solon.api.reports import Report
    from solon.api.running import Findings
    from solon.api.sampling import Sampled

    return [
        Compared,
        Costs,
        Datasets,
        Evaluation,
        Findings,
        InFiles,
        InMemory,
        Labeled,
        Measured,
        Metrics,
        Records,
        Report,
        Sampled,
    ]


def _records(module: ModuleType) -> dict[str, type[BaseModel]]:
    return {
        name: found
        for name, found in sorted(vars(module).items())
        if inspect.isclass(found) and issubclass(found, BaseModel) and not name.startswith("_")
    }


def _of_module(module: ModuleType) -> Iterator[str]:
    for name in sorted(module.__all__):
        found = getattr(module, name)
        if inspect.isclass(found) and found.__module__.startswith(_OWN):
            # records have their fields below
            own = found.__module__.startswith(("solon.data.", "solon.errors"))
            yield from [f"class {name}"] if own else _of_class(name, found)
        elif inspect.isfunction(found):
            yield f"{_async(found)}{name}{_signature(found)}"
        elif inspect.ismodule(found):
            yield f"module {name}"
        elif name == "__version__":
            yield name
        elif isinstance(found, int | str):
            yield f"{name} = {found!r}"
        else:
            yield name


def _of_class(name: str, found: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in found.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    fields = found.model_fields if issubclass(found, BaseModel) else {}
    for field, about in fields.items():
        yield f"    {field}: {_annotation(found, field)}{_default(about)}"
    stated = {} if fields else _stated(found)
    for field, annotation in stated.items():
        yield f"    {field}: {annotation}"
    for member, value in sorted(_members(found).items()):
        if member in stated:
            continue
        if isinstance(value, property | cached_property):
            getter = value.fget if isinstance(value, property) else value.func
            yield f"    .{member} -> {_said(getter.__annotations__.get('return', 'Any')) if getter else 'Any'}"
        elif isinstance(value, classmethod | staticmethod):
            yield f"    {member}{_signature(value.__func__)}"
        elif inspect.isfunction(value):
            yield f"    {_async(value)}{member}{_signature(value)}"


def _stated(found: type) -> dict[str, str]:
    """What a class that is no model says that its objects have."""
    stated: dict[str, str] = {}
    for base in reversed(found.__mro__):
        if base.__module__.split(".")[0] == _OWN:
            own = inspect.get_annotations(base).items()
            stated |= {name: _said(annotation) for name, annotation in own if not name.startswith("_")}
    return stated


def _members(found: type) -> dict[str, Any]:
    """Its public methods and properties, those of our own bases too."""
    members: dict[str, Any] = {}
    for base in reversed(found.__mro__):
        if base.__module__.split(".")[0] == _OWN:
            members.update(vars(base))
    made = {"__init__": members["__init__"]} if issubclass(found, Exception) and "__init__" in members else {}
    return made | {name: value for name, value in members.items() if not name.startswith(("_", "model_"))}


def _annotation(found: type, field: str) -> str:
    for base in found.__mro__:
        if field in vars(base).get("__annotations__", {}):
            return _said(base.__annotations__[field])
    return "Any"


def _default(field: Any) -> str:
    if field.is_required():
        return ""
    return " = ..." if field.default_factory is not None else f" = {field.default!r}"


def _async(function: Any) -> str:
    return "async " if inspect.iscoroutinefunction(function) else ""


def _signature(function: Any) -> str:
    found = inspect.signature(function)
    empty = inspect.Parameter.empty
    given = [
        one if one.annotation is empty else one.replace(annotation=_Said(_said(one.annotation)))
        for one in found.parameters.values()
    ]
    gives = found.return_annotation
    return str(found.replace(parameters=given, return_annotation=gives if gives is empty else _Said(_said(gives))))


class _Said:
    """Shown without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _said(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


if __name__ == "__main__":
    SNAPSHOT.write_text(written(), "utf-8")
