"""What the ledger holds already. Nothing in it is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from solon.data.records import canonical
from solon.errors import DataError
from solon.ledger import Call
from solon.ledger.reading import find
from solon.ledger.schema import storage
from solon.models.base import ChatModel, Reply, Request


class Known:
    """The replies in a ledger."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection
        self._descriptions: dict[int, tuple[ChatModel, str | None]] = {}

    def reply(self, model: ChatModel, request: Request) -> Reply | None:
        """The reply to this request, if it was paid for before.

        Raises:
            StorageError: the file is no ledger, or cannot be read.
        """
        described = self._description(model)
        if described is None:
            return None
        call = Call.of(model, request, description=described)
        with storage(self._path, "Nothing was changed"):
            return find(self._connection, call.key)

    def _description(self, model: ChatModel) -> str | None:
        known = self._descriptions.get(id(model))
        if known is None:
            try:
                description = canonical(model.describe())
            except DataError:  # there is no such model folder yet, so it has not answered either
                description = None
            known = self._descriptions[id(model)] = (model, description)
        return known[1]


@contextmanager
def knowing(path: Path) -> Iterator[Known | None]:
    """The ledger at ``path``, for reading alone; ``None`` where there is none.

    Raises:
        StorageError: it cannot be opened.
    """
    if not path.is_file():
        yield None
        return
    with storage(path, "Nothing was changed"):
        # not mode=ro: such a connection leaves the files of the write-ahead log behind, which this one takes away
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
    with closing(connection):
        yield Known(path, connection)
