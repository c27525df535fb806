"""The training loop of what TRL does not train: steps of AdamW over rows, which go on after a kill with the same bits.

One step takes ``batch_size * gradient_accumulation`` rows, and its gradient is that of their mean loss, however they
are cut into batches and divided among processes. The order of an epoch's rows and the rate of a step
follow from the seed and the step's number, so what has to be kept is the weights that move, the optimizer's moments,
and where the random numbers stand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from solon.trainers.backend.divided import gathered_all, optimizer_state, part, restore_optimizer, whole
from solon.trainers.backend.kept import STATE, Kept, random_state, read_state, restore_random, write_state
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.reporting import REMEDY, Reporter
from solon.trainers.base import Job
from solon.trainers.gradient import GradientTrainer

Row = TypeVar("Row")
Row_contra = TypeVar("Row_contra", contravariant=True)

LONGEST_GRADIENT = 1.0


class Measure(Protocol[Row_contra]):
    """A forward pass."""

    def __call__(self, rows: Sequence[Row_contra], step: Sequence[Row_contra]) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The losses of ``rows``, shape (rows,), whose mean over ``step`` is minimised, and more numbers of that shape.

        Args:
            rows: those in memory at once.
            step: all of the step's, those among them.
        """
        ...


@dataclass
class Loop(Generic[Row]):
    """Trains one model.

    Attributes:
        settings: rates, steps and batches.
        job: the training.
        model: what ``measure`` runs; its parameters that require a gradient move.
        measure: gives the loss.
        numbers: which of its numbers are reported.
        train: rows to learn from.
        test: rows held out, measured after every epoch; may be empty.
        processes: those that take each step together.
    """

    settings: GradientTrainer
    job: Job
    model: Any
    measure: Measure[Row]
    numbers: Sequence[str]
    train: Sequence[Row]
    test: Sequence[Row]
    processes: Processes = field(default_factory=Processes)

    def __post_init__(self) -> None:
        self.moving = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        self.optimizer = torch.optim.AdamW(self.moving.values(), weight_decay=0.0)
        self.reporter = Reporter(self.job.report, self.numbers, remedy=REMEDY)
        self.kept = Kept(self.job.kept)

    def run(self) -> dict[str, float]:
        """Takes all steps that are left; returns the last value of every number reported.

        Raises:
            TrainingError: loss or gradient is not a number.
            StorageError: the disk is full or not writable.
        """
        between = self.settings.steps_between_saves(self.steps)
        for step in range(self._go_on() + 1, self.steps + 1):
            self._step(step)
            if self.test and (step % self.steps_an_epoch == 0 or step == self.steps):
                self._evaluate(step)
            if step % between == 0 and step < self.steps:
                self._keep(step)
        return self.reporter.last

    # ------------------------------------------------------------ what follows from a step's number

    @property
    def steps_an_epoch(self) -> int:
        """Steps in which every row is seen once; the last may have fewer rows."""
        return math.ceil(len(self.train) / self.rows_a_step)

    @property
    def rows_a_step(self) -> int:
        """Rows that all processes together learn from in a step."""
        return self.settings.batch_size * self.settings.gradient_accumulation

    @property
    def steps(self) -> int:
        """How many there are in all."""
        return self.settings.max_steps or self.settings.epochs * self.steps_an_epoch

    def rows_of(self, step: int) -> list[Row]:
        """The rows of a step, which counts from 1: each epoch has an order of its own."""
        epoch, place = divmod(step - 1, self.steps_an_epoch)
        order = _order(f"{self.job.seed}:{epoch}", len(self.train))
        first = place * self.rows_a_step
        return [self.train[index] for index in order[first : first + self.rows_a_step]]

    # ------------------------------------------------------------ the verbs

    def _step(self, step: int) -> None:
        rate = self.settings.peak_learning_rate * share_of_rate(
            step - 1, self.steps, schedule=self.settings.schedule, warmup_ratio=self.settings.warmup_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rows = self.rows_of(step)
        self.model.train()
        self.optimizer.zero_grad()
        totals = self._zeros()
        weight = self.processes.count if self.processes.divided else 1  # where it is, gradients come as means over them
        for batch, own in self.processes.batches(rows, self.settings.batch_size):
            losses, numbers = self.measure(batch, rows)
            (losses[:own].sum() * weight / len(rows)).backward()
            _add(totals, losses, numbers, own)
        if not self.processes.divided:
            self.processes.add_up(self._gradients())
        norm = whole(torch.nn.utils.clip_grad_norm_(self.moving.values(), LONGEST_GRADIENT))
        self.optimizer.step()
        self._report(step, self._means(totals, len(rows)) | {"learning_rate": rate, "grad_norm": norm.item()})

    def _evaluate(self, step: int) -> None:
        self.model.eval()
        totals = self._zeros()
        with torch.no_grad():
            at_once = 2 * self.settings.batch_size  # there are no gradients to keep
            for batch, own in self.processes.batches(self.test, at_once):
                _add(totals, *self.measure(batch, self.test), own)
        means = self._means(totals, len(self.test))
        self._report(step, {f"eval_{name}": value for name, value in means.items()})

    def _report(self, step: int, numbers: dict[str, float]) -> None:
        where = SimpleNamespace(global_step=step, max_steps=self.steps)
        self.reporter.on_log(None, where, None, numbers | {"epoch": step / self.steps_an_epoch})

    def _zeros(self) -> dict[str, Tensor]:
        device = next(iter(self.moving.values())).device
        return {name: torch.zeros((), device=device) for name in ("loss", *self.numbers)}

    def _means(self, totals: Mapping[str, Tensor], count: int) -> dict[str, float]:
        sums = torch.stack(list(totals.values()))
        self.processes.add_up([sums])
        return dict(zip(totals, (sums / count).tolist(), strict=True))

    def _gradients(self) -> Iterator[Tensor]:
        for weight in self.moving.values():
            if weight.grad is None:  # no row of this process went through it, as through a mixture's expert
                weight.grad = torch.zeros_like(weight)
            yield weight.grad

    def _keep(self, step: int) -> None:
        everyones = self.processes.gather(random_state())
        weights = gathered_all({name: weight.detach() for name, weight in self.moving.items()})
        state = {"weights": weights, "optimizer": optimizer_state(self.optimizer), "random": everyones}
        if self.processes.first:
            with self.kept.writing(step) as folder:
                write_state(folder / STATE, state)
        self.reporter.keep()
        self.processes.wait()

    def _go_on(self) -> int:
        """Puts everything back to the last step that was kept; returns its number, 0 when there is none."""
        newest = self.kept.latest()
        if newest is None:
            return 0
        state = read_state(newest / STATE)
        with torch.no_grad():
            for name, weight in self.moving.items():
                weight.copy_(part(state["weights"][name], like=weight))
        restore_optimizer(self.optimizer, state["optimizer"])
        restore_random(state["random"][self.processes.place])
        self.reporter.last.update(self.job.go_on_from(self.kept.step_of(newest)))
        self.reporter.keep()
        return self.kept.step_of(newest)


def share_of_rate(done: int, steps: int, *, schedule: str, warmup_ratio: float) -> float:
    """The learning rate of the next step as a share of the highest, in [0, 1]: what the schedules of transformers give.

    Args:
        done: steps taken before.
        steps: steps in all.
        schedule: ``cosine``, ``linear`` or ``constant``.
        warmup_ratio: share of the steps in which it rises from 0.
    """
    warmup = math.ceil(steps * warmup_ratio)
    if done < warmup:
        return done / warmup
    fallen = (done - warmup) / max(1, steps - warmup)
    match schedule:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * fallen))
        case "linear":
            return 1 - fallen
        case _:
            return 1.0


@lru_cache(maxsize=1)
def _order(seed: str, count: int) -> list[int]:
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


def _add(totals: dict[str, Tensor], losses: Tensor, numbers: Mapping[str, Tensor], own: int) -> None:
    for name, values in {"loss": losses, **numbers}.items():
        totals[name] += values[:own].detach().sum()
