"""Python's collector of cycles, told that a stage makes many records and next to no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 300_000
"""New objects between two looks for cycles; Python's own number is 700. Some tens of megabytes, were all of them
garbage. A stage with a thousand questions under way holds as many that are none."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """While the block runs, cycles are looked for seldom, and never among what was there before.

    Questions, replies and judgments hold no cycles: they are gone as soon as nobody holds them. Looking for cycles
    among some ten thousand of them, again and again, takes a fifth of the time of a stage that asks a fast server.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
