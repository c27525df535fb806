"""Rows are read as they are asked for, in every format, and what changes in the data changes their identity."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.data.tables import Row, identity, read_rows
from solon.errors import DataError, Problem

ROWS = 20_000
TEXT = "a response of some length, " * 20


def written(folder: Path, ending: str) -> Path:
    """About 10 MB of rows."""
    path = folder / f"rows{ending}"
    if ending == ".parquet":
        schema = pa.schema([("prompt", pa.string()), ("response", pa.string())])
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, ROWS, 1000):
                columns = [[f"p{n}" for n in range(start, start + 1000)], [TEXT] * 1000]
                writer.write_table(pa.table(columns, schema=schema))
        return path
    with path.open("w", encoding="utf-8") as file:
        if ending == ".csv":
            file.write("prompt,response\n")
        for number in range(ROWS):
            row = json.dumps({"prompt": f"p{number}", "response": TEXT})
            file.write(f'p{number},"{TEXT}"\n' if ending == ".csv" else row + "\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_read_without_being_held(tmp_path, ending):
    """Ten megabytes in less than three: a file may be larger than the memory."""
    path = written(tmp_path, ending)
    tracemalloc.start()
    try:
        count = sum(isinstance(row, Row) and row.values["response"] == TEXT for row in read_rows(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == ROWS
    assert peak < 3_000_000


def test_what_breaks_a_csv_file_halfway_is_named_by_its_place(tmp_path):
    """A byte that is no UTF-8, far behind what a decoder reads at once; and a quote that never ends."""
    path = tmp_path / "p.csv"
    path.write_bytes(b"prompt\n" + b"fine\n" * 5000 + b"caf\xe9\n")
    *_, problem = read_rows(path)
    assert isinstance(problem, Problem)
    assert problem.where == f"{path}:5002:4"
    path.write_text('prompt\nfine\n"a')
    assert [type(row) for row in read_rows(path)] == [Row, Problem]


def test_the_identity_changes_with_the_bytes_and_with_nothing_else(tmp_path):
    """Moved or copied, the data are the same; a folder is all of its files."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "a.jsonl").write_text('{"prompt": "a"}\n')
        (folder / "b.csv").write_text("prompt\nb\n")
        (folder / "README.md").write_text(folder.name)
    assert identity(one) == identity(other)
    assert list(identity(one)) == ["a.jsonl", "b.csv"]
    assert identity(one / "a.jsonl") == {"a.jsonl": identity(one)["a.jsonl"]}
    (other / "b.csv").write_text("prompt\nc\n")
    assert identity(one) != identity(other)
    with pytest.raises(DataError, match=r"there is no such file \(did you mean"):
        identity(one / "a.json")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what datasets warns of is its own
def test_a_hub_dataset_is_read_row_by_row_and_known_by_its_revision(tmp_path, monkeypatch):
    """`datasets` takes a folder for a dataset as well: no network, the same way through the library."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"prompt": "a", "response": "x"}\n{"prompt": "b", "response": "y"}\n')
    address = f"hf://{folder}"
    rows = list(read_rows(address))
    assert rows == [
        Row(f"{address}: row 1", {"prompt": "a", "response": "x"}),
        Row(f"{address}: row 2", {"prompt": "b", "response": "y"}),
    ]
    before = identity(address)
    assert list(before) == [address]
    assert identity(address) == before
    (folder / "train.jsonl").write_text('{"prompt": "c", "response": "x"}\n')
    assert identity(address) != before
