"""A world of its own for a worker: its processes, its (empty) network, and a root folder with what it may read.

Needs user namespaces, which any user may make on most Linux systems; many containers forbid them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from solon.sandbox.inside import system

_SCRATCH = "/tmp"  # noqa: S108 - of the new root, where nobody else is
_SHARED = system.CLONE_NEWUSER | system.CLONE_NEWPID | system.CLONE_NEWNET | system.CLONE_NEWIPC | system.CLONE_NEWUTS


def become_first(folder: str) -> None:
    """Leaves the world: goes on, and only goes on, in a new process that is the first of new namespaces.

    The process that called it waits for the new one, removes the empty folder that will be its root, and ends.
    """
    user, group = os.getuid(), os.getgid()
    system.unshare(_SHARED)
    # the same ids inside as outside: the kernel wants them mapped before anything can be made
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    first = os.fork()
    if first:
        # an open end here would hide from the other side that the worker is gone
        os.closerange(0, 3)
        os.waitpid(first, 0)
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
        os._exit(0)
    system.die_with_parent()
    # not before: whoever waits still has to see the folder
    system.unshare(system.CLONE_NEWNS)


def scratch_beside(readable: Iterable[tuple[str, frozenset[str]]]) -> str:
    """Where a job may write: ``/tmp``, or another folder where that would cover something that it has to read.

    An interpreter with its packages may lie in ``/tmp``. What it imports late would then be gone, and math-verify takes
    a comparison that cannot be made for one that says no.
    """
    covered = any(path == _SCRATCH or path.startswith(f"{_SCRATCH}/") for path, _ in readable)
    return "/scratch" if covered else _SCRATCH


def new_root(readable: Iterable[tuple[str, frozenset[str]]], devices: Iterable[str], root: str, scratch: str) -> None:
    """Makes a root folder that holds these files, read-only, and nothing else.

    Args:
        readable: files and folders, each with the names right below it that stay empty.
        devices: files to read and write, such as ``/dev/null``.
        root: an empty folder; it is covered only in this namespace.
        scratch: a folder for ``fresh_scratch``.
    """
    system.mount("none", "/", None, system.MS_REC | system.MS_PRIVATE)
    system.mount("tmpfs", root, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "size=1m,mode=755")
    for path, closed in readable:
        _bind(path, root)
        for name in closed:
            if Path(path, name).is_dir():
                inside = f"{root}{path}/{name}"
                system.mount("tmpfs", inside, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "size=1m,mode=755")
    Path(root + scratch).mkdir(exist_ok=True)
    Path(root, "old").mkdir()
    for device in devices:
        _place(device, root)
    system.pivot_root(root, f"{root}/old")
    os.chdir("/")
    system.make_read_only("/")
    # after that, because a device on a mount without devices does not work
    for device in devices:
        system.mount(f"/old{device}", device, None, system.MS_BIND)
    system.unmount("/old")


def fresh_scratch(scratch: str, size: int, files: int) -> None:
    """An empty folder in memory, in place of the last one.

    Args:
        scratch: where.
        size: bytes that all files in it may have together.
        files: how many files and folders there may be.
    """
    if os.path.ismount(scratch):
        if next(Path(scratch).iterdir(), None) is None:
            return
        os.chdir("/")
        system.unmount(scratch)
    options = f"size={size},nr_inodes={files},mode=700"
    system.mount("tmpfs", scratch, "tmpfs", system.MS_NOSUID | system.MS_NODEV, options)


def _bind(path: str, root: str) -> None:
    system.mount(path, _place(path, root), None, system.MS_BIND | system.MS_REC)


def _place(path: str, root: str) -> str:
    """Where a file or folder goes in the new root: an empty one of its sort."""
    target = Path(root + path)
    if Path(path).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    return str(target)
