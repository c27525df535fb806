"""What is known of every plugin without importing any: whose it is, where from, and what would keep it from loading."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution
from pathlib import Path
from typing import Literal

from solon.data.records import Noun
from solon.plugins.groups import GROUPS
from solon.plugins.offers import Offer, offers
from solon.plugins.registering import Registered, registered
from solon.plugins.requirements import unmet

State = Literal["found", "loads", "refused", "clashes", "broken", "hangs"]
"""``found``: it is there, and nothing speaks against it; ``loads``: it was imported, and is a plugin."""


class Entry(Noun):
    """One plugin in the list.

    Attributes:
        group, kind: its place.
        package, version: whose it is; empty of a class that this process has registered.
        target: ``module:Class``.
        source: how it came to be there.
        path: the folder in which its package is installed, or the file of a class that was registered.
        state: whether it can be used, as far as can be told.
        problem: why not, with what to do about it.
        note: what else is worth knowing.
        summary, url: what the package's metadata says that it is, and where its documentation is.
    """

    group: str
    kind: str
    package: str
    version: str
    target: str
    source: Literal["entry point", "registered"] = "entry point"
    path: str = ""
    state: State = "found"
    problem: str = ""
    note: str = ""
    summary: str = ""
    url: str = ""


def entries(groups: Sequence[str] = tuple(GROUPS)) -> tuple[Entry, ...]:
    """Every plugin, by group and name, those that cannot be used too.

    Raises:
        PluginError: ``SOLON_PLUGINS`` names a package that is not installed.
    """
    found = []
    for group in groups:
        there = offers(group)
        found += [_entry(offer, there) for offer in there]
        found += [_of_process(one) for one in registered(group)]
    return tuple(found)


def _entry(offer: Offer, others: Sequence[Offer]) -> Entry:
    state, problem = _state(offer, others)
    package = offer.distribution
    path = str(package.locate_file("")) if package is not None else ""
    return Entry(
        group=offer.group,
        kind=offer.kind,
        package=offer.package,
        version=offer.version,
        target=offer.target,
        path=path,
        state=state,
        problem=problem,
        summary=(_said(package, "Summary") if package is not None else ""),
        url=(_documentation(package) if package is not None else ""),
    )


def _of_process(one: Registered) -> Entry:
    file = getattr(sys.modules.get(one.made.__module__), "__file__", None) or ""
    return Entry(
        group=one.group,
        kind=one.kind,
        package="",
        version="",
        target=one.target,
        source="registered",
        path=file,
        state="broken" if one.trouble else "loads",
        problem=one.trouble,
    )


def _state(offer: Offer, others: Sequence[Offer]) -> tuple[State, str]:
    if offer.refused:
        return "refused", offer.refused
    same = [one for one in others if one.kind == offer.kind and one is not offer and not one.refused]
    if same:
        packages = " and ".join(one.package for one in same)
        return "clashes", f"{packages} offers it too: uninstall one, or choose by SOLON_PLUGINS={offer.package}"
    if offer.ours:
        return "found", ""
    problem = next(_problems(offer), "")
    return ("broken", problem) if problem else ("found", "")


def _problems(offer: Offer) -> Iterator[str]:
    """What would keep it from loading, as far as that can be told from outside."""
    package = offer.distribution
    for lack in unmet(package) if package is not None else ():
        yield f"{lack}: pip install '{offer.package}'"
    module, _, name = offer.target.partition(":")
    spec = find(module)
    if spec is None:
        yield f"there is no module {module!r}: reinstall {offer.package}, or uninstall it"
    elif name and (wrong := _missing_name(spec, name.partition(".")[0])):
        yield f"{wrong}: upgrade {offer.package}, or uninstall it"


def find(module: str) -> ModuleSpec | None:
    """Where a module is, without importing the packages that it is in."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # of a module that is there already, without a spec
        return None
    name = top
    for step in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{step}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def _missing_name(spec: ModuleSpec, name: str) -> str:
    """That the source of a module has no such name; empty where it has, or where only running it can tell."""
    if spec.origin is None or not spec.origin.endswith(".py"):
        return ""
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return f"{spec.origin} cannot be read as Python ({error})"
    names = set(_bound(tree.body))
    return "" if names & {name, "*", "__getattr__"} else f"there is no {name!r} in {spec.origin}"


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that statements at the top of a module bind; ``*`` where that cannot be told."""
    for node in body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                yield "*"
            case _:
                pass


def _said(package: Distribution, key: str) -> str:
    said = (package.metadata.get_all(key) or [""])[0]
    return "" if said == "UNKNOWN" else str(said)


def _documentation(package: Distribution) -> str:
    """The address of its documentation, or of its home."""
    named = {}
    for line in package.metadata.get_all("Project-URL") or ():
        label, _, url = str(line).partition(",")
        named[label.strip().lower()] = url.strip()
    wanted = ("documentation", "docs", "homepage", "home", "repository", "source", "source code")
    return next((named[label] for label in wanted if label in named), "") or _said(package, "Home-page")
