"""How a worker shuts itself in, and how each of its children gives up what is left."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from solon.sandbox.inside import Rung, landlock, namespaces, seccomp, system

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SCRATCH_BYTES = 16 * 1024**2
"""What the files that a job writes may have together."""
SCRATCH_FILES = 256
_OPEN_FILES = 64
_THREADS = 64


@dataclass
class Shut:
    """A worker that has shut itself in.

    Attributes:
        rung: how.
        scratch: the folder in which a job may write.
        ruleset: Landlock's rules for each child, as a file descriptor.
    """

    rung: Rung
    scratch: str
    ruleset: int | None = field(default=None)

    def reset_scratch(self) -> None:
        """Leaves nothing of what the last job wrote."""
        if self.rung == "namespaces":
            namespaces.fresh_scratch(self.scratch, SCRATCH_BYTES, SCRATCH_FILES)
            return
        for entry in os.scandir(self.scratch):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink()

    def leave(self) -> None:
        """Leaves nothing at all: for when nobody else is there to tidy up."""
        if self.rung != "namespaces":
            shutil.rmtree(self.scratch, ignore_errors=True)

    def scratch_is_full(self) -> bool:
        """Whether a job has written more than it may. In a world of its own the file system sees to that."""
        if self.rung == "namespaces":
            return False
        size = count = 0
        for folder, _, names in os.walk(self.scratch):
            count += 1 + len(names)
            if count > SCRATCH_FILES:
                return True
            size += sum(Path(folder, name).lstat().st_blocks * 512 for name in names)
        return size > SCRATCH_BYTES


def shut(rung: Rung, readable: list[tuple[str, frozenset[str]]], folder: str) -> Shut:
    """Shuts the worker in. With namespaces it goes on in another process.

    Args:
        rung: how.
        readable: files and folders that jobs may read, each with the names in it that they may not.
        folder: an empty folder of the worker's own.

    Raises:
        OSError: the machine does not offer this.
        NotImplementedError: nor is it known for this machine.
    """
    match rung:
        case "namespaces":
            namespaces.become_first(folder)
            made = Shut(rung, namespaces.scratch_beside(readable))
            namespaces.new_root(readable, DEVICES, folder, made.scratch)
        case "landlock":
            # out of the way of the numbers that a child gives to its own files
            rules = fcntl.fcntl(landlock.rules(readable, DEVICES, folder), fcntl.F_DUPFD_CLOEXEC, 64)
            made = Shut(rung, folder, rules)
        case "none":
            made = Shut(rung, folder)
    made.reset_scratch()
    if gone := [path for path, _ in readable if not os.path.lexists(path)]:
        raise OSError(errno.ENOENT, "is out of reach of those who have to read it", gone[0])
    return made


def give_up(made: Shut, *, seconds: int, memory_mb: int) -> None:
    """What a child does to itself before it runs anything: no way back, and no way out.

    Args:
        made: the worker that it is a child of.
        seconds: of computing, all threads together; then it is killed.
        memory_mb: of address space.
    """
    os.chdir(made.scratch)
    os.environ.update(HOME=made.scratch, TMPDIR=made.scratch)
    limits = {
        resource.RLIMIT_CPU: (seconds, seconds + 1),
        resource.RLIMIT_FSIZE: (SCRATCH_BYTES, SCRATCH_BYTES),
        resource.RLIMIT_NOFILE: (_OPEN_FILES, _OPEN_FILES),
        resource.RLIMIT_CORE: (0, 0),
    }
    if sys.platform == "linux":
        limits[resource.RLIMIT_AS] = (memory_mb * 1024**2,) * 2
        limits[resource.RLIMIT_MEMLOCK] = limits[resource.RLIMIT_MSGQUEUE] = (0, 0)
    if made.rung == "namespaces":
        # elsewhere it would count all processes of the user
        limits[resource.RLIMIT_NPROC] = (_THREADS, _THREADS)
    for limit, values in limits.items():
        hard = resource.getrlimit(limit)[1]
        bounded = [value if hard == resource.RLIM_INFINITY else min(value, hard) for value in values]
        resource.setrlimit(limit, (bounded[0], bounded[1]))
    if sys.platform != "linux":
        return
    system.drop_capabilities()
    system.no_new_privileges()
    if made.ruleset is not None:
        landlock.restrict(made.ruleset)
    try:
        seccomp.restrict()
    except (OSError, NotImplementedError):
        if made.rung != "none":
            raise
