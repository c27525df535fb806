"""Several processes that train together: what the environment of each says, as ``torchrun`` and ``accelerate`` have it.

Needs no torch: who starts them reads and writes this, and so does whoever refuses what cannot be trained so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from solon.data.artifacts import write_json
from solon.errors import RecipeError, TrainingError
from solon.trainers.base import Trainer

_YES = ("1", "true", "yes", "on")

LISTENING = "SOLON_LISTENING"
"""Names the variable with port and file descriptor of the socket where processes that solon started meet."""
DIVIDED = "SOLON_FSDP"
"""Names the variable that says whether the model is divided among the processes."""
ACCELERATE_DIVIDES = "ACCELERATE_USE_FSDP"
"""As accelerate has it. It divides models on GPUs only, and on a CPU goes on with whole ones without a word; so solon
divides them itself (``solon.trainers.backend.divided``)."""


@dataclass(frozen=True)
class Place:
    """Which of the processes one is.

    Attributes:
        count: how many there are, on all machines.
        rank: its place among all of them, from 0.
        local: its place among those of its machine, from 0.
        divided: whether the model is divided among them (FSDP).
    """

    count: int = 1
    rank: int = 0
    local: int = 0
    divided: bool = False

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """As the environment says; alone where it says nothing."""
        count = int(environment.get("WORLD_SIZE") or 1)
        if count == 1:
            return cls()
        return cls(
            count,
            int(environment.get("RANK") or 0),
            int(environment.get("LOCAL_RANK") or 0),
            any(environment.get(name, "").lower() in _YES for name in (DIVIDED, ACCELERATE_DIVIDES)),
        )

    def environment(self, *, port: int, listening: int) -> dict[str, str]:
        """What tells a process of this machine its place, and where all meet: on the loopback interface.

        Args:
            port: of the meeting place.
            listening: the file descriptor of the socket that listens there, which the first process inherits.
        """
        return {
            "WORLD_SIZE": str(self.count),
            "LOCAL_WORLD_SIZE": str(self.count),
            "RANK": str(self.rank),
            "LOCAL_RANK": str(self.local),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            LISTENING: f"{port}:{listening}",
            DIVIDED: str(self.divided).lower(),
            ACCELERATE_DIVIDES: "false",
        }

    @property
    def called(self) -> str:
        """It for a reader, among all."""
        return f"process {self.rank + 1} of {self.count}"


def refuse_together(trainer: Trainer, place: Place) -> None:
    """Refuses processes that cannot train together so, before anything is loaded.

    Raises:
        RecipeError: the trainer or its backend trains in one process only, it cannot divide a model, or is set to
            another number.
    """
    asked = getattr(trainer, "processes", 1)
    if asked not in (1, place.count):
        raise RecipeError(
            f"train.processes is {asked}, and {place.count} were started: leave it out where others start the processes"
        )
    if place.count == 1:
        return
    if "ddp" not in trainer.together:
        raise RecipeError(f"trainer {trainer.kind!r} trains in one process, and {place.count} were started: start one")
    if getattr(trainer, "backend", None) == "unsloth":
        raise RecipeError(
            f"train.backend: unsloth trains in one process, and {place.count} were started: start one, or take "
            "`backend: plain` or `bitsandbytes`"
        )
    if place.divided and "fsdp" not in trainer.together:
        raise RecipeError(
            f"trainer {trainer.kind!r} cannot divide a model among processes (FSDP): leave train.fsdp out, or start "
            "them as DDP"
        )


def refuse_others(kept: Path, place: Place) -> None:
    """Refuses to go on with what other processes kept: each kept where its own random numbers stood.

    Args:
        kept: where what it takes to go on is kept; how many processes there are is noted beside it.
        place: of this process.

    Raises:
        TrainingError: the training was begun by more or fewer, or in another way.
    """
    note = kept.with_name("processes.json")
    now = {"count": place.count, "fsdp": place.divided}
    before = json.loads(note.read_text("utf-8")) if note.exists() else None
    if before == now:
        return  # not written again: another may be reading it
    if before is not None and any(kept.iterdir()):
        raise TrainingError(
            f"this training was begun by {_said(before)} and cannot go on with {_said(now)}: start it as before, or "
            f"remove {kept.parent.parent} to begin anew"
        )
    if place.rank == 0:
        write_json(note, now)


def _said(processes: Mapping[str, int]) -> str:
    count = processes["count"]
    return f"{count} process{'es' if count > 1 else ''}{' with FSDP' if processes['fsdp'] else ''}"
