"""A worker of the sandbox on each way to shut it in, with a secret in the environment that it was started from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from solon.sandbox.inside import Rung
from solon.sandbox.worker import Worker, WorkerLost

RUNGS: tuple[Rung, ...] = ("namespaces", "landlock")


def shut_in(rung: Rung, *jobs: str) -> Iterator[Worker]:
    """A worker for jobs of some kinds, until the test is over; skips the test where this kernel cannot shut it in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_SECRET_KEY", "sk-planted")
        try:
            made = Worker(list(jobs), rung)
        except WorkerLost as error:
            pytest.skip(f"{rung}: {error}")
        yield made
        made.end()
