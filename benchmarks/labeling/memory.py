"""Memory and time of the label and build stages: a million questions against ten thousand, and what a rerun takes.

    python benchmarks/labeling/memory.py                     # about half an hour, and 8 GB of disk
    python benchmarks/labeling/memory.py --large 100000      # a few minutes

Each stage runs in a process of its own, from candidates in a JSON Lines file, with everything that a judge behind a
network takes (journal, ledger, price); only the network is left out. Printed are the highest resident memory and the
seconds of each process, and the ratio of the memory at the two sizes. The two ways to rerun a finished stage: with its
file there, and with its file gone, as after a kill just before it appears; then every reply comes from the ledger.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from solon.constitution.library import resolve
from solon.data.records import Usage
from solon.ledger import Ledger
from solon.models.base import ChatModel, Price, Reply, Request
from solon.pipeline import STAGES
from solon.recipe import Opened, Recipe
from solon.rundir import RunDirectory
from solon.stages.run import Run

PHASES = {
    "label": "label",
    "label, again": "label",
    "label, from the ledger": "label",
    "build": "build",
}
"""What is measured, and the stage that it runs."""


class InProcess(ChatModel):
    """A judge behind a network of length 0: prefers the longer response, and costs what a small model costs."""

    kind: ClassVar[str] = "in_process"

    @property
    def remote(self) -> bool:
        """As a model that costs money: its requests are journalled before they are sent."""
        return True

    @property
    def max_in_flight(self) -> int:
        """As many as an ``endpoint`` has by default."""
        return 64

    def cost(self) -> Price:
        """Of a small model."""
        return Price(input=0.1, output=0.4)

    async def complete(self, request: Request) -> Reply:
        """The letter of the longer one."""
        text = request.messages[-1].content
        usage = Usage(input_tokens=len(text) // 4, output_tokens=1)
        longer = "A" if text.index("very long") < len(text) // 2 else "B"
        return Reply(text=longer, usage=usage, model=self.name)


def main() -> None:
    """Prints a Markdown row for each phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=10_000, help="questions")
    parser.add_argument("--large", type=int, default=1_000_000, help="questions")
    parser.add_argument("--folder", type=Path, help="where the runs go; a temporary folder when left out")
    parser.add_argument("--phase", nargs=2, metavar=("PHASE", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        print(json.dumps(_measured(options.phase[0], Path(options.phase[1]))))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = {size: Path(folder) / str(size) for size in (options.small, options.large)}
        for size, path in paths.items():
            _candidates(path, size // 2)
        print(f"| stage | {options.small:,}: MB | s | {options.large:,}: MB | s | MB, ratio |")
        print("|---|---|---|---|---|---|")
        for phase in PHASES:
            small, large = (_in_a_process(phase, path) for path in paths.values())
            row = [small["mb"], small["s"], large["mb"], large["s"]]
            numbers = " | ".join(f"{number:,.0f}" for number in row)
            print(f"| {phase} | {numbers} | {large['mb'] / small['mb']:.2f} |", flush=True)


def _candidates(folder: Path, prompts: int) -> None:
    """Prompts with two responses each: two questions a prompt, one in each order."""
    folder.mkdir(parents=True)
    with (folder / "candidates.jsonl").open("w", encoding="utf-8") as file:
        for number in range(prompts):
            responses = [f"{number} is a number.", f"{number} is a number, and this is a very long answer." * 4]
            if number % 3 == 0:
                responses.reverse()
            row = {"prompt": f"What do you know about the number {number}? " + "Say all of it. " * 8}
            file.write(json.dumps({**row, "responses": responses}) + "\n")


def _in_a_process(phase: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--phase", phase, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout))


def _measured(phase: str, folder: Path) -> dict[str, float]:
    """Runs a stage here and says what it took. Starting Python and importing solon count as memory, not as time."""
    if phase == "label, from the ledger":
        _forget(folder / "run")
    recipe = Recipe.model_validate(
        {
            "constitution": "honesty",
            "candidates": str(folder / "candidates.jsonl"),
            "label": {"kind": "pairwise", "principles": "all", "judge": InProcess()},
        }
    )
    started = time.monotonic()
    with RunDirectory.open(folder / "run") as directory, Ledger.open(folder / "ledger.sqlite") as ledger:
        directory.begin(name="memory", seed=0, constitution={}, versions={}, recipe="")
        opened = Opened(recipe, folder / "recipe.yaml", {})
        STAGES[PHASES[phase]](Run(opened, directory, resolve("honesty"), ledger))
    seconds = time.monotonic() - started
    return {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "s": seconds}


def _forget(run: Path) -> None:
    """Puts a run back to where a kill just before the file appears leaves it."""
    (run / "judgments.jsonl").unlink()
    state = json.loads((run / "run.json").read_text("utf-8"))
    del state["stages"]["label"]
    (run / "run.json").write_text(json.dumps(state), "utf-8")


if __name__ == "__main__":
    main()
