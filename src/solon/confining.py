"""What keeps a run in its directory: names that make folders, and links that lead out of one.

A recipe or a run directory may be somebody else's. Nothing in it decides where files are written, but below the
directory that the user has named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from solon.errors import StorageError

MOST_CHARACTERS = 100
"""Of a name that makes a folder: file systems take 255 bytes, and some of them are for what is put behind it."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_DEPTH = 3


def why_no_folder(name: str) -> str | None:
    """Why a folder cannot be called that on every system; ``None`` where it can."""
    if _DEVICES.fullmatch(name):
        return f"{name!r} is the name of a device on Windows"
    marks = any(mark in name for mark in '/\\:*?"<>|') or not name.isprintable()
    if marks or name.startswith(".") or name.endswith((".", " ")):
        return f"{name[:MOST_CHARACTERS]!r} is no name for a folder"
    if not name or len(name.encode()) > MOST_CHARACTERS:
        return f"a name has 1 to {MOST_CHARACTERS} characters"
    return None


def refuse_outside(where: Path, names: Iterable[str]) -> None:
    """Stops where a file that is said to be in a folder would lie elsewhere.

    Args:
        where: what says so, for the message.
        names: paths of files, relative to the folder.

    Raises:
        StorageError: one of them leads out of it.
    """
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
            raise StorageError(f"{where} names a file outside of the run directory: {name!r}; it is not solon's own")


def refuse_links(folder: Path) -> None:
    """Stops where something in a directory is a link to elsewhere: what is written or sent would be another file.

    The directory itself may be reached by a link.

    Raises:
        StorageError: says which.
    """
    root = folder.resolve()
    for link in _links(root, _DEPTH):
        try:
            inside = link.resolve().is_relative_to(root)
        except (OSError, RuntimeError):  # it leads to itself
            inside = False
        if not inside:
            name = link.relative_to(root)
            raise StorageError(
                f"{folder / name} is a link that leads out of its directory, to {link.readlink()}, and is not "
                "followed: put what it leads to in its place; to have a run on another disk, move the whole directory "
                "there, which may itself be reached by a link"
            )


def _links(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            yield Path(entry.path)
        elif depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _links(Path(entry.path), depth - 1)
