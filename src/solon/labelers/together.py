"""Several deeds at once, for those to whom a task is dear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(deeds: Iterable[Awaitable[T]]) -> list[T]:
    """What the deeds return, in their order. As ``asyncio.gather``, but that the first is done in the caller's task.

    A comparison is asked in two orders, so this saves every second task of a stage. When a deed raises, the others have
    been stopped by the time its error is raised here.
    """
    each = list(deeds)
    if len(each) < 2:
        return [await deed for deed in each]
    first, *others = each
    tasks = [asyncio.ensure_future(deed) for deed in others]
    try:
        return [await first, *[await task for task in tasks]]
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
