"""Many deeds at once, their results in the order of the items, in bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

from solon.errors import SolonError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 16
"""How many windows of finished results may wait for an earlier one that is slow: a few poisoned rows hold up nobody."""

MOST_AHEAD = 32_768
"""And how many results, where a window is as large as a provider's batch."""


TURN = 8
"""How many items are begun before those that are at work get their turn: the first requests are on their way to a
server while further ones are made."""


async def _a_turn() -> None:
    await asyncio.sleep(0)


async def ordered(
    deed: Callable[[Item], Awaitable[Result]],
    items: Iterable[Item],
    *,
    window: int,
    in_waves: Callable[[], bool],
    turn: Callable[[], Awaitable[None]] = _a_turn,
) -> AsyncGenerator[tuple[Item, Result], None]:
    """Yields ``(item, await deed(item))`` in order, with at most ``window`` deeds at work.

    While ``in_waves()``, the next ``window`` items are begun only when all before them are done; otherwise each deed
    that ends makes room for the next. The first deed that raises stops all; what it raised is raised here. ``turn``
    lets those at work go on.
    """
    if window < 1:
        raise ValueError(f"a window holds at least 1 item, not {window}")
    ahead = max(window, min(window * AHEAD, MOST_AHEAD))
    source = iter(items)
    begun: deque[tuple[Item, asyncio.Task[Result]]] = deque()
    failed: list[Exception] = []
    progress = asyncio.Event()
    more, count, working = True, 0, 0

    async def work(item: Item) -> Result:
        nonlocal working
        try:
            return await deed(item)
        except Exception as error:
            failed.append(error)
            raise
        finally:
            working -= 1
            progress.set()

    try:
        while True:
            fresh = not begun
            while more and working < window and len(begun) < ahead and (fresh or not in_waves()):
                try:
                    item = next(source)
                except StopIteration:
                    more = False
                    break
                begun.append((item, asyncio.get_running_loop().create_task(work(item))))
                working += 1
                count += 1
                if count % TURN == 0 and not in_waves():
                    await turn()
            if not begun and not more:
                return
            if failed:
                raise _first(failed)
            if not begun[0][1].done():
                progress.clear()
                await progress.wait()
                continue
            item, task = begun.popleft()
            yield item, task.result()
    finally:
        for _, task in begun:
            task.cancel()
        await asyncio.gather(*(task for _, task in begun), return_exceptions=True)


def _first(failed: list[Exception]) -> Exception:
    """What to tell: an error that solon names before any other, otherwise the earliest."""
    return next((error for error in failed if isinstance(error, SolonError)), failed[0])
