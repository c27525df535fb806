"""Files and folders that are written whole or not at all, and what is said of a disk that does not take them."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from solon.errors import StorageError

_STORAGE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR,
    errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOENT,
}  # fmt: skip


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Gives a temporary file's path beside ``path`` to write to; it takes the place of ``path`` when the block ends.

    The content is on the disk before the rename: after a crash ``path`` holds all of the old or all of the new. The
    temporary file has one name a target, so what a killed run leaves behind is overwritten by the next; writers
    of the same path at the same time are kept apart by the lock on the run directory.

    Raises:
        StorageError: the disk is full or not writable; what was at ``path`` is still there.
    """
    partial = path.with_name(f".{path.name}.partial")
    with _storage(path, partial, path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if partial.is_symlink():  # nobody's but one who wants another file written
            partial.unlink()
        try:
            yield partial
            sync(partial)
            partial.replace(path)
            sync(path.parent)
        except BaseException:
            _remove(partial)
            raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """As ``atomic``, for a folder: gives an empty folder beside ``path``, which replaces ``path`` when the block ends.

    A folder cannot be exchanged in one step: a crash between the two renames leaves no folder at ``path`` rather than a
    mixture, and the stage that writes it runs again. Files written inside through ``atomic`` are on the disk by then.

    Raises:
        StorageError: the disk is full or not writable; what was at ``path`` is still there.
    """
    partial, previous = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.previous")
    with _storage(path, partial, previous, path.parent):
        _remove(partial)
        partial.mkdir(parents=True)
        try:
            yield partial
            _remove(previous)
            if path.exists():
                path.rename(previous)
            try:
                partial.rename(path)
            except OSError:
                if previous.exists():
                    previous.rename(path)
                raise
            sync(path.parent)
            _remove(previous)
        except BaseException:
            _remove(partial)
            raise


@contextmanager
def _storage(path: Path, *ours: Path) -> Iterator[None]:
    """Names an error of the disk by the file that was to be written. Errors about other files pass."""
    try:
        yield
    except OSError as error:
        number = number_of(error)
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        inside = {path, *ours} - set(path.parents)
        about_us = named is None or named in {path, *ours, *path.parents} or not inside.isdisjoint(named.parents)
        if number not in _STORAGE or not about_us:
            raise
        raise StorageError(
            f"cannot write {_meant(path)}: {os.strerror(number)}; what was there before is untouched{remedy_of(number)}"
        ) from error


def _meant(path: Path) -> Path:
    """As it is to be called: a folder on the way may still have the name of one that is not whole yet."""
    return Path(*(re.sub(r"^\.(.+)\.partial$", r"\1", part) for part in path.parts))


def number_of(error: OSError) -> int:
    """Which error of the system it is; of a tree that could not be copied, the first; 0 where nobody says."""
    if error.errno is None and isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        # it holds texts: "[Errno 28] No space left on device: ..."
        found = re.search(r"\[Errno (\d+)\]", str(error))
        return int(found[1]) if found else 0
    return error.errno or 0


def remedy_of(number: int | None) -> str:
    """What to do about an error of the system of that number, behind what it says: empty unless the disk is full."""
    return ": make room, and give the same command again" if number in (errno.ENOSPC, errno.EDQUOT) else ""


def sync(path: Path) -> None:
    """Has the system write to the disk what it still holds of a file, or of a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
