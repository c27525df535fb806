"""Numbers of the system calls that solon speaks of, on x86-64 and on 64-bit ARM.

From the kernel's ``unistd_64.h`` and ``asm-generic/unistd.h``; a number, once given, never changes.
"""

from __future__ import annotations

import os
from functools import cache

_NUMBERS = """
read 0 63 | write 1 64 | readv 19 65 | writev 20 66 | pread64 17 67 | pwrite64 18 68 | preadv 295 69 |
pwritev 296 70 | preadv2 327 286 | pwritev2 328 287 | close 3 57 | close_range 436 436 | lseek 8 62 |
fstat 5 80 | stat 4 - | lstat 6 - | newfstatat 262 79 | statx 332 291 | access 21 - | faccessat 269 48 |
faccessat2 439 439 | readlink 89 - | readlinkat 267 78 | getcwd 79 17 | chdir 80 49 | fchdir 81 50 | open 2 - |
openat 257 56 | creat 85 - | getdents 78 - | getdents64 217 61 | mkdir 83 - | mkdirat 258 34 | rmdir 84 - |
unlink 87 - | unlinkat 263 35 | rename 82 - | renameat 264 38 | renameat2 316 276 | ftruncate 77 46 |
fsync 74 82 | fdatasync 75 83 | fallocate 285 47 | fcntl 72 25 | flock 73 32 | dup 32 23 | dup2 33 - |
dup3 292 24 | pipe 22 - | pipe2 293 59 | poll 7 - | ppoll 271 73 | select 23 - | pselect6 270 72 |
epoll_create 213 - | epoll_create1 291 20 | epoll_ctl 233 21 | epoll_wait 232 - | epoll_pwait 281 22 |
eventfd 284 - | eventfd2 290 19 | timerfd_create 283 85 | timerfd_settime 286 86 | timerfd_gettime 287 87 |
umask 95 166 | statfs 137 43 | fstatfs 138 44 | sendfile 40 71 | copy_file_range 326 285 | mmap 9 222 |
mprotect 10 226 | munmap 11 215 | mremap 25 216 | madvise 28 233 | msync 26 227 | brk 12 214 | mincore 27 232 |
membarrier 324 283 | rseq 334 293 | set_robust_list 273 99 | get_robust_list 274 100 | set_tid_address 218 96 |
futex 202 98 | futex_waitv 449 449 | sched_yield 24 124 | sched_getaffinity 204 123 | sched_getparam 143 121 |
sched_getscheduler 145 120 | sched_get_priority_max 146 125 | sched_get_priority_min 147 126 |
getpriority 140 141 | nanosleep 35 101 | clock_nanosleep 230 115 | clock_gettime 228 113 |
clock_getres 229 114 | gettimeofday 96 169 | time 201 - | times 100 153 | getrusage 98 165 | getitimer 36 102 |
setitimer 38 103 | alarm 37 - | timer_create 222 107 | timer_settime 223 110 | timer_gettime 224 108 |
timer_getoverrun 225 109 | timer_delete 226 111 | getpid 39 172 | getppid 110 173 | gettid 186 178 |
getuid 102 174 | geteuid 107 175 | getgid 104 176 | getegid 108 177 | getresuid 118 148 | getresgid 120 150 |
getgroups 115 158 | getpgrp 111 - | getpgid 121 155 | getsid 124 156 | uname 63 160 | sysinfo 99 179 |
getrandom 318 278 | getcpu 309 168 | getrlimit 97 163 | setrlimit 160 164 | rt_sigaction 13 134 |
rt_sigprocmask 14 135 | rt_sigreturn 15 139 | rt_sigpending 127 136 | rt_sigtimedwait 128 137 |
rt_sigsuspend 130 133 | sigaltstack 131 132 | pause 34 - | restart_syscall 219 128 | exit 60 93 |
exit_group 231 94 | wait4 61 260 | waitid 247 95 | fadvise64 221 223 | readahead 187 213 | sendto 44 206 |
recvfrom 45 207 | sendmsg 46 211 | recvmsg 47 212 | shutdown 48 210 | getsockname 51 204 | getpeername 52 205 |
getsockopt 55 209 | setsockopt 54 208 | clone 56 220 | clone3 435 435 | openat2 437 437 | ioctl 16 29 |
prctl 157 167 | prlimit64 302 261 | tgkill 234 131 | socketpair 53 199 | pivot_root 155 41 |
mount_setattr 442 442 | landlock_create_ruleset 444 444 | landlock_add_rule 445 445 |
landlock_restrict_self 446 446
"""
"""Name, number on x86-64, number on ARM (``-`` where the call does not exist there)."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel calls the machine of a system call (``linux/audit.h``)."""


def machine() -> str:
    """This machine; a ``NotImplementedError`` where the numbers are not known."""
    name = os.uname().machine
    if name not in AUDIT_ARCH:
        raise NotImplementedError(f"the system calls of {name!r} are not known; of {' and '.join(AUDIT_ARCH)} they are")
    return name


@cache
def _numbers(name: str) -> dict[str, int]:
    column = {"x86_64": 1, "aarch64": 2}[name]
    rows = [entry.split() for line in _NUMBERS.split("\n") for entry in line.split("|") if entry.strip()]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def numbers() -> dict[str, int]:
    """Every call that exists on this machine, by name."""
    return _numbers(machine())


def number(name: str) -> int:
    """The number of a call; ``KeyError`` when it does not exist here."""
    return numbers()[name]
