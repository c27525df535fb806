"""Every error that solon raises on purpose, in one tree.

::

    SolonError                      exit 1   something solon can name went wrong
    ├── InputError                  exit 2   what the user wrote is wrong: every problem, each with its place
    │   ├── ConstitutionError
    │   ├── RecipeError
    │   └── DataError                        prompts, candidates, datasets, model folders
    ├── PluginError                 exit 2   an unknown, clashing, or broken plugin
    ├── MissingExtra                exit 2   a feature whose packages are not installed; says the install line
    ├── ModelError                  exit 1
    │   ├── ModelUnavailable                 may heal: overload, time-out, a reset connection
    │   ├── ModelRejected                    will not heal: key, quota, model name, malformed request
    │   │   └── PromptTooLong                this one request does not fit the model; others may
    │   └── ModelDown                        most recent calls failed: the stage stops, everything so far is kept
    ├── StageIncomplete             exit 3   too many judgments failed; what succeeded is kept
    ├── BudgetReached               exit 4   the next request could pass the cap
    ├── RunBusy                     exit 1   another process is at work in this run directory
    ├── StorageError                exit 1   the disk is full or not writable, or the ledger is damaged
    ├── Interrupted                 exit 130 somebody pressed Ctrl-C (143 SIGTERM, 129 SIGHUP); the same command goes on
    └── TrainingError               exit 1   a trainer stopped; the last good checkpoint is kept

A foreign error becomes one of these once, at the boundary where it enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user wrote.

    Attributes:
        where: ``file:line:column``, ``file:line`` or ``file``; empty when it has no place in a file.
        what: what is wrong, as a sentence without a full stop.
        remedy: what to do about it; empty when ``what`` says it already.
    """

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{remedy}"


class SolonError(Exception):
    """Base of all errors that solon raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(SolonError):
    """What the user wrote is wrong. Carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConstitutionError(InputError):
    """A constitution file that cannot be read as one."""


class RecipeError(InputError):
    """A recipe that cannot be run as written."""


class DataError(InputError):
    """A prompt file, dataset or model folder that cannot be used."""


class PluginError(SolonError):
    """A plugin that is unknown, clashes with another, or does not load."""

    exit_code = 2


class MissingExtra(SolonError):
    """A feature whose packages are not installed. The message ends with the install line."""

    exit_code = 2

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed: pip install 'solon[{extra}]'")


class ModelError(SolonError):
    """A chat model gave no usable reply."""


class ModelUnavailable(ModelError):
    """The model did not answer this time: overload, time-out, a reset connection. Asking again may help.

    Attributes:
        retry_after: seconds the server asked us to wait, if it did.
        throttled: the server is well and only asks for fewer requests (status 429).
        maybe_billed: the server may have done the work although no usable reply came, so it may be on the bill.
        malformed: it answered, and what it sent is no reply: no choices, null content, a web page with status 200.
        timed_out: no whole answer came within the time that one request may take.
        unreachable: no connection came about, so the request has nothing to do with it.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        throttled: bool = False,
        maybe_billed: bool = False,
        malformed: bool = False,
        timed_out: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.throttled = throttled
        self.maybe_billed = maybe_billed
        self.malformed = malformed
        self.timed_out = timed_out
        self.unreachable = unreachable


class ModelRejected(ModelError):
    """The model will not answer however often it is asked: key, quota, model name, malformed request."""


class PromptTooLong(ModelRejected):
    """This one request does not fit the model's context. The model is there, and other requests may fit.

    Attributes:
        places: of a batch that was refused before any work was done, which of its requests do not fit (from 0).
    """

    def __init__(self, message: str, *, places: Sequence[int] = (0,)) -> None:
        super().__init__(message)
        self.places = tuple(places)


class ModelDown(ModelError):
    """Most recent calls of a model failed, so the stage stopped instead of failing the rest one by one."""


class StageIncomplete(SolonError):
    """More judgments failed than the recipe allows. Everything that succeeded is kept."""

    exit_code = 3


class BudgetReached(SolonError):
    """The next request could have passed the cap, so it was not sent."""

    exit_code = 4


class RunBusy(SolonError):
    """Another process is at work in this run directory."""


class StorageError(SolonError):
    """The disk is full or not writable, or the ledger is damaged."""


class Interrupted(SolonError):
    """Somebody pressed Ctrl-C, or a signal asked the process to end. What was paid for is kept."""

    exit_code = 130


class TrainingError(SolonError):
    """A trainer stopped before its end."""
