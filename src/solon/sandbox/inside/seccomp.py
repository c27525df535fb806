"""Which system calls a child may make: those that computing takes, and no other (seccomp, mode filter).

Allowed are memory, threads, time, files that are open or that may be opened, and talk with itself. Not allowed, and so
impossible: sockets, new processes and programs, signals to others, tracing, mounts, namespaces, keys, changes of
owners, modes and times of files, memory that no limit counts, and every call that a later kernel brings.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from solon.sandbox.inside.syscalls import AUDIT_ARCH, machine, numbers
from solon.sandbox.inside.system import prctl

_ALWAYS = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range lseek fsync fdatasync
fstat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd chdir fchdir statfs fstatfs
creat getdents getdents64 mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 ftruncate fallocate flock umask
fadvise64 readahead sendfile copy_file_range dup dup2 dup3 pipe pipe2 poll ppoll select pselect6
epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2
timerfd_create timerfd_settime timerfd_gettime
mmap mprotect munmap mremap madvise msync brk mincore membarrier
rseq set_robust_list get_robust_list set_tid_address futex futex_waitv
sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
getpriority
nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage getitimer setitimer alarm
timer_create timer_settime timer_gettime timer_getoverrun timer_delete
getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid
uname sysinfo getrandom getcpu getrlimit setrlimit
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause restart_syscall
exit exit_group wait4 waitid
sendto recvfrom sendmsg recvmsg shutdown getsockname getpeername getsockopt setsockopt
"""
"""Allowed whatever their arguments."""

_CLONE_THREAD = 0x00010000
_O_ACCMODE, _O_TRUNC = 0x3, 0x200
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
"""Duplicates, flags, locks and sizes; not F_SETOWN and F_SETSIG, which can have a signal sent to any process."""
_IOCTL = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS (``isatty``), FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_PRCTL = (15, 16)
"""The name of a thread."""

_LOAD, _AND, _RETURN, _JUMP_EQUAL, _JUMP_ANY_BIT = 0x20, 0x54, 0x06, 0x15, 0x45
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_MODE_FILTER, _PR_SET_SECCOMP = 2, 22


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


_ALLOWED = _instruction(_RETURN, _ALLOW)
_DENIED = _instruction(_RETURN, _ERRNO | errno.EPERM)
_UNKNOWN = _instruction(_RETURN, _ERRNO | errno.ENOSYS)


def _of(number: int, body: bytes) -> bytes:
    """What is done about one call; the number is loaded, and still is where the call is another."""
    return _instruction(_JUMP_EQUAL, number, 0, len(body) // 8) + body


def _argument(place: int) -> bytes:
    # the lower half, which holds all of an int; both machines are little-endian
    return _instruction(_LOAD, _ARGUMENTS_AT + 8 * place)


def _one_of(place: int, values: Iterable[int]) -> bytes:
    """Allowed when an argument has one of these values."""
    tests = [_instruction(_JUMP_EQUAL, value, 0, 1) + _ALLOWED for value in values]
    return _argument(place) + b"".join(tests) + _DENIED


def _opened(flags_at: int) -> bytes:
    # reading and emptying at once: older Landlock takes that for reading alone
    return (
        _argument(flags_at)
        + _instruction(_AND, _O_ACCMODE | _O_TRUNC)
        + _instruction(_JUMP_EQUAL, _O_TRUNC, 0, 1)
        + _DENIED
        + _ALLOWED
    )


def program(pid: int) -> bytes:
    """The filter of the process with that id, as instructions of the kernel's packet filter (BPF)."""
    known = numbers()
    rules = [_of(known[name], _ALLOWED) for name in _ALWAYS.split() if name in known]
    asked = {
        "clone": _argument(0) + _instruction(_JUMP_ANY_BIT, _CLONE_THREAD, 0, 1) + _ALLOWED + _DENIED,
        "open": _opened(1),
        "openat": _opened(2),
        "fcntl": _one_of(1, _FCNTL),
        "ioctl": _one_of(1, _IOCTL),
        "prctl": _one_of(0, _PRCTL),
        "prlimit64": _one_of(0, (0, pid)),
        "tgkill": _one_of(0, (pid,)),
        # two connected ends in this process, which is what asyncio wakes itself with; no address can be reached
        "socketpair": (
            _argument(0)
            + _instruction(_JUMP_EQUAL, _AF_UNIX, 1, 0)
            + _DENIED
            + _argument(1)
            + _instruction(_AND, _SOCK_TYPE_MASK)
            + _instruction(_JUMP_EQUAL, _SOCK_STREAM, 0, 1)
            + _ALLOWED
            + _DENIED
        ),
        # their arguments lie in memory, where a filter cannot look: the C library falls back to the older calls
        "clone3": _UNKNOWN,
        "openat2": _UNKNOWN,
    }
    rules += [_of(known[name], body) for name, body in asked.items() if name in known]
    return b"".join(
        [
            _instruction(_LOAD, _ARCH_AT),
            _instruction(_JUMP_EQUAL, AUDIT_ARCH[machine()], 1, 0),
            _instruction(_RETURN, _KILL),
            _instruction(_LOAD, _NUMBER_AT),
            *rules,
            _DENIED,
        ]
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict() -> None:
    """Puts the filter on this process, for good. It must have given up new privileges before."""
    instructions = program(os.getpid())
    filtered = _Program(len(instructions) // 8, instructions)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filtered))
