"""A hub is asked: by its own client, again where it has trouble that may pass, and its errors become solon's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from solon.data import hub
from solon.errors import DataError, MissingExtra, Problem, StorageError

T = TypeVar("T")

ATTEMPTS = 4
"""How often a step is tried while the hub has trouble that may pass."""
_FIRST_WAIT_S = 0.5


def client(address: str) -> Any:
    """The hub's client, with the token of ``HF_TOKEN``.

    Raises:
        MissingExtra: ``huggingface_hub`` is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtra(f"pushing to {address}", "train") from error
    from solon import __version__

    return HfApi(library_name="solon", library_version=__version__)


def tried(address: str, deed: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
    """Does it, again where the hub has trouble that may pass. Uploads are tried again by ``huggingface_hub`` itself.

    Raises:
        DataError: the hub refuses it.
        StorageError: the hub cannot be reached or has trouble.
    """
    from httpx import HTTPError

    for attempt in range(1, attempts + 1):
        try:
            return deed()
        except (HTTPError, OSError, ValueError, RuntimeError) as error:
            status = hub.status_of(error)
            passing = status in {408, 429} or (status is not None and status >= 500) or hub.unanswered(error)
            if passing and attempt < attempts:
                time.sleep(_FIRST_WAIT_S * 2 ** (attempt - 1))
                continue
            what, remedy = hub.explained(error)
            problem = Problem(address, what, remedy)
            if passing:
                kept = "what has arrived is kept, and the same command sends the rest"
                raise StorageError(f"{problem}; {kept}") from error
            raise DataError([problem]) from error
    raise AssertionError
