"""Rows of a Parquet file, whoever wrote it: what it unfolds to is looked at before it is unfolded.

Parquet keeps what repeats in a dictionary, a page before the others: a text of 50 MB that stands in each of a million
rows takes two kilobytes. So as many rows are decoded at a time as fit if each value were the whole dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.data.strict_json import MAX_ROW, too_large
from solon.errors import DataError, Problem

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_AT_ONCE = 1024
_BYTES_AT_ONCE = 256_000_000
_MAX_UNFOLDED = 1_000_000_000
_MAX_RATIO = 1_000
"""What unfolds to more than ``_MAX_UNFOLDED`` bytes and is packed tighter than this is nobody's data: long texts shrink
to a tenth, and what stands in many rows of a file stands beside something that does not."""
_DICTIONARY = 2_000_000
"""Bytes of a dictionary that writers leave alone by default: they end one at a megabyte."""
_A_ROW = 64
_REMEDY = "it is damaged or cut off: download it or write it again"


def parquet_rows(path: Path) -> Iterator[dict[str, Any] | Problem]:
    """The rows of a file by column, read as they are asked for; in place of one that cannot be held, the problem.

    Raises:
        DataError: as ``parquet_batches``.
    """
    number = 0
    for batch in parquet_batches(path):
        for part in _parts(batch):
            yield from _values(part, path, number)
            number += part.num_rows


def parquet_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a file, some at a time: as many as fit whatever they unfold to.

    Raises:
        DataError: it is no Parquet file, is damaged, or unfolds to more than a machine should be asked to hold.
    """
    import pyarrow.parquet as pq

    unfolded = 0
    # row groups are not fetched ahead: those that were read would be held
    with reading_parquet(path), path.open("rb") as raw, pq.ParquetFile(raw, pre_buffer=False) as file:
        _refuse_bomb(path, file.metadata)
        for group in range(file.metadata.num_row_groups):
            at_once = _rows_at_once(path, raw, file.metadata.row_group(group))
            for batch in file.iter_batches(batch_size=at_once, row_groups=[group]):
                unfolded += batch.nbytes + _A_ROW * batch.num_rows
                _refuse(path, "the file", path.stat().st_size, unfolded)
                yield batch


def read_parquet(path: Path) -> pa.Table:
    """A whole file, as training needs it.

    Raises:
        DataError: as ``parquet_batches``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches = list(parquet_batches(path))
    with reading_parquet(path):
        return pa.Table.from_batches(batches) if batches else pq.read_schema(path).empty_table()


@contextmanager
def reading_parquet(path: Path) -> Iterator[None]:
    """Turns what pyarrow raises of a damaged file into a ``DataError`` with its name and what to do."""
    import pyarrow as pa

    try:
        yield
    # names and numbers that are none come as Python's own errors
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        first_line = str(error).partition("\n")[0] or "it does not fit into the memory"
        raise DataError([Problem(str(path), f"not a readable Parquet file: {first_line}", _REMEDY)]) from error


def _refuse_bomb(path: Path, metadata: pq.FileMetaData) -> None:
    """Stops before a file is read that says of itself that it is a thousandth of what it holds.

    Raises:
        DataError: it says so.
    """
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            what = f"column {column.path_in_schema!r}"
            _refuse(path, what, column.total_compressed_size, column.total_uncompressed_size)


def _refuse(path: Path, what: str, packed: int, unfolded: int) -> None:
    if unfolded > _MAX_UNFOLDED and unfolded > _MAX_RATIO * max(packed, 1):
        said = f"{what} unfolds from {packed:,} bytes to more than {unfolded:,}, which is nobody's data"
        raise DataError([Problem(str(path), said, "if it is yours, give it as JSON Lines (.jsonl)")])


def _rows_at_once(path: Path, raw: BufferedReader, group: pq.RowGroupMetaData) -> int:
    """How many rows of a row group are decoded at a time: of texts, each may be as long as all in the dictionary."""
    widest, packed = 0.0, path.stat().st_size
    for number in range(group.num_columns):
        column = group.column(number)
        if column.has_dictionary_page and column.physical_type == "BYTE_ARRAY":
            values_in_a_row = max(1.0, column.num_values / max(1, group.num_rows))
            dictionary = _page_size(raw, column.dictionary_page_offset, column.total_uncompressed_size)
            if dictionary > _DICTIONARY:
                _refuse(path, f"a row's {column.path_in_schema!r}", packed, int(values_in_a_row * dictionary))
            widest += values_in_a_row * dictionary
    return max(1, min(_ROWS_AT_ONCE, int(_BYTES_AT_ONCE / widest) if widest else _ROWS_AT_ONCE))


def _page_size(raw: BufferedReader, offset: int, default: int) -> int:
    """How many bytes a page unfolds to, by its header; pyarrow refuses a page that is of any other size.

    The header is Thrift's compact protocol: field 1 the page's type, field 2 the size, both 32-bit integers.
    """
    here = raw.tell()
    try:
        raw.seek(offset)
        head = raw.read(16)
    finally:
        raw.seek(here)
    size = shift = 0
    if len(head) < 4 or head[0] != 0x15 or head[1] & 0x80 or head[2] != 0x15:
        return default
    for byte in head[3:8]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return size >> 1  # zigzag


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in parts that may become Python values at one time; one row where that is large."""
    if batch.nbytes <= _BYTES_AT_ONCE or batch.num_rows <= 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _values(batch: pa.RecordBatch, path: Path, before: int) -> Iterator[dict[str, Any] | Problem]:
    if batch.num_rows == 1 and batch.nbytes > MAX_ROW:
        yield too_large(f"{path}: row {before + 1}")
        return
    try:
        yield from batch.to_pylist()
        return
    except (ValueError, OverflowError):  # in one of them: text that is none, or a time that Python does not have
        pass
    for row in range(batch.num_rows):
        where = f"{path}: row {before + row + 1}"
        try:
            (values,) = batch.slice(row, 1).to_pylist()
        except UnicodeDecodeError as error:
            remedy = "leave the row out, or write it again from its source"
            yield Problem(where, f"holds what is no Unicode text: {error.reason}", remedy)
        except (ValueError, OverflowError) as error:
            yield Problem(where, f"holds a value that cannot be read: {error}")
        else:
            yield values
