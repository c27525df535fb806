"""Programs that want out of the sandbox, each by a name: ``f()`` gives ``"out"`` where it has come out.

``SECRET`` is a file of the user's, ``PORT`` a server of this machine, ``NAME`` another in the abstract namespace,
``VICTIM`` a process of the user's, ``PARENT`` the process that runs it, ``FD`` a descriptor that was left open.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_C = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
_ROOT = os.geteuid() == 0
"""Others may be kept from tracing what they did not start."""
_SAYS = "def f(): return 'out' if {} else 'shut in'\n"


@dataclass(frozen=True)
class Escape:
    """A program.

    Attributes:
        code: what it runs.
        bare: whether it comes out where nothing holds it, on this kernel or any: tried, so that it is known to mean it.
    """

    code: str
    bare: bool = True


def _call(number: str, *arguments: str) -> str:
    """A system call by its number, past every wrapper; out where the kernel takes it."""
    given = f"[{', '.join((number, *arguments))}]"
    wide = f"[ctypes.c_long(one) if isinstance(one, int) else one for one in {given}]"
    return _C + _SAYS.format(f"libc.syscall(*{wide}) >= 0")


def _python(*lines: str) -> str:
    return "import os, sys\ndef f():\n" + "".join(f"    {line}\n" for line in lines) + "    return 'out'\n"


ESCAPES = {
    "connects to a server": Escape(_python("import socket", "socket.create_connection(('127.0.0.1', PORT))")),
    "a socket of the C library": Escape(_C + _SAYS.format("libc.socket(2, 1, 0) >= 0")),
    "a socket by its number": Escape(_call("41", "2", "1", "0")),
    "a datagram pair": Escape(_python("import socket", "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)")),
    "a server in the abstract namespace": Escape(
        _python("import socket", "socket.socket(socket.AF_UNIX).connect(chr(0) + NAME)")
    ),
    "a call of 32 bits": Escape(
        # mov eax, 20 (getpid); int 0x80; ret
        "import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(bytes.fromhex('b814000000cd80c3'))\n"
        "call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\n"
        "def f(): return 'out' if call() > 0 else 'shut in'\n",
        bare=False,  # kernels may be built without
    ),
    "forks": Escape(_python("if not os.fork(): os._exit(0)")),
    "clones by number": Escape(
        _C + "def f():\n    pid = libc.syscall(56, 17, 0, 0, 0, 0)\n"
        "    if pid == 0: os._exit(0)\n    return 'out' if pid > 0 else 'shut in'\n"
    ),
    "starts a shell": Escape(_python("os.posix_spawn('/bin/sh', ['sh', '-c', 'true'], {})")),
    "becomes a program in memory": Escape(
        _python(
            "fd = os.memfd_create('x')",
            "os.write(fd, open('/bin/true', 'rb').read())",
            "if not os.fork(): os.execve(fd, ['x'], {})",
        ),
    ),
    "writes its own memory file": Escape(_python("open('/proc/self/mem', 'r+b')")),
    "writes its parent's memory": Escape(_python("open(f'/proc/{PARENT}/mem', 'r+b')"), bare=_ROOT),
    "reads another process's memory": Escape(_call("310", "VICTIM", "0", "0", "0", "0", "0"), bare=_ROOT),
    "traces another process": Escape(_call("101", "0x4206", "VICTIM", "0", "0"), bare=_ROOT),
    "takes a descriptor of another process": Escape(
        _C + _SAYS.format("libc.syscall(438, libc.syscall(434, VICTIM, 0), 0, 0) >= 0"), bare=_ROOT
    ),
    "reads its parent's environment": Escape(_python("open(f'/proc/{PARENT}/environ', 'rb').read()")),
    "finds a key in its environment": Escape(
        "import os\n" + _SAYS.format("'sk-planted' in str(dict(os.environ))"),
    ),
    "reads a file by name": Escape(_python("open(SECRET).read()")),
    "reads a file by a symlink": Escape(_python("os.symlink(SECRET, 'link')", "open('link').read()")),
    "reads a file by a hard link": Escape(_python("os.link(SECRET, 'hard')", "open('hard').read()")),
    "reads a file by way of a folder's descriptor": Escape(
        _python("up = os.open('/', os.O_PATH)", "fd = os.open(SECRET[1:], os.O_RDONLY, dir_fd=up)", "os.read(fd, 1)")
    ),
    "reads a file by going up": Escape(_python("open('../' * 40 + SECRET[1:]).read()")),
    "reads a file by its handle": Escape(
        _C
        + "handle = (ctypes.c_uint * 40)(128)\nmount = ctypes.c_int()\n"
        + _SAYS.format("libc.syscall(303, -100, SECRET.encode(), handle, ctypes.byref(mount), 0) >= 0"),
    ),
    "uses a descriptor that was left open": Escape(
        "import os\ndef is_open(fd):\n    try: os.fstat(fd)\n    except OSError: return False\n    return True\n"
        + _SAYS.format("any(map(is_open, range(4, 4096)))")
    ),
    "empties a file": Escape(_python("os.truncate(SECRET, 0)")),
    "changes a file's mode": Escape(_python("os.chmod(SECRET, 0o777)")),
    "makes a device": Escape(_python("import stat", "os.mknod('pipe', stat.S_IFIFO | 0o600)")),
    "io_uring": Escape(_call("425", "8", "ctypes.create_string_buffer(256)"), bare=False),
    "userfaultfd": Escape(_call("323", "0x80001")),
    "bpf": Escape(
        _call("321", "0", "ctypes.create_string_buffer(bytes([2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 1]), 128)", "128"),
        bare=False,
    ),
    "perf_event_open": Escape(
        _call("298", "ctypes.create_string_buffer(bytes([1, 0, 0, 0, 128]), 128)", "0", "-1", "-1", "0"), bare=False
    ),
    "keeps a key with the kernel": Escape(_call("248", "b'user'", "b'k'", "b'v'", "1", "-3"), bare=False),
    "a user namespace of its own": Escape(_call("272", "0x10000000"), bare=False),
    "mounts": Escape(_call("165", "b'none'", "os.getcwd().encode()", "b'tmpfs'", "0", "0"), bare=False),
    "another root": Escape(_python("os.chroot('/')"), bare=False),
    "raises its limits": Escape(_python("import resource", "resource.setrlimit(resource.RLIMIT_CPU, (9999, 9999))")),
    "limits another process": Escape(
        _python("import resource", "resource.prlimit(VICTIM, resource.RLIMIT_NOFILE, (99, 99))")
    ),
    "lets others trace it": Escape(_C + _SAYS.format("libc.prctl(4, 1, 0, 0, 0) >= 0")),
    "stops another process": Escape(_python("import signal", "os.kill(VICTIM, signal.SIGSTOP)")),
    "kills every process": Escape(_python("os.kill(-1, 9)"), bare=False),
    "has the kernel send a signal": Escape(
        _python("import fcntl", "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, VICTIM)")
    ),
    "memory that no limit counts": Escape(_call("29", "0", "1 << 20", "0o1600")),
    "a sparse file of 1 TB": Escape(_python("with open('big', 'wb') as file: file.truncate(2 ** 40)")),
    "thousands of descriptors": Escape(
        _python(
            "import resource",
            "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]",
            "resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))",
            "kept = [open('/dev/null') for _ in range(900)]",
        )
    ),
    "a gigabyte of memory": Escape(_python("len(bytearray(10 ** 9))")),
    "loads a package of the user's": Escape(_python("import pydantic")),
}
"""By what each does."""

ENDLESS = {
    "computes without end": "while True: pass",
    "a number without end": "9 ** 9 ** 9",
    "a pattern that goes back and forth": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "is deaf to the limit": "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n    while True: pass",
    "computes in threads": "import threading\n    for _ in range(4): threading.Thread(target=g, daemon=True).start()\n"
    "    import time; time.sleep(99)",
    "catches every error": "while True:\n        try: g()\n        except BaseException: pass",
    "prints without end": "while True: print('x' * 9999)",
    "says without end": "import sys\n    while True: sys.stderr.write('x' * 9999)",
    "waits": "import time; time.sleep(999)",
    "waits without its descriptors": "import os, time; os.closerange(0, 64); time.sleep(999)",
    "many files": "n = 0\n    while True:\n        n += 1\n        open(str(n), 'wb').write(bytes(10 ** 6))",
    "calls itself": "import sys; sys.setrecursionlimit(10 ** 9)\n    def h(): h()\n    h()",
}
"""Bodies of ``f`` that never give a value, beside a ``g`` that computes without end."""


def alone(code: str, places: str, *, expression: str = "f()") -> str:
    """What a program says where nothing holds it: in a plain interpreter, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        end = f"\nprint({expression}, flush=True)\nimport os; os._exit(0)\n"
        script = Path(folder, "program.py")
        script.write_text(places + code + end)
        left = os.open("/dev/null", os.O_RDONLY)
        try:
            done = subprocess.run(
                [sys.executable, str(script)], cwd=folder, pass_fds=[left], capture_output=True, text=True, timeout=120
            )
        finally:
            os.close(left)
    return done.stdout.strip().rpartition("\n")[2] or done.stderr.strip().rpartition("\n")[2]
