"""What is run in a sandbox can do nothing but compute: tried with code that means harm, on each way to shut it in."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shut_in import RUNGS, shut_in
from solon.sandbox.inside import Rung
from solon.sandbox.worker import Job, Result, Worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux only"),
]


@pytest.fixture(scope="module", params=RUNGS)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that is shut in."""
    yield from shut_in(request.param, "python", "probe")


Does = Callable[..., Result]


@pytest.fixture
def does(worker: Worker) -> Does:
    """What becomes of the value of ``f()`` after some code."""

    def does(code: str, **limits: Any) -> Result:
        arguments = {"code": code, "setup": "", "expression": "f()", "truth": False}
        return worker.run(Job("python", arguments, **limits))

    return does


def error(result: Result) -> str:
    assert result.beyond is None
    assert isinstance(result.claim, dict), result
    return str(result.claim.get("error", f"no error, but {result.claim}"))


def value(result: Result) -> object:
    assert isinstance(result.claim, dict), result
    return result.claim.get("value", result.claim)


def test_computing_works(does: Does) -> None:
    """Or else the rest says nothing."""
    assert value(does("import math\ndef f(): return math.factorial(5)")) == ["i", "78"]


def test_nothing_that_the_probe_tries_is_possible(worker: Worker, tmp_path: Path) -> None:
    """It is what every worker is asked before its first job."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    assert worker.run(Job("probe", {"secret": str(secret), "parent": os.getpid()})).claim == []
    assert secret.read_text() == "secret"
    assert list(tmp_path.iterdir()) == [secret]


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
def test_no_socket_can_be_made(does: Does, family: str) -> None:
    """Neither to the network nor to another process here."""
    assert error(does(f"import socket\ndef f(): return socket.socket(socket.{family})")).startswith("PermissionError")


def test_a_server_on_this_machine_is_not_reached(does: Does) -> None:
    """With whatever the standard library has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import urllib.request\ndef f(): return urllib.request.urlopen('http://127.0.0.1:{port}').read()"
        assert "Operation not permitted" in error(does(code))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_datagram_pair_which_could_send_anywhere_is_refused(does: Does) -> None:
    """A pair of streams is not: asyncio needs it."""
    code = "import socket\ndef f(): return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)"
    assert error(does(code)).startswith("PermissionError")
    assert value(does("import asyncio\nasync def g(): return 5\ndef f(): return asyncio.run(g())")) == ["i", "5"]


def test_files_of_the_user_are_out_of_reach(does: Does, tmp_path: Path) -> None:
    """Reading, listing, writing, emptying, removing, linking, changing."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    secret.chmod(0o644)
    before = secret.stat()
    for deed in (
        f"open({str(secret)!r}).read()",
        f"os.listdir({str(tmp_path)!r})",
        f"open({str(secret)!r}, 'w')",
        f"os.open({str(secret)!r}, os.O_RDONLY | os.O_TRUNC)",
        f"os.truncate({str(secret)!r}, 0)",
        f"os.unlink({str(secret)!r})",
        f"os.rename({str(secret)!r}, {str(tmp_path / 'other')!r})",
        f"os.link({str(secret)!r}, 'here')",
        f"os.symlink({str(secret)!r}, 'here')",
        f"os.chmod({str(secret)!r}, 0o777)",
        f"os.utime({str(secret)!r}, (0, 0))",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        "open('/etc/passwd').read()",
        "open('/proc/self/environ').read()",
        f"open('/proc/{os.getpid()}/environ').read()",
    ):
        said = error(does(f"import os\ndef f(): return {deed}"))
        assert said.split(":")[0] in {"FileNotFoundError", "PermissionError", "OSError"}, (deed, said)
    assert secret.read_text() == "secret"
    assert (secret.stat().st_mode, secret.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [secret]


def test_the_environment_holds_nothing_of_the_users(does: Does) -> None:
    """Keys are there."""
    said = value(does("import os\ndef f(): return sorted(os.environ)"))
    assert isinstance(said, list)
    assert set(said[1]) <= {
        "HOME",
        "LC_ALL",
        "LC_CTYPE",
        "MALLOC_ARENA_MAX",
        "OMP_NUM_THREADS",
        "PYTHONHASHSEED",
        "TMPDIR",
    }


@pytest.mark.parametrize(
    "deed",
    [
        "os.fork()",
        "subprocess.run(['/bin/sh', '-c', 'true'])",
        "subprocess.run([sys.executable, '-c', 'pass'])",
        "os.execv('/bin/sh', ['sh'])",
        "os.posix_spawn('/bin/sh', ['sh'], {})",
        "multiprocessing.get_context('fork').Process(target=print).start()",
    ],
)
def test_no_process_can_be_started(does: Does, deed: str) -> None:
    """So there are no fork bombs, no shells, and nothing is left behind."""
    code = f"import multiprocessing, os, subprocess, sys\ndef f(): return {deed}"
    assert error(does(code)).split(":")[0] in {"PermissionError", "FileNotFoundError"}


@pytest.mark.parametrize("whom", ["os.getppid()", "1", "this process", "-1", "0"])
def test_no_other_process_can_be_killed(does: Does, whom: str) -> None:
    """Neither the one that runs it nor the one that asked."""
    # filled in here and not in the list: names of tests have to be the same in every process that runs some
    whom = str(os.getpid()) if whom == "this process" else whom
    assert error(does(f"import os, signal\ndef f(): return os.kill({whom}, signal.SIGKILL)")).startswith(
        "PermissionError"
    )
    assert value(does("def f(): return 1")) == ["i", "1"]


def test_signals_by_way_of_a_file_are_refused(does: Does) -> None:
    """F_SETOWN and F_SETSIG have the kernel send any signal to any process of the user."""
    code = "import fcntl, os\ndef f(): return fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid())"
    assert error(does(code)).startswith("PermissionError")


@pytest.mark.parametrize(
    "call",
    ["ptrace(16, {parent}, 0, 0)", "unshare(0x10000000)", "mount(b'x', b'/', b'tmpfs', 0, 0)", "syscall(425, 8, 0)"],
)
def test_calls_that_lead_out_are_refused(does: Does, call: str) -> None:
    """Tracing, namespaces, mounts, io_uring (which does what it is told past every filter)."""
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"def f(): return libc.{call.format(parent='os.getppid()')}, ctypes.get_errno()"
    )
    assert value(does(code)) == ["t", [["i", "-1"], ["i", "1"]]]


def test_memory_is_limited(does: Does) -> None:
    """A gigabyte is more than 512 MB."""
    assert error(does("def f(): return len(bytearray(10 ** 9))")) == "MemoryError"
    assert error(does("def f():\n    x = []\n    while True: x.append('x' * 10 ** 6 + str(len(x)))")) == "MemoryError"


def test_threads_are_limited(does: Does) -> None:
    """By the memory that each takes; some are fine."""
    start = "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    code = f"import threading, time\ndef f():\n    for n in range({{}}): {start}\n    return n"
    assert value(does(code.format(5))) == ["i", "4"]
    assert error(does(code.format(10_000))).split(":")[0] in {"RuntimeError", "MemoryError"}


def test_computing_ends_at_its_limit(does: Does) -> None:
    """Also for code that does not want to hear of it."""
    assert does("def f():\n    while True: pass", seconds=1).beyond == "seconds"
    deaf = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ndef f():\n    while True: pass"
    result = does(deaf, seconds=1)
    assert result.beyond == "seconds"
    assert result.cpu_s < 3


def test_waiting_ends_at_its_limit(does: Does) -> None:
    """It computes nothing meanwhile, so only the clock can tell. Also when all that it printed to is closed."""
    assert does("import time\ndef f(): time.sleep(1000)", wall_s=0.3).beyond == "wall"
    shut = "import os, time\ndef f():\n    os.closerange(0, 64)\n    time.sleep(1000)"
    assert does(shut, wall_s=0.3).beyond == "wall"


def test_files_are_limited_in_size_and_number(does: Does) -> None:
    """Ten gigabytes, and a million small ones."""
    assert error(does("def f():\n    with open('x', 'wb') as file: file.truncate(10 * 1024 ** 3)")).startswith(
        "OSError"
    )
    big = does("def f():\n    with open('x', 'wb') as file:\n        while True: file.write(bytes(10 ** 6))")
    assert error(big).startswith("OSError")
    result = does("def f():\n    for n in range(10 ** 6): open(str(n), 'w').close()")
    assert result.beyond == "files" or error(result).startswith("OSError")
    many = does(
        "def f():\n    for n in range(200):\n        with open(str(n), 'wb') as file: file.write(bytes(10 ** 6))"
    )
    assert many.beyond == "files" or error(many).startswith("OSError")


def test_what_one_job_writes_is_gone_for_the_next(does: Does) -> None:
    """So that no test can help another."""
    assert value(does("import os\ndef f():\n    os.makedirs('a/b')\n    open('c', 'w').write('x')\n    return 1")) == [
        "i",
        "1",
    ]
    assert value(does("import os\ndef f(): return os.listdir('.')")) == ["l", []]


def test_output_is_limited(does: Does) -> None:
    """Of both kinds, and of results."""
    assert does("def f():\n    while True: print('x' * 1000)").beyond == "output"
    assert does("import sys\ndef f():\n    while True: sys.stderr.write('x' * 1000)").beyond == "output"
    assert does("def f(): return 'x' * 10 ** 6").beyond == "output"


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)\ndef f(): return 1",
        "import sys\nsys.exit()\ndef f(): return 1",
        "def f(): raise SystemExit(0)",
        "import os\ndef f(): os.abort()",
        "import ctypes\ndef f(): ctypes.string_at(0)",
        'print(\'{"value": ["i", "1"]}\')',
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()",
        "def f():\n    x = []\n    x.append(x)\n    return x",
        "(" * 100_000,
        "f = 1",
    ],
)
def test_an_end_without_a_value_is_no_value(does: Does, code: str) -> None:
    """However it ends, and whatever it prints."""
    result = does(code, seconds=1)
    assert result.claim is None or "value" not in result.claim
    assert value(does("def f(): return 1")) == ["i", "1"]


def test_the_same_code_gives_the_same_value_again(does: Does) -> None:
    """Chance and the order of sets are the same in every child."""
    code = "import random\ndef f(): return [random.random(), list({'a', 'b', 'c', 'd'})]"
    assert value(does(code)) == value(does(code))


def test_the_standard_library_is_there_and_nothing_else(does: Does) -> None:
    """Solon's own packages are files of the user's."""
    code = "import bisect, csv, heapq, hashlib, json, sqlite3, ssl, statistics, unittest, zoneinfo\ndef f(): return 1"
    assert value(does(code)) == ["i", "1"]
    assert error(does("import pydantic\ndef f(): return 1")).startswith("ModuleNotFoundError")


@pytest.mark.parametrize("rung", RUNGS)
def test_a_worker_ends_with_the_process_that_started_it(rung: Rung, tmp_path: Path) -> None:
    """Also when that is killed in the middle of a job; and nothing is left on disk."""
    code = (
        "import os, sys, threading, time\n"
        "from solon.sandbox.worker import Job, Worker\n"
        f"worker = Worker(['python'], {rung!r})\n"
        "code = {'code': 'while True: pass', 'setup': '', 'expression': '1', 'truth': False}\n"
        "threading.Thread(target=worker.run, args=(Job('python', code, seconds=60),), daemon=True).start()\n"
        "time.sleep(0.5)\nprint(worker._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    if not line:
        pytest.skip(f"no {rung} on this machine")
    group = int(line)
    for _ in range(200):
        if not _alive(group):
            assert list(tmp_path.iterdir()) == []
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("the worker outlived its process")


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
