"""Which files a child may touch, where namespaces cannot be had (Landlock, Linux 5.13 and later).

A container usually forbids namespaces and allows this. What is not named below cannot be opened, listed, made, removed
or renamed. That a file exists can still be seen.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from solon.sandbox.inside.system import syscall

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 14
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights to files each version knows; they are numbered without gaps."""
_ALL_NETWORK, _ALL_SCOPES = 0b11, 0b11
_VERSION_ASKED, _PATH_BENEATH = 1, 1


def version() -> int:
    """The kernel's version of Landlock; ``OSError`` where it has none."""
    return syscall("landlock_create_ruleset", 0, 0, _VERSION_ASKED)


def rules(readable: Iterable[tuple[str, frozenset[str]]], devices: Iterable[str], scratch: str) -> int:
    """A set of rules, as a file descriptor.

    Args:
        readable: files and folders to read, each with the names right below it that stay closed.
        devices: files to read and write.
        scratch: the folder in which anything goes but links and special files.
    """
    known = version()
    files = (1 << _RIGHTS.get(known, 16)) - 1
    handled = [files, *([_ALL_NETWORK] if known >= 4 else []), *([_ALL_SCOPES] if known >= 6 else [])]
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    ruleset = syscall("landlock_create_ruleset", ctypes.byref(attributes), 8 * len(handled), 0)
    for path, closed in readable:
        for one in _opened(Path(path), closed):
            _allow(ruleset, one, _READ_FILE | _READ_DIR)
        if closed:
            _allow(ruleset, Path(path), _READ_DIR)
    for device in devices:
        _allow(ruleset, Path(device), _READ_FILE | _WRITE_FILE)
    anything = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
    _allow(ruleset, Path(scratch), anything & files)
    return ruleset


def restrict(ruleset: int) -> None:
    """Puts the rules on this process, for good. It must have given up new privileges before."""
    syscall("landlock_restrict_self", ruleset, 0)


def _opened(path: Path, closed: frozenset[str]) -> Iterator[Path]:
    if closed:
        yield from (entry for entry in sorted(path.iterdir()) if entry.name not in closed)
    else:
        yield path


def _allow(ruleset: int, path: Path, rights: int) -> None:
    if not path.is_dir():
        rights &= _READ_FILE | _WRITE_FILE
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        packed = rights.to_bytes(8, "little") + descriptor.to_bytes(4, "little")
        syscall("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.create_string_buffer(packed, 12), 0)
    finally:
        os.close(descriptor)
