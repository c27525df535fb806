"""The worker process: reads jobs from standard input, forks a child for each, and says what became of it.

A message is 4 bytes of length and that many of JSON. The first one says how to be; the answer to it, and to each job
after it, is one message. The worker itself never runs what it was sent: only children do, one at a time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from typing import Any

from solon.sandbox.inside.child import Child
from solon.sandbox.inside.isolation import shut

_COMMANDS, _ANSWERS = 0, 1


def main() -> None:
    """Lives until standard input ends."""
    try:
        start = _read()
        if start is None:
            return
        for folder in start["import_from"]:
            sys.path.append(folder)
        programs = {name: importlib.import_module(f"solon.sandbox.programs.{name}") for name in start["programs"]}
        for program in programs.values():
            program.prepare()
        readable = [(path, frozenset(closed)) for path, closed in start["readable"]]
        made = shut(start["rung"], readable, start["folder"])
    except (OSError, NotImplementedError, ImportError) as error:
        _write({"failed": f"{type(error).__name__}: {error}"})
        return
    # what is alive now is never collected, so that children do not copy its pages
    gc.collect()
    gc.freeze()
    _write({"failed": None})
    try:
        while (job := _read()) is not None:
            made.reset_scratch()
            _write(Child(made, programs[job["program"]], job).wait(_COMMANDS))
    except BrokenPipeError:
        # the process that asked is gone
        pass
    finally:
        made.leave()


def _read() -> dict[str, Any] | None:
    head = _read_exactly(4)
    if head is None:
        return None
    body = _read_exactly(int.from_bytes(head, "big"))
    return None if body is None else json.loads(body)


def _read_exactly(size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(_COMMANDS, min(size, 1 << 16))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    data = len(body).to_bytes(4, "big") + body
    while data:
        data = data[os.write(_ANSWERS, data) :]
