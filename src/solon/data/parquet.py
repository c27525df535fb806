"""Parquet files written row by row: whole or not at all, a row group in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.data.whole import atomic

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_IN_A_GROUP = 2048
"""Rows of a Parquet row group: what is held in memory while a file is written."""

_ROWS_AS_PYTHON = 128
"""Of these, how many wait as Python objects, which take several times the room that Arrow takes."""


class Rows:
    """Writes rows to one file. ``written`` counts them."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self.written = 0
        self._writer, self._schema = writer, schema
        self._rows: list[Mapping[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def write(self, row: Mapping[str, Any]) -> None:
        """Adds a row. A missing key is a null.

        Raises:
            UnicodeEncodeError: a text holds half of a surrogate pair, which Parquet cannot hold.
        """
        self._rows.append(row)
        self.written += 1
        if self.written % _ROWS_AS_PYTHON == 0:
            self._convert()
        if self.written % ROWS_IN_A_GROUP == 0:
            self.flush()

    def flush(self) -> None:
        """Ends a row group."""
        import pyarrow as pa

        if self._rows:
            self._convert()
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=ROWS_IN_A_GROUP)
            self._batches = []

    def _convert(self) -> None:
        import pyarrow as pa

        self._batches.append(pa.RecordBatch.from_pylist(self._rows, self._schema))
        self._rows = []


@contextmanager
def writing_parquet(path: Path, schema: pa.Schema) -> Iterator[Rows]:
    """Gives what writes rows under a schema; the file appears at ``path``, whole, when the block ends.

    The same rows give the same bytes with the same version of pyarrow (which writes its version into the file).
    """
    import pyarrow.parquet as pq

    with atomic(path) as partial, pq.ParquetWriter(partial, schema, version="2.6", compression="zstd") as writer:
        rows = Rows(writer, schema)
        yield rows
        rows.flush()


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> int:
    """Writes rows under a schema and returns how many; as ``writing_parquet``."""
    with writing_parquet(path, schema) as file:
        for row in rows:
            file.write(row)
    return file.written
