"""The processes that take each step together, started by solon or ``accelerate launch``; usually there is one.

Each takes a share of a step's rows, and all go on with the same weights. Either each holds the whole model, and
gradients are added up (data parallelism, DDP), or each holds a part of every layer, and a layer is put together while
it is used (FSDP, Zhao et al. 2023, arXiv:2304.11277: ``solon.trainers.backend.divided``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar, cast

import torch
from torch import Tensor, distributed

from solon.errors import RecipeError
from solon.trainers.several import ACCELERATE_DIVIDES, DIVIDED, LISTENING, Place

T = TypeVar("T")

_PATIENCE = timedelta(days=30)
"""How long one process waits for another. A judge may take hours over a step's completions, and one that is gone is
noticed by whoever started them all, not by the clock."""


@dataclass(frozen=True)
class Processes:
    """All of them, and which one this is.

    Attributes:
        count: how many there are.
        place: of this one, from 0; the first writes what is kept and what is left.
        divided: whether each holds a part of the model (FSDP), and not all of it.
    """

    count: int = 1
    place: int = 0
    divided: bool = False

    @classmethod
    def joined(cls) -> Self:
        """Those that this one was started with, as the environment says; waits until all are there.

        To be called before anything is loaded: from then on ``cuda`` is this process's own GPU.

        Raises:
            RecipeError: there is no GPU for this one, and there are for others.
        """
        here = Place.here()
        if here.divided:
            os.environ.update({DIVIDED: "true", ACCELERATE_DIVIDES: "false"})
        if here.count > 1 and not distributed.is_initialized():
            on_gpu = torch.cuda.is_available()
            if on_gpu:
                _take_gpu(here.local)
            # gloo beside nccl: what is gathered of random numbers and texts is on the CPU
            backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
            distributed.init_process_group(
                backend, store=_store(here), rank=here.rank, world_size=here.count, timeout=_PATIENCE
            )
            # whoever is connected first could end, and the store with it, while another still reads there whom to reach
            cls.here().add_up([torch.zeros(1)])
        return cls.here()

    @classmethod
    def here(cls) -> Self:
        """Those that were joined; this one alone where none were."""
        if not distributed.is_initialized():
            return cls()
        return cls(distributed.get_world_size(), distributed.get_rank(), Place.here().divided)

    @property
    def first(self) -> bool:
        """Whether this one writes what all have done."""
        return self.place == 0

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """The rows that this process takes; none when there are fewer rows than processes."""
        return rows[self.place :: self.count]

    def batches(self, rows: Sequence[T], most: int) -> Iterator[tuple[Sequence[T], int]]:
        """This process's share of ``rows``, of which there is one at least, in batches of ``most``; with each, how many
        of it count.

        All processes have as many batches: where a model is divided, none can run a layer without the others. Who has
        too few rows takes one that is another's, which does not count.
        """
        most_rows = math.ceil(len(rows) / self.count)
        share = self.share(rows)
        filled = [*share, *[rows[0]] * (most_rows - len(share))]
        for start in range(0, most_rows, most):
            yield filled[start : start + most], max(0, min(most, len(share) - start))

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

    def by_the_first(self, deed: Callable[[], T]) -> T:
        """What ``deed`` returns in the first process, where alone it is done, given to all.

        Raises:
            RuntimeError: it raised an error in the first process, where that very error is raised.
        """
        if self.count == 1:
            return deed()
        given: list[Any] = [False, None]
        try:
            if self.first:
                given = [True, deed()]
        finally:
            distributed.broadcast_object_list(given)
        if not given[0]:
            raise RuntimeError("the first process stopped")
        return cast("T", given[1])

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


def _store(here: Place) -> distributed.Store | None:
    """Where they meet, if solon started them: at a port that it holds open already, so that nobody else can take it."""
    listening = os.environ.get(LISTENING)
    if listening is None:
        return None
    port, descriptor = map(int, listening.split(":"))
    first = {"is_master": True, "master_listen_fd": descriptor} if here.rank == 0 else {}
    return distributed.TCPStore("127.0.0.1", port, here.count, timeout=_PATIENCE, use_libuv=False, **first)


def _take_gpu(number: int) -> None:
    """Makes ``cuda`` this process's own GPU from now on.

    Raises:
        RecipeError: there are fewer GPUs than processes on this machine.
    """
    gpus = torch.cuda.device_count()
    if number >= gpus:
        raise RecipeError(
            f"train.processes: process {number + 1} of this machine has no GPU of its own, for there are {gpus}: start "
            f"as many processes as GPUs"
        )
    torch.cuda.set_device(number)
