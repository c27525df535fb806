"""Judges behind a network, for trainings that ask for rewards in an event loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from solon.data.records import Constitution, Principle
from solon.labelers.rating import RatingJudge
from solon.testing import FaultServer

CONSTITUTION = Constitution(name="brief", principles=(Principle(id="brief", text="Be brief."),))
FREE = {"input": 0, "output": 0}

Served = TypeVar("Served", bound=FaultServer)


@contextmanager
def serving(server: Served) -> Iterator[Served]:
    """The server, in a loop of its own: a training's stands still between its steps."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def judge_at(server: FaultServer, **settings: object) -> RatingJudge:
    """An API judge that rates from 1 to 5."""
    model = {"kind": "endpoint", "base_url": server.base_url, "model": "judge", "price": FREE, "timeout_s": 5}
    return RatingJudge.model_validate({"judge": {**model, **settings}})


def digit(text: str) -> str:
    """A rating that depends on the question alone."""
    return str(sum(text.encode()) % 5 + 1)
