"""What passes between a training process and the one that started it.

The assignment goes over as a file, and the worker answers on its standard output with one JSON object a line: ``Step``
after every logged step, ``Warned`` for every alarm, then exactly one ``Done`` or ``Trouble``. What libraries print goes
to the log instead.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter

from solon import errors
from solon.data.records import Checkpoint
from solon.data.whole import number_of, remedy_of
from solon.errors import InputError, Problem, SolonError, StorageError, TrainingError
from solon.plugins.base import LocationStr
from solon.plugins.sending import Sent, sent
from solon.plugins.sources import source_of
from solon.trainers.alarms import Alarm
from solon.trainers.base import Judging, Policy, Trainer

METRICS_FILE = "metrics.jsonl"
LAST_GOOD = "last-good-"
"""Begins the name of the folder, beside that file, with the policy of a training that broke off; its step follows."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Assignment(_Wire):
    """Everything a training process needs to know.

    Attributes:
        group, settings: the trainer's entry-point group, and its settings with ``kind``.
        policy: the settings of the policy.
        base: the folder to which locations in both are relative; ``None`` for the working directory.
        dataset: folder of the dataset.
        out: an empty folder for the checkpoint.
        kept: a folder for what it takes to go on after a kill, the logged numbers among it.
        seed: of shuffling and initialisation.
        judging: how labelers are asked, where the trainer asks any.
        plugins: those that are installed nowhere: registered by the process that sends this.
        source: the hash of the trainer's source, where no package's version stands for it: what trains is what was
            noted, though the training may begin hours after the file was read.
    """

    group: str
    settings: dict[str, Any]
    policy: dict[str, Any]
    base: Path | None
    dataset: Path
    out: Path
    kept: Path
    seed: int
    judging: Judging | None = None
    plugins: tuple[Sent, ...] = ()
    source: str | None = None

    @property
    def metrics(self) -> Path:
        """The file for the logged numbers, one JSON object a line."""
        return self.kept / METRICS_FILE

    @classmethod
    def of(
        cls,
        trainer: Trainer,
        policy: Policy,
        *,
        base: Path | None,
        dataset: Path,
        out: Path,
        kept: Path,
        seed: int,
        judging: Judging | None = None,
    ) -> Assignment:
        """The assignment to train ``policy`` with ``trainer``. A policy that knows its base folder says it itself."""
        known = policy.model.base if isinstance(policy.model, LocationStr) else None
        base = known or base or trainer.looked_up_in
        return cls(
            group=trainer.group,
            settings=trainer.settings(),
            policy=policy.model_dump(mode="json"),
            base=base.absolute() if base is not None else None,
            dataset=dataset.absolute(),
            out=out.absolute(),
            kept=kept.absolute(),
            seed=seed,
            judging=judging,
            plugins=sent(trainer),
            source=source_of(type(trainer)),
        )


class Step(_Wire):
    """One logged step of ``steps`` in all, and its numbers."""

    event: Literal["step"] = "step"
    step: int
    steps: int
    metrics: dict[str, FiniteFloat]


class Warned(_Wire):
    """An alarm was raised on the numbers of the step before, or of one that an earlier process had logged."""

    event: Literal["warned"] = "warned"
    alarm: Alarm


class Done(_Wire):
    """The checkpoint is complete. Its path is relative to ``Assignment.out``."""

    event: Literal["done"] = "done"
    checkpoint: Checkpoint


class Trouble(_Wire):
    """The training stopped.

    Attributes:
        error: name of the class in ``solon.errors``, or ``None`` for an exception nobody expected.
        message: what it says.
        problems: those of an ``InputError``, as ``(where, what, remedy)``.
    """

    event: Literal["trouble"] = "trouble"
    error: str | None
    message: str
    problems: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, error: Exception) -> Trouble:
        """An error as it goes over the wire: the nearest class that both sides know."""
        if not isinstance(error, SolonError):
            if _no_room(error):
                return cls.of(StorageError(f"cannot write what the training keeps: {_said(error)}{_REMEDY}"))
            return cls(error=None, message=f"{type(error).__name__}: {error}")
        known = next(base for base in type(error).__mro__ if base.__module__ == errors.__name__)
        problems = error.problems if isinstance(error, InputError) else ()
        return cls(
            error=known.__name__,
            message=str(error),
            problems=tuple((problem.where, problem.what, problem.remedy) for problem in problems),
        )

    def as_error(self) -> SolonError:
        """The error to raise on the other side; ``TrainingError`` when it was not one of ours."""
        kind = next((kind for kind in _family(SolonError) if kind.__name__ == self.error), TrainingError)
        if issubclass(kind, InputError):
            return kind([Problem(*problem) for problem in self.problems] or self.message)
        # not kind(message): some take other arguments than the message they show
        error = kind.__new__(kind)
        Exception.__init__(error, self.message)
        return error


Event = Annotated[Step | Warned | Done | Trouble, Field(discriminator="event")]
EVENTS: TypeAdapter[Step | Warned | Done | Trouble] = TypeAdapter(Event)


_REMEDY = f"; what it had kept is untouched{remedy_of(errno.ENOSPC)}"


def _said(error: Exception) -> str:
    """What an error says of a full disk, on a line."""
    return " ".join(str(error).split()) if os.strerror(errno.ENOSPC) in str(error) else os.strerror(errno.ENOSPC)


def _no_room(error: BaseException) -> bool:
    """Whether it came of a full disk; safetensors has no class of its own for it."""
    cause: BaseException | None = error
    while cause is not None:
        full = isinstance(cause, OSError) and number_of(cause) in (errno.ENOSPC, errno.EDQUOT)
        if full or os.strerror(errno.ENOSPC) in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _family(kind: type[SolonError]) -> Iterator[type[SolonError]]:
    if kind.__module__ == errors.__name__:
        yield kind
    for child in kind.__subclasses__():
        yield from _family(child)
