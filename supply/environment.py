"""What is installed beside what is pinned: packages that nobody listed, and files that Python runs at every start."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pins import Pin, normal

OURS = "solon"
OF_PYTHON = ("pip",)
"""Comes with Python itself, and installs the rest."""
KNOWN: Mapping[str, tuple[str, str]] = {
    "distutils-precedence.pth": ("setuptools", "2638ce9e2500e572a5e0de7faed6661eb569d1b696fcba07b0dd223da5f5d224"),
}
"""The files that Python runs at every start and that are looked at: their package, and the hash of what they hold."""
_RUN_AT_START = re.compile(r"(sitecustomize|usercustomize)(\.|$)")


def unpinned(folder: Path, pins: Mapping[str, Pin]) -> Iterator[str]:
    """What of the packages in a folder is not as pinned, a sentence each.

    Args:
        folder: ``site-packages``.
        pins: by normal name.
    """
    for found in sorted(distributions(path=[str(folder)]), key=_name):
        name = _name(found)
        if name in (OURS, *OF_PYTHON):
            continue
        if (pin := pins.get(name)) is None:
            yield f"{name} {found.version} is installed and in no list: remove it, or `make pins`"
        elif found.version.partition("+")[0] != pin.version.partition("+")[0]:
            yield f"{name} {found.version} is installed, and {pin.version} is pinned"


def run_at_start(folder: Path) -> Iterator[str]:
    """What Python would run, or import from, at every start because of a file in a folder, and nobody has looked at.

    Args:
        folder: ``site-packages``.
    """
    owners = {
        file.name: _name(one)
        for one in distributions(path=[str(folder)])
        for file in one.files or ()
        if len(file.parts) == 1
    }
    for file in sorted(folder.iterdir()):
        if file.suffix != ".pth" and not _RUN_AT_START.match(file.name):
            continue
        owner, held = owners.get(file.name, "no package"), file.read_bytes() if file.is_file() else b""
        if file.name == f"_editable_impl_{OURS}.pth" and _names_a_folder_of_ours(held):
            continue  # an editable install of this project
        if (owner, hashlib.sha256(held).hexdigest()) != KNOWN.get(file.name):
            yield (
                f"{file.name} of {owner} is run at every start of Python and is not known: read it; remove it, or add "
                f"it to KNOWN in supply/environment.py; it begins with {held[:80]!r}"
            )


def _names_a_folder_of_ours(held: bytes) -> bool:
    """Whether all that it holds is the path of our source: a line that begins with ``import`` is run."""
    lines = held.decode("utf-8", "replace").split("\n")
    path = Path(lines[0])
    return not any(lines[1:]) and path.is_absolute() and path.name == "src" and (path / OURS).is_dir()


def _name(one: Distribution) -> str:
    return normal(str(one.metadata["Name"]))
