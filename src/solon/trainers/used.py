"""What a training took: time and memory of its processes, those that were killed before the last one included."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import NonNegativeFloat, PositiveInt, ValidationError

from solon.data.artifacts import write_json
from solon.data.records import Noun

BESIDE = "SOLON_BESIDE"
"""In the environment of a process: how many trainings are at work at a time on its machine, where not it alone."""
_FILES = "used-"


class Used(Noun):
    """Time and memory.

    Attributes:
        seconds: by the clock, loading the model included; of several processes the longest.
        cpu_seconds: of all threads and processes, with the programs that they ran to their end (a verifier's tests).
        peak_gib: the most memory of the machine that they had at once; of several processes the sum of each one's most.
        gpu_gib: the most of tensors on GPUs (``torch.cuda.max_memory_allocated``), summed likewise; ``None`` on a CPU.
        beside: how many trainings a comparison let work at a time, this one among them; of several the most. Above 1,
            ``seconds`` are more than they would be alone.
    """

    seconds: NonNegativeFloat = 0.0
    cpu_seconds: NonNegativeFloat = 0.0
    peak_gib: NonNegativeFloat = 0.0
    gpu_gib: NonNegativeFloat | None = None
    beside: PositiveInt = 1


class Meter:
    """What one process takes, on top of what those before it had that did the same part of the training.

    Args:
        kept: the folder that outlives the process.
        rank: which of several it is.
    """

    def __init__(self, kept: Path, rank: int) -> None:
        self._file = kept / f"{_FILES}{rank}.json"
        self._before = _read(self._file)
        self._started = time.monotonic()

    def note(self) -> None:
        """Writes down what was taken until now."""
        times, before = os.times(), self._before
        cpu = times.user + times.system + times.children_user + times.children_system
        write_json(
            self._file,
            Used(
                seconds=round(before.seconds + time.monotonic() - self._started, 2),
                cpu_seconds=round(before.cpu_seconds + cpu, 2),
                peak_gib=round(max(before.peak_gib, peak_gib()), 3),
                gpu_gib=_most(before.gpu_gib, _gpu_gib()),
                beside=max(before.beside, int(os.environ.get(BESIDE, "1"))),
            ),
        )


def used(kept: Path) -> Used:
    """What all processes of a training took together."""
    found = [_read(file) for file in sorted(kept.glob(f"{_FILES}*.json"))]
    on_gpus = [one.gpu_gib for one in found if one.gpu_gib is not None]
    return Used(
        seconds=max((one.seconds for one in found), default=0.0),
        cpu_seconds=round(sum(one.cpu_seconds for one in found), 2),
        peak_gib=round(sum(one.peak_gib for one in found), 3),
        gpu_gib=round(sum(on_gpus), 3) if on_gpus else None,
        beside=max((one.beside for one in found), default=1),
    )


def peak_gib(status: Callable[[], str] = lambda: Path("/proc/self/status").read_text("utf-8")) -> float:
    """The most memory that this process had, in GiB.

    Linux says it of the program alone; ``getrusage`` counts what its parent had when it was started, too.
    """
    try:
        line = next(line for line in status().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**20
    except (OSError, StopIteration, ValueError, IndexError):
        from resource import RUSAGE_SELF, getrusage

        unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
        return getrusage(RUSAGE_SELF).ru_maxrss * unit / 2**30


def _gpu_gib() -> float | None:
    torch = sys.modules.get("torch")  # never imported for this
    if torch is None or not torch.cuda.is_initialized():
        return None
    devices = range(torch.cuda.device_count())
    return round(float(sum(torch.cuda.max_memory_allocated(device) for device in devices)) / 2**30, 3)


def _most(one: float | None, other: float | None) -> float | None:
    known = [each for each in (one, other) if each is not None]
    return max(known, default=None)


def _read(file: Path) -> Used:
    try:
        return Used.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):  # none yet, or cut off by a kill: what it says is for information
        return Used()
