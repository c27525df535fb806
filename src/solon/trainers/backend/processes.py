"""The processes that take each step together, started by ``accelerate launch`` or ``torchrun``; usually there is one.

Each holds the whole model and takes a share of a step's rows; gradients and numbers are added up, so that every process
goes on with the same weights (data parallelism).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, distributed

from solon.errors import RecipeError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """All of them, and which one this is.

    Attributes:
        count: how many there are.
        place: of this one, from 0; the first writes what is kept.
    """

    count: int = 1
    place: int = 0

    @classmethod
    def joined(cls, *, kind: str) -> Self:
        """Those that this one was started with, as the environment says; waits until all are there.

        Args:
            kind: the trainer's, for the message.

        Raises:
            RecipeError: they were to hold a part of the model each, which ``solon.trainers.backend.loop`` cannot do.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        if os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true"):
            raise RecipeError(
                f"trainer {kind!r} cannot divide a model among processes (FSDP): start it as DDP, or use dpo"
            )
        if not distributed.is_initialized():
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(count, distributed.get_rank())

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """The rows that this process takes; none when there are fewer rows than processes."""
        return rows[self.place :: self.count]

    def add_up(self, values: Iterable[Tensor]) -> None:
        """Puts into each tensor the sum over all processes."""
        if self.count > 1:
            for value in values:
                distributed.all_reduce(value)

    def gather(self, value: T) -> list[T]:
        """The value of every process, by its place."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        distributed.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()
