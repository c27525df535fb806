"""A package from the templates beside this file, which are its files with stand-ins for the names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from keyword import iskeyword
from pathlib import Path
from typing import Self

from solon.data.whole import atomic_folder
from solon.errors import DataError, PluginError
from solon.plugins import __all__ as exported
from solon.plugins.compatibility import API_VERSION
from solon.plugins.groups import NOUN
from solon.plugins.offers import offers

TEMPLATES = Path(__file__).with_name("templates")
SORTS: Mapping[str, str] = {
    "labeler": "solon.labelers",
    "trainer": "solon.trainers",
    "model": "solon.models",
    "evaluator": "solon.evaluators",
    "constitution": "solon.constitutions",
}
"""What can be written, with the entry-point group of each."""
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """What a package and the things in it are called.

    Attributes:
        kind: in a recipe.
        package: on the package index, as PEP 503 writes it.
        module: that is imported.
        cls: of the plugin.
        function: of a constitution.
    """

    kind: str
    package: str
    module: str
    cls: str
    function: str

    @classmethod
    def of(cls, name: str) -> Self:
        """All names that follow from one, such as ``short-answers`` or ``solon-short-answers``.

        Raises:
            PluginError: it cannot be a name; says which could.
        """
        kind = name.removeprefix("solon-").removeprefix("solon_")
        if not _NAME.fullmatch(kind) or len(kind) > 48:
            better = re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind).lower()).strip(
                "-0123456789"
            )
            raise PluginError(
                f"{name!r} cannot be the name of a plugin: lower-case letters and digits, a letter first, with hyphens "
                f"between, 48 at most" + (f", such as {better[:48]!r}" if better else "")
            )
        words = re.split("[-_]", kind)
        camel = "".join(word.capitalize() for word in words)
        return cls(
            kind=kind,
            package="-".join(["solon", *words]),
            module="_".join(["solon", *words]),
            cls=f"{camel}Plugin" if camel in exported else camel,
            function="_".join(words) if not iskeyword("_".join(words)) else f"{kind}_constitution",
        )


def write_package(sort: str, name: str, folder: Path) -> tuple[Path, Names]:
    """Writes a new package into a folder of its own below ``folder``.

    Args:
        sort: one of ``SORTS``.
        name: of the plugin.
        folder: made where it is not there.

    Returns:
        The folder of the package, and the names in it.

    Raises:
        PluginError: there is no such sort, or the name cannot be one or is taken.
        DataError: the folder is there already; nothing is overwritten.
        StorageError: the disk is full or not writable.
    """
    if sort not in SORTS:
        near = get_close_matches(sort, SORTS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise PluginError(f"there is no template for a {sort!r}; there are {', '.join(SORTS)}{meant}")
    names = Names.of(name)
    _refuse_taken(SORTS[sort], names)
    target = folder / names.package
    if target.exists():
        raise DataError(f"{target} is there already; choose another name or another --dir (nothing was changed)")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_folder(target) as fresh:
        for path, text in files(sort, names).items():
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            (fresh / path).write_text(text, encoding="utf-8")
    return target, names


def _refuse_taken(group: str, names: Names) -> None:
    taken = next((offer for offer in offers(group) if offer.kind in (names.kind, names.kind.replace("-", "_"))), None)
    if taken is not None:
        raise PluginError(
            f"{NOUN[group]} {taken.kind!r} is installed already, by {taken.package} {taken.version}: choose another "
            f"name, such as 'my-{names.kind}' (nothing was written)"
        )
    try:
        found = version(names.package)
    except PackageNotFoundError:
        return
    raise PluginError(
        f"a package {names.package} {found} is installed already: choose another name, such as 'my-{names.kind}' "
        f"(nothing was written)"
    )


def files(sort: str, names: Names) -> dict[str, str]:
    """The text of each file of a package, by its path in it."""
    group, package = SORTS[sort], f"src/{names.module}"
    target = names.function if sort == "constitution" else names.cls
    places = {
        "pyproject.toml": "common/pyproject.toml",
        ".gitignore": "common/gitignore",
        "README.md": "common/README.md",
        f"{package}/__init__.py": f"{sort}/plugin.py",
        f"tests/test_{names.kind.replace('-', '_')}.py": f"{sort}/test.py",
    }
    if sort == "constitution":
        places[f"{package}/constitution.yaml"] = "constitution/constitution.yaml"
    stand_ins = {
        "USAGE": _template(f"{sort}/usage.yaml"),
        "GROUP": group,
        "NOUN": NOUN[group],
        "TARGET": target,
        "DATA": ', "*.yaml"' if sort == "constitution" else "",
        "DEPENDENCY": "solon[train]" if sort == "trainer" else "solon",
        "solon-kind-name": names.package,
        "solon_kind_name": names.module,
        "kind_name": names.function,
        "KindName": names.cls,
        "kind-name": names.kind,
        '"API"': f'"{API_VERSION}"',
    }
    made = {f"{package}/py.typed": ""}
    for path, template in places.items():
        text = _template(template)
        for stand_in, name in stand_ins.items():
            text = text.replace(stand_in, name)
        made[path] = text
    return made


def _template(name: str) -> str:
    return (TEMPLATES / f"{name}.txt").read_text("utf-8")
