"""JSON in files holds the same bytes for the same content, and every error names its place."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from solon.data.artifacts import json_bytes, read_jsonl, sha256_of, write_json, write_jsonl
from solon.data.parquet import write_parquet
from solon.data.records import Message, Prompt
from solon.errors import DataError

REPEATABLE = settings(deadline=None, derandomize=True, database=None)
ROWS = pa.schema([("name", pa.string()), ("n", pa.int64())])


def prompts_file(folder: Path, content: bytes) -> Path:
    path = folder / "prompts.jsonl"
    path.write_bytes(content)
    return path


def line_of(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def problem_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_jsonl(path, Prompt))
    return str(caught.value)


@pytest.mark.slow
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
