"""Files and folders are whole or not there, and a disk that does not take them is named."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pytest

from solon.data.artifacts import write_json, write_jsonl
from solon.data.parquet import write_parquet
from solon.data.records import Prompt
from solon.data.whole import atomic, atomic_folder
from solon.errors import StorageError


def _die_after_writing(path: Path) -> None:
    path.write_text("half of the n")
    raise LookupError("died")


def test_what_was_there_stays_when_the_block_fails(tmp_path):
    """A stage that dies halfway must not cost the last good file, nor leave half of a new one about."""
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(LookupError), atomic(path) as partial:
        _die_after_writing(partial)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_the_new_file_takes_the_place_of_the_old(tmp_path):
    """And makes the folders on the way to it."""
    path = tmp_path / "a" / "b" / "run.json"
    for content in ("old", "new"):
        with atomic(path) as partial:
            partial.write_text(content)
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]


def test_what_a_killed_run_left_behind_is_overwritten(tmp_path):
    """A killed run cannot clean up; the next run must neither trip over it nor let such files pile up."""
    path = tmp_path / "run.json"
    (tmp_path / ".run.json.partial").write_text("left behind by a killed run, and longer")
    write_json(path, {"a": 1})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_a_full_disk_is_named_and_costs_nothing(tmp_path):
    """/dev/full answers every write as a full disk does."""
    path = tmp_path / "candidates.jsonl"
    path.write_text("old")
    with pytest.raises(StorageError) as caught, atomic(path), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert str(caught.value) == (
        f"cannot write {path}: No space left on device; what was there before is untouched: make room, and give the "
        "same command again"
    )
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["candidates.jsonl"]


def test_a_file_limit_reached_halfway_costs_nothing(tmp_path):
    """A real short write, in the middle of a large file, through the writers themselves."""
    import resource

    rows = pa.schema([("name", pa.string())])
    texts = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(9999)]
    for path, write in (
        (tmp_path / "rows.parquet", lambda path: write_parquet(path, ({"name": text} for text in texts), rows)),
        (tmp_path / "rows.jsonl", lambda path: write_jsonl(path, map(Prompt.of, texts))),
    ):
        path.write_bytes(b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(StorageError) as caught:
                write(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert str(caught.value) == f"cannot write {path}: File too large; what was there before is untouched"
        assert path.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rows.jsonl", "rows.parquet"]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    """A run directory whose name is taken by a file."""
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StorageError, match=r"cannot write .*run\.json: (Not a directory|File exists)"):
        write_json(tmp_path / "runs" / "run.json", {})
    assert (tmp_path / "runs").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only folders")
def test_a_read_only_folder_is_named(tmp_path):
    """A run directory of somebody else's."""
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="Permission denied; what was there before is untouched"):
            write_json(tmp_path / "run.json", {})
    finally:
        tmp_path.chmod(0o755)


def test_an_error_about_another_file_is_not_blamed_on_the_disk(tmp_path):
    """A missing input inside the block is not a storage error of the output."""
    with pytest.raises(FileNotFoundError) as caught, atomic(tmp_path / "out"):
        (tmp_path / "missing-input").read_text()
    assert caught.value.errno == errno.ENOENT
    assert not list(tmp_path.iterdir())


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    """No test split of an earlier build may survive beside a new train split."""
    path = tmp_path / "datasets"
    path.mkdir()
    (path / "old").write_text("old")
    with pytest.raises(LookupError), atomic_folder(path) as partial:
        _die_after_writing(partial / "new")
    assert [file.name for file in path.iterdir()] == ["old"]
    with atomic_folder(path) as partial:
        (partial / "new").write_text("new")
    assert [file.name for file in path.iterdir()] == ["new"]
    assert [file.name for file in tmp_path.iterdir()] == ["datasets"]


# ---------------------------------------------------------------- JSON Lines
