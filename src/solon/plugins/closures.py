"""The hash of a file with all those of its folder that it imports; and which files are installed ones."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from solon.data.records import digest


def is_installed(file: Path) -> bool:
    """Whether a file lies where Python or its packages are installed."""
    return any(file.resolve().is_relative_to(folder) for folder in _installed_folders())


def _installed_folders() -> tuple[Path, ...]:
    known = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    known |= {entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")}
    return tuple(Path(folder).resolve() for folder in sorted(known) if folder)


def root_of(module: ModuleType) -> Path:
    """The folder in which the imports of a module's file are looked up: that of the outermost package, or its own."""
    inside = getattr(module, "__package__", None) or ""
    folders = Path(str(module.__file__)).parents
    return folders[min(len(inside.split(".")) if inside else 0, len(folders) - 1)]


def closure(file: Path, root: Path) -> str:
    """The hash of a module's file and of those below ``root`` that it imports, at any depth.

    Args:
        file: the module's.
        root: the folder where its imports are looked up: that of the outermost package, or its own.
    """
    found: dict[str, str] = {}
    waiting = [file]
    while waiting:
        one = waiting.pop()
        name = one.relative_to(root).as_posix() if one.is_relative_to(root) else one.name
        if name in found:
            continue
        try:
            source = importlib.util.decode_source(one.read_bytes())
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError):
            found[name] = ""
            continue
        found[name] = digest(source)
        waiting += _imported(tree, one, root)
    return digest(found)[:16]


def _imported(tree: ast.AST, file: Path, root: Path) -> Iterator[Path]:
    """The files below ``root`` that the module in ``file`` imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from files_of(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = root
            if node.level:
                start = file.parent
                for _ in range(node.level - 1):
                    start = start.parent
            steps = node.module.split(".") if node.module else []
            yield from files_of(start, steps)
            for alias in node.names:
                yield from files_of(start, [*steps, alias.name])


def files_of(start: Path, steps: list[str]) -> Iterator[Path]:
    """The files that importing ``a.b`` runs: of the packages on the way too."""
    here = start
    for step in steps:
        here = here / step
        if (module := here.with_name(f"{here.name}.py")).is_file():
            yield module
        elif (init := here / "__init__.py").is_file():
            yield init
