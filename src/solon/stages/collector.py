"""Python's collector of cycles, told that a stage makes many records and next to no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

NEW_OBJECTS = 100_000
"""New objects between two looks for cycles; Python's own number is 700. Some thirty megabytes, were all of them
garbage, as the fifty objects or so are that a broken connection leaves. Replies leave none, so looks are rare: what 256
calls at once hold is less. A look takes some milliseconds for each ten thousand, and all replies wait for it."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """While the block runs, cycles are looked for seldom, and never among what was there before.

    Questions, replies and judgments hold no cycles: they are gone as soon as nobody holds them. Looking for cycles
    among some ten thousand of them, again and again, takes a fifth of the time of a stage that asks a fast server.
    """
    with _lock:
        if not _at_work:
            _before[:] = gc.get_threshold()
            gc.freeze()
            gc.set_threshold(NEW_OBJECTS, *_before[1:])
        _at_work.append(None)
    try:
        yield
    finally:
        with _lock:
            _at_work.pop()
            if not _at_work:
                gc.set_threshold(*_before)
                gc.unfreeze()


_lock = Lock()
_before: list[int] = []
"""What the collector was told before the first of them."""
_at_work: list[None] = []
"""One for each stage at work: asynchronous code may have several at a time, each in a thread."""
