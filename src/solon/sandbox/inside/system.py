"""The calls of the Linux kernel that Python does not have, each an ``OSError`` when it fails."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

from solon.sandbox.inside.syscalls import number

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: Callable[..., int], *arguments: Any) -> int:
    result = function(*arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{getattr(function, '__name__', 'syscall')}: {os.strerror(error)}")
    return result


def syscall(name: str, *arguments: Any) -> int:
    """A call by its name; numbers become 64 bits wide."""
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _call(_libc.syscall, ctypes.c_long(number(name)), *wide)


def unshare(flags: int) -> None:
    """Moves into fresh namespaces."""
    _call(_libc.unshare, flags)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mounts a file system, or binds a folder or file to another place."""
    _call(
        _libc.mount,
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode(),
    )


def unmount(target: str) -> None:
    """Takes a mount away, at once also where it is in use."""
    _call(_libc.umount2, os.fsencode(target), MNT_DETACH)


def make_read_only(target: str) -> None:
    """Makes a mount and all below it read-only, without devices and set-user-id programs."""
    # mount_setattr keeps the flags that an unprivileged remount would have to know and repeat
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, 0, 0, 0)
    syscall("mount_setattr", _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, ctypes.byref(attributes), 32)


def pivot_root(new_root: str, put_old: str) -> None:
    """Makes a mount the root of this process."""
    syscall("pivot_root", os.fsencode(new_root), os.fsencode(put_old))


def prctl(option: int, argument: int, more: Any = 0) -> None:
    """Sets an attribute of this process."""
    second = ctypes.c_ulong(more) if isinstance(more, int) else more
    _call(_libc.prctl, option, ctypes.c_ulong(argument), second, ctypes.c_ulong(0), ctypes.c_ulong(0))


def die_with_parent() -> None:
    """Has the kernel kill this process when the one that made it ends."""
    prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def no_new_privileges() -> None:
    """Neither this process nor any that it becomes can gain a privilege again."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Gives up every capability, also those that a user namespace came with."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _call(_libc.capset, ctypes.byref(header), ctypes.byref(nothing))
