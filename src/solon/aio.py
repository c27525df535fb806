"""The calls of ``solon`` for asynchronous code: ``await solon.aio.label(...)`` keeps the event loop free.

Each does what the call of its name in ``solon`` does, in a thread of its own, with the same arguments. Cancelled, it
stops its work: replies that are under way are waited for and recorded, and the same call goes on from there.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from solon.api import evaluating, labeling, running, sampling, training
from solon.loops import heed, in_thread
from solon.progress import Bar, Progress

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["compare", "evaluate", "label", "run", "sample", "train"]


class _Heeding:
    """A progress that ends the work which reports to it, when that was told to stop."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:
        heed()
        with self._shown.stage(name, total, unit) as bar:
            yield _HeedingBar(bar)

    def say(self, text: str) -> None:
        heed()
        self._shown.say(text)

    def note(self, text: str) -> None:
        self._shown.note(text)


class _HeedingBar:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        heed()
        self._bar.advance(steps, failed=failed, usd=usd, note=note, total=total)


def _awaitable(call: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    @functools.wraps(call)
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> T:
        given: dict[str, Any] = dict(kwargs)
        given["progress"] = _Heeding(running.shown(given.get("progress", True)))
        return await in_thread(functools.partial(call, *args, **given))

    return awaited


run = _awaitable(running.run)
compare = _awaitable(running.compare)
sample = _awaitable(sampling.sample)
label = _awaitable(labeling.label)
train = _awaitable(training.train)
evaluate = _awaitable(evaluating.evaluate)
