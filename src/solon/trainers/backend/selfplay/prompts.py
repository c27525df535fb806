"""The prompts that rounds answer: those that leave room for an answer, and whose answers can be judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from solon.data.records import Prompt
from solon.errors import DataError, Problem
from solon.models.backend.loading import Loaded
from solon.trainers.backend.length import fitted
from solon.trainers.backend.selfplay.answers import Answering
from solon.trainers.dataset import Rows, prompts_of, read_rows
from solon.trainers.selfplay import SelfPlay


@dataclass(frozen=True)
class Prompts:
    """All of them.

    Attributes:
        rows: the dataset, without those that leave no room.
        changed: how many are not as they were there, as ``fitted`` counts them.
        train: to learn from.
        held_out: on which rounds are compared.
    """

    rows: Rows
    changed: dict[str, float]
    train: list[Prompt]
    held_out: list[Prompt]


def read_prompts(dataset: Path, answering: Answering, applies: Callable[[Prompt], bool]) -> Prompts:
    """Those of a dataset.

    Args:
        dataset: the folder.
        answering: how the policy answers, by whose tokens they are measured.
        applies: whether answers to a prompt can be judged.

    Raises:
        DataError: there are none, or none held out where ``stop`` needs them, or some leave no room for an answer.
    """
    settings = answering.loader.settings
    with answering.loaded(None) as loaded:
        rows, changed = _fitted(settings, dataset, loaded)
    train = list(filter(applies, prompts_of(rows.train, str(dataset / "train.parquet"))))
    test = prompts_of(rows.test, str(dataset / "test.parquet")) if rows.test is not None else []
    held_out = list(filter(applies, test))
    if not train:
        what = f"no principle applies to any of its {rows.train.num_rows} prompts, so answers to them cannot be judged"
        remedy = "look at `topics` in the constitution, and at those of the prompts"
        raise DataError([Problem(str(dataset / "train.parquet"), what, remedy)])
    if settings.needs_held_out and not held_out:
        what = f"there are no held-out prompts, and train.stop is {settings.stop!r}, which goes by the win rate on them"
        raise DataError([Problem(str(dataset), what, "raise build.held_out, or leave train.stop out")])
    return Prompts(rows, changed, train, held_out)


def _fitted(settings: SelfPlay, dataset: Path, loaded: Loaded) -> tuple[Rows, dict[str, float]]:
    """The prompts that leave room for an answer, as ``too_long`` asks, and how many of them are not as they were."""
    rows = read_rows(dataset, settings.consumes, trainer=settings.kind)
    fitting, changed = fitted(settings, rows, loaded, dataset)
    if rows.test is None:
        return fitting, changed
    held_out, more = fitted(settings, replace(rows, train=rows.test), loaded, dataset / "test.parquet")
    both = {name: changed.get(name, 0.0) + more.get(name, 0.0) for name in {**changed, **more}}
    return replace(fitting, test=held_out.train), both


def prompts_of_round(prompts: Sequence[Prompt], number: int, size: int, seed: int) -> list[Prompt]:
    """The prompts that a round answers: every one before any comes again, shuffled; or all as they are.

    Args:
        prompts: all of them.
        number: of the round, from 1.
        size: how many, at most all.
        seed: of the order.
    """
    count = len(prompts)
    if size == count:
        return list(prompts)
    order: list[int] = []
    every: list[int] = []
    for turn in range(-(-number * size // count)):
        # what the round in which two turns meet has of the one comes last in the other: no round has a prompt twice
        met = set(order[count - turn * count % size :]) if turn * count % size else set[int]()
        order = list(range(count))
        Random(f"{seed}:prompts:{turn}").shuffle(order)
        order.sort(key=met.__contains__)  # stable
        every += order
    return [prompts[row] for row in every[(number - 1) * size : number * size]]
