"""The meeting place that ``accelerate launch`` or ``torchrun`` holds open for the processes that it starts."""

from __future__ import annotations

import os
from datetime import timedelta

from torch import distributed

_FOR_EVER = timedelta(days=365)
"""What comes before the training may take long, and the launcher ends who waits in vain."""


def tell(assignment: str) -> None:
    """Hands the assignment to the other processes; an empty one when there is nothing to train."""
    _store().set(_key(), assignment)


def told() -> str:
    """What the first process handed over, as soon as it has."""
    store = _store()
    store.wait([_key()], _FOR_EVER)
    return str(store.get(_key()).decode())


def _key() -> str:
    """Of this start alone: a launcher that starts all again (``--max_restarts``) goes on with the same store."""
    return f"solon/assignment/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"


def _store() -> distributed.TCPStore:
    return distributed.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
