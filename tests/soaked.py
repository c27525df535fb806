"""A long label stage in a process of its own, at a ``FaultServer`` in another: what memory and how many files it holds.

python tests/soaked.py serve                                # prints where it listens, and serves until stdin ends
python tests/soaked.py label FOLDER QUESTIONS BASE_URL      # prints what was measured, as JSON
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from failing import project, shorter
from solon.constitution.library import resolve
from solon.ledger import Ledger
from solon.pipeline import STAGES
from solon.progress import Bar, Silent
from solon.recipe import Opened, Recipe
from solon.rundir import RunDirectory
from solon.stages.run import Run
from solon.testing import HEALING, Fault, FaultServer

CONCURRENCY = 64
SAMPLES = 100
QUICK = tuple(fault for fault in HEALING if fault is not Fault.THROTTLED)
FAULTS = (*QUICK, Fault.THROTTLED_TWICE, Fault.RESET_AFTER, Fault.TWO_LENGTHS, Fault.TWO_TYPES, Fault.NO_USAGE)
"""What 5 % of the requests meet. A 429 that does not say for how long would make it sleep for most of the time."""


@dataclass(frozen=True)
class Sample:
    """What the labeling process holds after so many questions.

    Attributes:
        mb: resident memory.
        files: open file descriptors, connections among them.
    """

    questions: int
    mb: float
    files: int


class Sampling(Silent):
    """Takes a sample each so many prompts."""

    def __init__(self, every: int) -> None:
        self.samples = [sample(0)]
        self._every = every
        self._done = 0

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:
        """Itself as the bar."""
        yield self

    def advance(
        self,
        steps: int = 1,
        *,
        failed: int = 0,
        usd: float = 0.0,
        note: str = "",
        total: int | None = None,
    ) -> None:
        """One prompt more, which is two questions."""
        self._done += steps
        if self._done % self._every == 0:
            self.samples.append(sample(2 * self._done))


def sample(questions: int) -> Sample:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(questions, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len([*Path("/proc/self/fd").iterdir()]))


def label(folder: Path, questions: int, base_url: str) -> dict[str, Any]:
    """Labels candidates of a file through an endpoint and a ledger; the samples, and the counts of the stage."""
    judge = {"kind": "endpoint", "model": "judge-1", "base_url": base_url, "concurrency": CONCURRENCY}
    candidates = str(folder / "candidates.jsonl")
    recipe = Recipe.model_validate(
        {
            "constitution": "honesty",
            "candidates": candidates,
            "label": {"kind": "pairwise", "principles": "all", "judge": judge},
        }
    )
    sampling, started = Sampling(questions // 2 // SAMPLES), time.monotonic()
    with RunDirectory.open(folder / "run") as directory, Ledger.open(folder / "ledger.sqlite") as ledger:
        directory.begin(name="soak", seed=0, constitution={}, versions={}, recipe="")
        opened = Opened(recipe, folder / "recipe.yaml", {})
        STAGES["label"](Run(opened, directory, resolve("honesty"), ledger, sampling))
        summary = directory.summary("label")
    seconds = time.monotonic() - started
    return {"samples": [asdict(one) for one in sampling.samples], "summary": summary, "seconds": seconds}


async def serve() -> None:
    """Says where it listens, serves until nobody holds its standard input any more, and says what it has done."""
    async with FaultServer(share=0.05, faults=FAULTS, answer=shorter, remembers=False) as server:
        print(server.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps({"requests": server.asked.total(), "failed": server.failed.total()}))


def soak(folder: Path, questions: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Both processes: what was measured of the labeling one, and what the server counted."""
    project(folder, questions)
    command = [sys.executable, str(Path(__file__))]
    with subprocess.Popen([*command, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            words = [*command, "label", str(folder), str(questions), server.stdout.readline().strip()]
            measured = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            counted, _ = server.communicate("")
    return dict(json.loads(measured.stdout)), dict(json.loads(counted))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve())
    else:
        print(json.dumps(label(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
