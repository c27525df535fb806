"""The meeting place that ``accelerate launch`` or ``torchrun`` holds open for the processes that it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

from torch import distributed

from solon.errors import TrainingError

_FOR_EVER = timedelta(days=365)
"""What comes before the training may take long, and the launcher ends who waits in vain."""
_PATIENCE = timedelta(hours=1)
"""How long the others may take after the first: they go through the training together, so that it is seconds."""
_ASSIGNMENT = "assignment"


def tell(assignment: str) -> None:
    """Hands the assignment to the other processes; an empty one when there is nothing to train."""
    _store().set(_key(_ASSIGNMENT), assignment)


def told() -> str:
    """What the first process handed over, as soon as it has."""
    store = _store()
    store.wait([_key(_ASSIGNMENT)], _FOR_EVER)
    return str(store.get(_key(_ASSIGNMENT)).decode())


def tell_the_end(rank: int, trouble: str = "") -> None:
    """Says that the part of the training is over that the process of that rank had, and what went wrong in it."""
    _store().set(_key(f"end/{rank}"), trouble)


def wait_for_the_others(count: int) -> Mapping[int, str]:
    """Returns when the others of ``count`` processes have told their end: what went wrong, by rank.

    Raises:
        TrainingError: one has not, in an hour.
    """
    store, ends = _store(), {rank: _key(f"end/{rank}") for rank in range(1, count)}
    try:
        store.wait(list(ends.values()), _PATIENCE)
    except distributed.DistStoreError as error:
        raise TrainingError(
            f"the first of {count} processes has trained, and others have not an hour later: look into train.*.log"
        ) from error
    troubles = {rank: store.get(key).decode() for rank, key in ends.items()}
    return {rank: trouble for rank, trouble in troubles.items() if trouble}


def _key(name: str) -> str:
    """Of this start alone: a launcher that starts all again (``--max_restarts``) goes on with the same store."""
    return f"solon/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{name}"


def _store() -> distributed.TCPStore:
    return distributed.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
