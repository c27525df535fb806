"""Trainings by one process and by several, in processes beside the test's: see ``one_of_several``."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import one_of_several


class Several:
    """Trains what it is asked for and remembers what it did; a context manager, which leaves no process behind.

    Args:
        folder: for all that the trainings leave.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: set[str] = set()
        self.log = folder / "errors.txt"
        environment = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TQDM_DISABLE": "1"}
        with self.log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, one_of_several.__file__, str(folder)],
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.process, suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # all of its forks as well

    def train(self, name: str, **given: Any) -> None:
        """Does the training of this name unless it was done; the test fails with the errors of its processes."""
        if name in self.done:
            return
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"out": name, "kept": f"{name}.kept", **given}) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "0\n", self.log.read_text()[-20_000:]
        self.done.add(name)

    def logged(self, name: str, place: int = 0) -> list[dict[str, float]]:
        """The numbers of each step, as one of the processes reported them."""
        return json.loads((self.left(name, place) / "logged.json").read_text("utf-8"))  # type: ignore[no-any-return]

    def left(self, name: str, place: int = 0) -> Path:
        """What one of the processes wrote."""
        return self.folder / f"{name}-{place}"

    def weights(self, name: str) -> dict[str, str]:
        """The SHA-256 of every file of weights that was left."""
        files = sorted(self.left(name).glob("*.safetensors"))
        assert files
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
