"""The process that forks are made of: ``python -P server.py SOCKET PYTHON``.

It says ``ready`` when all is imported, and ends when its standard input does.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from preloaded.client import FORWARDED, limits

del sys.path[0]

PRELOADED = (
    "numpy",
    "pyarrow.parquet",
    "pydantic",
    "jinja2",
    "openai",
    "anthropic",
    "rich.console",
    "typer",
    "torch",
    "scipy.stats",
    "pandas",
    "datasets",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.generation.utils",
    "peft",
    "accelerate",
    "trl",
    "matplotlib.pyplot",
)
_HELD = (signal.SIGCHLD, *FORWARDED)


def main(path: str) -> dict[str, Any]:
    """Forks for each connection, for as long as somebody holds our standard input open; returns in the forks alone."""
    before = dict(os.environ)
    for module in PRELOADED:
        if find_spec(module.partition(".")[0]) is not None:
            importlib.import_module(module)
    changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
    gc.collect()
    gc.freeze()
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal tells all; those who asked forward what is for their forks
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    print("ready", flush=True)
    children: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for each in (0, listening, woken):
            selector.register(each, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    for child in children:
                        os.kill(child, signal.SIGKILL)
                    os._exit(0)
                elif key.fileobj is listening:
                    connection, _ = listening.accept()
                    wanted, files = _asked(connection)
                    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)  # until a fork can do something about it
                    child = _forked() if wanted else None
                    if wanted and child == 0:
                        for each in (connection, listening, woken, waking, selector, *children.values()):
                            each.close()
                        _become(wanted, files, changed, mask)
                        return wanted
                    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                    for file in files:
                        os.close(file)
                    if child is None:
                        connection.close()
                        continue
                    children[child] = connection
                    selector.register(connection, selectors.EVENT_READ, child)
                    with suppress(OSError):  # who asked was killed: we read of it next
                        connection.sendall(f"{child}\n".encode())
                elif key.fileobj is woken:
                    woken.recv(4096)
                    _tell_of_the_ended(children, selector)
                elif key.data in children:  # who asked was killed
                    os.kill(key.data, signal.SIGKILL)
                    selector.unregister(key.fileobj)


def _forked() -> int | None:
    try:
        return os.fork()
    except OSError:  # there is no room for one: who asked becomes a process of its own
        return None


def _tell_of_the_ended(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        connection = children.pop(child)
        if connection in selector.get_map():
            selector.unregister(connection)
            with suppress(OSError):  # killed as well
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        connection.close()


def _asked(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What is to be run, and the files that it is given; nothing, of who was killed while it asked."""
    files: list[int] = []
    size, message = 0, b""
    with suppress(OSError):
        head, files, _, _ = socket.recv_fds(connection, 8, 253)
        size = int.from_bytes(head, "big")
        while len(message) < size and (more := connection.recv(size - len(message))):
            message += more
    whole = bool(message) and len(message) == size
    return json.loads(message.decode("utf-8", "surrogateescape")) if whole else {}, list(files)


def _become(wanted: dict[str, Any], files: list[int], changed: dict[str, str], mask: Iterable[int]) -> None:
    """Takes the place of a process that was started anew."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.setpgid(0, 0)
    apart = max(100, *wanted["files"], *files) + 1  # from here on no number is wanted
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, apart) for file in files]
    for number in (0, 1, 2, *files):
        os.close(number)
    for file, number in zip(moved, wanted["files"], strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(wanted["folder"])
    os.umask(wanted["umask"])
    for name, limit in limits().items():
        if tuple(wanted["limits"][name]) != limit:
            resource.setrlimit(getattr(resource, name), tuple(wanted["limits"][name]))
    os.environ.clear()
    os.environ.update({**wanted["environment"], **changed})
    tempfile.tempdir = None
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    searched = wanted["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [each for each in searched if each and each not in sys.path]
    if not wanted["safe"]:
        sys.path.insert(0, str(Path(wanted["script"]).parent) if "script" in wanted else wanted["folder"])
    sys.executable = sys.argv[2]
    name = wanted.get("script") or wanted["module"]
    sys.argv = [name, *wanted["arguments"]]
    sys.orig_argv = [sys.executable, name, *wanted["arguments"]]


def _run(program: dict[str, Any]) -> int:
    """The exit code that Python would end with, and its complaint."""
    try:
        if "module" in program:
            runpy.run_module(program["module"], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program["script"], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:  # noqa: BLE001 - as where a process of Python ends
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _end(code: int) -> None:
    """As a process of Python ends, but that nothing of all that is loaded is taken apart, which takes most of a second.

    Threads are waited for, and what is registered for the end is done.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, or nobody reads it
            stream.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    _end(_run(main(sys.argv[1])))
