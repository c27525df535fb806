"""``kind: module:Class``: a plugin by where it is, refused unless the recipe says ``allow_import: true``.

The standard library and installed packages come first. A module that is neither is looked up in the recipe's own folder
and becomes part of a package of that folder alone, so that two recipes with files of one name get each their own, and
``sys.path`` stays as it is. A file there imports those beside it by their names, as a script would, and at any time.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from solon.data.records import digest
from solon.plugins.base import base_folder_now
from solon.plugins.closures import closure

_TARGET = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")
_PREFIX = "_beside_recipe_"
_allowed: ContextVar[bool] = ContextVar("solon_imports_allowed", default=False)
REMEDY = "to let this recipe run that module's code, add `allow_import: true` at its top level"


@contextmanager
def imports_of(recipe: Any) -> Iterator[None]:
    """While it is open, ``module:Class`` is allowed if it is in what this recipe says: ``allow_import: true``.

    A recipe that is part of another cannot forbid what the whole allows.
    """
    allowed = isinstance(recipe, Mapping) and recipe.get("allow_import") is True
    with imports_allowed(allowed or _allowed.get()):
        yield


@contextmanager
def imports_allowed(allowed: bool = True) -> Iterator[None]:
    """While it is open, ``module:Class`` is allowed or not, whatever a recipe says."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def are_imports_allowed() -> bool:
    """Whether ``module:Class`` is allowed here and now."""
    return _allowed.get()


def parsed(kind: str) -> tuple[str, str] | None:
    """Module and name of ``module:name``; ``None`` of anything else."""
    match = _TARGET.fullmatch(kind)
    return (match["module"], match["name"]) if match else None


def is_elsewhere(module: str, folder: Path | None) -> bool:
    """Whether a module of this name is Python's own or that of an installed package, and no file of ``folder``."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    own = {Path.cwd().resolve(), folder}
    path = [entry for entry in sys.path if entry and Path(entry).resolve() not in own]
    for finder in sys.meta_path:
        on_path = finder is importlib.machinery.PathFinder
        spec = finder.find_spec(top, path if on_path else None)
        # a folder without __init__.py is no package that anyone installed
        if spec is not None and (spec.origin is not None or not on_path):
            return True
    return False


def module_beside(module: str) -> ModuleType | None:
    """The module of the recipe's folder, as its files are now; ``None`` where there is no such file.

    Raises:
        Exception: whatever it raises when it is imported.
    """
    folder = recipe_folder()
    if folder is None or _file_in(folder, module.split(".")) is None:
        return None
    package = _package_of(folder)
    _forget_changed(package)
    return import_module(f"{package.__name__}.{module}")


def looked_up() -> str:
    """Where a module was looked up, in words."""
    folder = recipe_folder()
    return "among the installed packages" + (f" and in {folder}" if folder is not None else "")


def recipe_folder() -> Path | None:
    """The folder of the recipe that is being read."""
    folder = base_folder_now()
    return None if folder is None else folder.resolve()


def _file_in(folder: Path, steps: Sequence[str]) -> Path | None:
    """The file of the module ``a.b`` in a folder."""
    here = folder.joinpath(*steps)
    files = (here / "__init__.py", here.with_name(f"{here.name}.py"))
    return next((file for file in files if file.is_file()), None)


def _package_of(folder: Path) -> ModuleType:
    """The package that stands for a folder; the files in it are its modules."""
    name = f"{_PREFIX}{digest(str(folder))[:12]}"
    if name not in sys.modules:
        package = ModuleType(name, f"The files in {folder}.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    return sys.modules[name]


def _forget_changed(package: ModuleType) -> None:
    """Lets all modules of a folder be imported anew where a file has changed of which any was made."""
    inside = {name: module for name, module in sys.modules.items() if name.startswith(f"{package.__name__}.")}
    folder = Path(package.__path__[0])
    files = [one for one in inside.values() if getattr(one, "__file__", None)]
    if any(closure(Path(str(one.__file__)), folder) != vars(one).get("__solon_source__") for one in files):
        for name in inside:
            del sys.modules[name]


class _Finder:
    """Finds the modules of the packages above, and no other."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Of one of them; ``None`` of any other module."""
        top, _, rest = name.partition(".")
        package = sys.modules.get(top)
        if not rest or not top.startswith(_PREFIX) or package is None:
            return None
        folder, steps = Path(package.__path__[0]), rest.split(".")
        file = _file_in(folder, steps)
        if file is None:
            below = folder.joinpath(*steps)
            return _namespace(name, below) if below.is_dir() else None
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            name, file, loader=_Loader(top, file), submodule_search_locations=inside
        )


def _namespace(name: str, folder: Path) -> importlib.machinery.ModuleSpec:
    """Of a folder without ``__init__.py``."""
    spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


class _Loader(importlib.abc.Loader):
    """Runs one file, in which an import of a file beside it finds that."""

    def __init__(self, package: str, file: Path) -> None:
        self.package, self.file = package, file
        self.folder = Path(sys.modules[package].__path__[0])

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Reads and runs the file; leaves no compiled one beside it."""
        source = importlib.util.decode_source(self.file.read_bytes())
        module.__dict__["__solon_source__"] = closure(self.file, self.folder)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._importing}
        exec(compile(source, str(self.file), "exec"), module.__dict__)  # noqa: S102 - what importing is

    def _importing(
        self,
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """``import`` in such a file."""
        top = name.partition(".")[0]
        beside = level == 0 and (_file_in(self.folder, [top]) is not None or (self.folder / top).is_dir())
        if not beside or is_elsewhere(top, self.folder):
            return builtins.__import__(name, globals_, locals_, fromlist or (), level)
        found = builtins.__import__(f"{self.package}.{name}", globals_, locals_, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.package}.{top}"]
