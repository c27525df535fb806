"""What the shell completes: names that stand in files or in metadata, found without importing anything heavy.

A completer that fails completes nothing: a half-written recipe is no reason for a traceback on the command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer

Completer = Callable[[typer.Context, str], list[str]]


class Typed(NamedTuple):
    """What stands on the command line: the words before, as far as they were understood, and the one that is begun."""

    context: typer.Context
    word: str


def _completing(find: Callable[[Typed], Iterator[str]]) -> Completer:
    """Those that begin with what is typed, in their order, once each."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return [each for each in dict.fromkeys(find(Typed(ctx, incomplete))) if each.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - the boundary: see above
            return []

    return complete


@_completing
def templates(_typed: Typed) -> Iterator[str]:
    """Names that `solon init --template` takes."""
    from solon.project import TEMPLATES

    yield from TEMPLATES


@_completing
def recipes(typed: Typed) -> Iterator[str]:
    """YAML files and folders on the way that is typed."""
    yield from _paths(typed.word, _is_yaml)


@_completing
def runs(typed: Typed) -> Iterator[str]:
    """Run directories below ``runs/``, then any folder."""
    yield from _runs()
    yield from _paths(typed.word, lambda _path: False)


@_completing
def recipes_and_runs(typed: Typed) -> Iterator[str]:
    """Both."""
    yield from _runs()
    yield from _paths(typed.word, _is_yaml)


@_completing
def sets(typed: Typed) -> Iterator[str]:
    """Names under `sets` of the recipe on the command line."""
    yield from _keys(typed.context, "sets")


@_completing
def phases(typed: Typed) -> Iterator[str]:
    """Names under `phases` of the recipe."""
    yield from _keys(typed.context, "phases")


@_completing
def entries(typed: Typed) -> Iterator[str]:
    """Names under `compare` of the recipe and kinds of trainers, after what is typed up to the last comma."""
    before, comma, _ = typed.word.rpartition(",")
    taken = before.split(",")
    for name in [*_keys(typed.context, "compare"), *_kinds("solon.trainers")]:
        if name not in taken:
            yield f"{before}{comma}{name}"


@_completing
def trainers(_typed: Typed) -> Iterator[str]:
    """Kinds of trainers."""
    yield from _kinds("solon.trainers")


def _keys(ctx: typer.Context, key: str) -> Iterator[str]:
    found = _recipe(ctx).get(key)
    if isinstance(found, dict):
        yield from map(str, found)


def _recipe(ctx: typer.Context) -> dict[str, Any]:
    """What the recipe on the command line says, unchecked; empty where there is none yet."""
    import yaml

    stated = ctx.params.get("recipe")
    words = [str(stated)] if stated else [word for word in os.environ.get("COMP_WORDS", "").split() if "=" not in word]
    for word in words:
        path = Path(word)
        if path.suffix in (".yaml", ".yml") and path.is_file():
            data = yaml.safe_load(path.read_text("utf-8"))
            return data if isinstance(data, dict) else {}
    return {}


def _runs() -> Iterator[str]:
    """Those of recipes, of entries, and of their phases."""
    for below in ("*", "*/*", "*/*/*"):
        yield from (str(state.parent) for state in sorted(Path("runs").glob(f"{below}/run.json")))


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")


def _kinds(group: str) -> Iterator[str]:
    from importlib.metadata import entry_points

    yield from sorted({point.name for point in entry_points(group=group)})


def _paths(incomplete: str, wanted: Callable[[Path], bool]) -> Iterator[str]:
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield f"{path}/"
        elif wanted(path):
            yield str(path)
