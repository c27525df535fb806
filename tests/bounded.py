"""Commands of solon in processes of their own with limits on memory and time: what eats either fails, and says so."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MEMORY = 3 << 30
"""Bytes of address space, of which Arrow alone reserves some hundred million."""


@dataclass(frozen=True)
class Ended:
    """What became of a command.

    Attributes:
        code: its exit code; negative for a signal.
        said: what stood on the screen.
        seconds: of processor time.
        megabytes: the most memory that it had.
    """

    code: int
    said: str
    seconds: float
    megabytes: int

    def refused_at(self, place: str) -> bool:
        """Whether it was refused as input is, at that place, and in words."""
        return self.code == 2 and place in self.said.replace("\n", "") and "Traceback" not in self.said


def commands(folder: Path, *lines: Sequence[str], seconds: int = 60) -> list[Ended]:
    """Runs each command line in ``folder``, one after the other; what solon imports is imported once."""
    asked = json.dumps({"lines": [list(line) for line in lines], "seconds": seconds})
    environment = {**os.environ, "COLUMNS": "1000", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, __file__], input=asked, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [Ended(**each) for each in json.loads(done.stdout)]


def _serve() -> None:
    from solon.cli.app import main

    asked = json.load(sys.stdin)
    ended = []
    for line in asked["lines"]:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as screen:
            child = os.fork()
            if child == 0:
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                resource.setrlimit(resource.RLIMIT_CPU, (asked["seconds"], asked["seconds"]))
                os.dup2(screen.fileno(), 1)
                os.dup2(screen.fileno(), 2)
                sys.argv = ["solon", *line]
                main()
                sys.stdout.flush()
                os._exit(0)
            _, status, used = os.wait4(child, 0)
            screen.seek(0)
            ended.append(
                {
                    "code": os.waitstatus_to_exitcode(status),
                    "said": screen.read()[:4000],
                    "seconds": used.ru_utime + used.ru_stime,
                    "megabytes": used.ru_maxrss // 1024,
                }
            )
    json.dump(ended, sys.stdout)


if __name__ == "__main__":
    _serve()
