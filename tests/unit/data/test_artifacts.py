"""Files are whole or not there, hold the same bytes for the same content, and name the place of every error."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from solon.data.artifacts import (
    atomic,
    atomic_folder,
    json_bytes,
    read_jsonl,
    sha256_of,
    write_json,
    write_jsonl,
)
from solon.data.parquet import write_parquet
from solon.data.records import Message, Prompt
from solon.errors import DataError, StorageError

REPEATABLE = settings(deadline=None, derandomize=True, database=None)
ROWS = pa.schema([("name", pa.string()), ("n", pa.int64())])


def prompts_file(folder: Path, content: bytes) -> Path:
    path = folder / "prompts.jsonl"
    path.write_bytes(content)
    return path


def line_of(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def _die_after_writing(path: Path) -> None:
    path.write_text("half of the n")
    raise LookupError("died")


def problem_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_jsonl(path, Prompt))
    return str(caught.value)


# ---------------------------------------------------------------- whole or not at all


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
    assert str(caught.value) == f"cannot write {path}: No space left on device; what was there before is untouched"
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["candidates.jsonl"]


def test_a_file_limit_reached_halfway_costs_nothing(tmp_path):
    """A real short write, in the middle of a large file, through the writers themselves."""
    import resource

    texts = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(9999)]
    for path, write in (
        (tmp_path / "rows.parquet", lambda path: write_parquet(path, ({"name": text} for text in texts), ROWS)),
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


@REPEATABLE
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=()), min_size=1), min_size=1))
def test_any_text_survives_a_line_of_json(texts):
    """Also control characters, U+2028 and halves of surrogate pairs, which servers do send."""
    for text in texts:
        prompt = Prompt(messages=(Message(role="user", content=text),))
        line = json_bytes(prompt.model_dump(mode="json"))
        assert b"\n" not in line
        assert Prompt.model_validate(json.loads(line.decode("utf-8"))) == prompt


def test_half_of_a_surrogate_pair_becomes_its_own_escape(tmp_path):
    """UTF-8 cannot hold it, and other text stays readable."""
    path = tmp_path / "prompts.jsonl"
    write_jsonl(path, [Prompt.of("é \ud83d!"), Prompt.of("whole: 😀")])
    first, second = path.read_bytes().splitlines()
    assert b'"content":"\xc3\xa9 \\ud83d!"' in first
    assert "whole: 😀".encode() in second
    assert list(read_jsonl(path, Prompt)) == [Prompt.of("é \ud83d!"), Prompt.of("whole: 😀")]


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path):
    """str.splitlines breaks at U+2028 and U+0085; JSON Lines does not."""
    path = tmp_path / "prompts.jsonl"
    assert write_jsonl(path, [Prompt.of("a\u2028b\x85c\r\nd")]) == 1
    assert list(read_jsonl(path, Prompt)) == [Prompt.of("a\u2028b\x85c\r\nd")]


def test_what_editors_leave_in_files_is_read(tmp_path):
    """A byte order mark, Windows line ends, blank lines, no newline at the end."""
    path = prompts_file(tmp_path, b"\xef\xbb\xbf" + line_of("a") + b"\r\n\r\n   \n" + line_of("b"))
    assert list(read_jsonl(path, Prompt)) == [Prompt.of("a"), Prompt.of("b")]


def test_not_a_number_is_not_written(tmp_path):
    """JSON has no NaN; most readers would fail on the file later."""
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "metrics.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_broken_json_is_named_with_line_and_column(tmp_path):
    """Columns count from 1: the quote of ``"b"``, where a comma was expected, is the 13th character."""
    path = prompts_file(tmp_path, line_of("a") + b'\n\n{"topic": 1 "b": 2}\n')
    assert problem_of(path) == f"{path}:3:13: not valid JSON: expecting ',' delimiter"


def test_a_line_that_ends_too_soon_is_named_where_it_ends(tmp_path):
    """A torn last line, as an interrupted copy leaves it: 11 characters, so the 12th is missing."""
    path = prompts_file(tmp_path, line_of("a") + b'\n{"topic": 1\n')
    assert problem_of(path) == f"{path}:2:12: not valid JSON: expecting ',' delimiter"


def test_the_wrong_encoding_is_named_with_the_way_out(tmp_path):
    """Windows-1252 and UTF-16 are what people have when it is not UTF-8."""
    path = prompts_file(tmp_path, line_of("a") + b'\n{"caf\xe9": 1}\n')
    remedy = "(it may be WINDOWS-1252; convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW)"
    assert problem_of(path) == f"{path}:2:6: not UTF-8 text: byte 0xe9 {remedy}"
    path = prompts_file(tmp_path, line_of("a").decode().encode("utf-16"))
    assert "byte 0xff (it may be UTF-16; convert it: iconv -f UTF-16" in problem_of(path)


def test_a_line_that_is_no_record_names_the_field(tmp_path):
    """The field by its path, and unknown fields too."""
    path = prompts_file(tmp_path, b'{"messages": [{"role": "user", "content": 1}], "topik": "x"}\n')
    assert problem_of(path).splitlines() == [
        f"{path}:1: not a Prompt at 'messages.0.content': input should be a valid string",
        f"{path}:1: not a Prompt at 'topik': extra inputs are not permitted",
    ]


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    """Errors of the user, not of the disk."""
    assert problem_of(tmp_path / "none.jsonl") == f"{tmp_path / 'none.jsonl'}: there is no such file"
    assert problem_of(tmp_path) == f"{tmp_path}: cannot be read: is a directory"


def test_deep_nesting_is_an_error_and_not_a_crash(tmp_path):
    """Python's parser gives up with a RecursionError."""
    path = prompts_file(tmp_path, b"[" * 200_000 + b"\n")
    assert problem_of(path) == f"{path}:1: not usable JSON: nested too deeply"


# ---------------------------------------------------------------- Parquet


def test_the_same_rows_give_the_same_bytes(tmp_path):
    """Reruns must be identical to the byte, over more than one row group."""
    for name in ("a", "b"):
        rows = ({"name": f"row {n}", "n": n} for n in range(20_000))
        assert write_parquet(tmp_path / f"{name}.parquet", rows, ROWS) == 20_000
    assert sha256_of(tmp_path / "a.parquet") == sha256_of(tmp_path / "b.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 10  # 9 x 2048 + 1568


def test_rows_come_back_as_they_were(tmp_path):
    """A missing key is a null; no rows are a file with a schema."""
    rows = [{"name": "é", "n": 1}, {"n": 2}]
    write_parquet(tmp_path / "a.parquet", rows, ROWS)
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [{"name": "é", "n": 1}, {"name": None, "n": 2}]
    assert write_parquet(tmp_path / "b.parquet", [], ROWS) == 0
    assert pq.read_table(tmp_path / "b.parquet").schema.names == ["name", "n"]


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    """SHA-256 of ``abc`` is in FIPS 180-2, appendix B.1."""
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected


class Held(BaseModel):
    """A record with a text and a number."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    text: str = ""
    number: float = 0.0


@pytest.mark.parametrize("text", ["plain", "NaN and Infinity in a text", "\ud83d", '\u2028 日本 \x1f "quoted"'])
def test_a_record_is_written_and_read_back_whatever_its_text(text: str, tmp_path: Path):
    """By the quick writer or by the other."""
    path = tmp_path / "held.jsonl"
    write_jsonl(path, [Held(text=text, number=1e-7)])
    assert path.read_bytes().count(b"\n") == 1
    assert list(read_jsonl(path, Held)) == [Held(text=text, number=1e-7)]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_never_written(number: float, tmp_path: Path):
    """JSON has no such number, and the file does not appear."""
    with pytest.raises(ValueError, match="JSON"):
        write_jsonl(tmp_path / "held.jsonl", [Held(number=number)])
    assert not (tmp_path / "held.jsonl").exists()
