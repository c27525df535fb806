"""Parquet files that are damaged, cut off, or unfold without end: refused by name, in bounded memory, no crash."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.data.records import Preference
from solon.data.tables import read_rows
from solon.errors import DataError, Problem
from solon.trainers.dataset import read_rows as read_for_training

CODECS = ("none", "snappy", "gzip", "zstd")
ROWS = 300
CHILD = """
import json, os, resource, sys
from pathlib import Path
import pyarrow, pyarrow.parquet
from solon.data.tables import read_rows
from solon.errors import DataError
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        try:
            rows = sum(1 for row in read_rows(name) if hasattr(row, "values"))
            said = ["read", rows]
        except DataError as error:
            said = ["refused", str(error)]
        except BaseException as error:
            said = [type(error).__name__, str(error)]
        print(json.dumps([name, *said]), flush=True)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    print(json.dumps([name, status, used.ru_maxrss // 1024]), flush=True)
"""


def apart(*files: Path) -> list[tuple[str, object, int, int]]:
    """What became of reading each file in a process: in words, how it ended, and the most memory it had in MB."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, *map(str, files)], capture_output=True, text=True, check=True
    )
    found: dict[str, list[list[object]]] = {str(file): [] for file in files}
    for line in map(json.loads, done.stdout.splitlines()):
        found[line[0]].append(line[1:])
    return [
        (str(lines[0][0]), lines[0][1], int(str(lines[-1][0])), int(str(lines[-1][1]))) if len(lines) == 2
        else ("died", lines[0], int(str(lines[0][0])), int(str(lines[0][1])))
        for lines in found.values()
    ]  # fmt: skip


def sound(path: Path, codec: str) -> bytes:
    """Rows with nested columns, in several row groups."""
    rows = [
        {"prompt": [{"role": "user", "content": f"q{n}"}], "responses": [f"a{n}", "b" * (n % 50)], "score": n / 7}
        for n in range(ROWS)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, compression=codec, row_group_size=100)
    return path.read_bytes()


@pytest.mark.reliability("parquet")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_damaged_file_is_read_or_refused_and_never_ends_the_process(
    full: bool, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Bits flipped at seeded places: of the header, the footer, and the pages between."""
    seeded, files = random.Random(7), []
    for codec in CODECS:
        whole = sound(tmp_path / "whole.parquet", codec)
        footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
        parts = [range(12), range(len(whole) - 12, len(whole)), range(footer, len(whole)), range(4, footer)]
        for number in range(50 if full else 8):
            damaged = bytearray(whole)
            for _ in range(seeded.choice([1, 1, 3])):
                damaged[seeded.choice(parts[number % len(parts)])] ^= 1 << seeded.randrange(8)
            files.append(tmp_path / f"{codec}{number}.parquet")
            files[-1].write_bytes(damaged)
        for share in (0, 0.001, 0.5, 0.9, 0.999):
            files.append(tmp_path / f"{codec}-cut-{share}.parquet")
            files[-1].write_bytes(whole[: int(len(whole) * share)])
    ended = apart(*files)
    assert {how for how, *_ in ended} <= {"read", "refused"}
    assert all(status == 0 for _, _, status, _ in ended)
    for file, (how, said, _, _) in zip(files, ended, strict=True):
        assert how == "read" or str(said).startswith(str(file))
        assert how == "refused" or "cut" not in file.name, "a file that is cut off was read"
    counted = Counter(how for how, *_ in ended)
    figure(
        f"{len(files)} damaged or cut-off files: {counted['refused']} refused by name, {counted['read']} without a "
        f"checksum read, 0 crashes, at most {max(memory for *_, memory in ended)} MB"
    )


def bombs(folder: Path) -> dict[str, Path]:
    """Small files that say they hold much, or do."""
    found = {name: folder / f"{name}.parquet" for name in ("dictionary", "nested", "column")}
    once = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 20_000_000]))
    pq.write_table(pa.table({"prompt": once}).replace_schema_metadata({}), found["dictionary"], compression="zstd")
    lists = pa.ListArray.from_arrays(pa.array(range(0, 100_001, 1_000), pa.int32()), once)
    pq.write_table(pa.table({"responses": lists}), found["nested"], compression="zstd")
    with pq.ParquetWriter(
        found["column"], pa.schema([("n", pa.int64())]), compression="zstd", use_dictionary=False
    ) as w:
        w.write_table(pa.table({"n": pa.array([0], pa.int64()).take(pa.array([0] * 140_000_000, pa.int8()))}), 1 << 30)
    return found


@pytest.mark.reliability("parquet")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bomb_is_refused_before_it_is_unfolded(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Kilobytes that unfold to terabytes: a text in a dictionary, one in lists, a column of a single group."""
    files = bombs(tmp_path)
    ended = dict(zip(files, apart(*files.values()), strict=True))
    assert {how for how, *_ in ended.values()} == {"refused"}
    assert all(
        "which is nobody's data (if it is yours, give it as JSON Lines" in str(said) for _, said, _, _ in ended.values()
    )
    most = max(memory for *_, memory in ended.values())
    assert most < 1_500
    sizes = ", ".join(f"{file.stat().st_size:,}" for file in files.values())
    figure(f"bombs of {sizes} bytes refused with at most {most} MB")
    with pytest.raises(DataError, match="which is nobody's data"):
        read_for_training(files["nested"], Preference, trainer="dpo")


@pytest.mark.reliability("parquet")
def test_a_large_file_is_read_a_bit_at_a_time(tmp_path: Path) -> None:
    """What Arrow holds meanwhile is a small part of what the file unfolds to."""
    path = tmp_path / "large.parquet"
    seeded = random.Random(1)
    with pq.ParquetWriter(path, pa.schema([("prompt", pa.string())]), compression="none") as writer:
        for _ in range(20):
            writer.write_table(pa.table({"prompt": [seeded.randbytes(500).hex() for _ in range(2_000)]}))
    before = pa.total_allocated_bytes()
    most = 0
    for _ in read_rows(path):
        most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < path.stat().st_size / 4


@pytest.mark.reliability("parquet")
def test_a_row_that_python_cannot_hold_is_one_problem(tmp_path: Path) -> None:
    """Bytes that are no Unicode, and a year that Python does not have; the rows around them are read."""
    path = tmp_path / "rows.parquet"
    text = pa.array([b"a", b"\xff\xfe", b"c"]).view(pa.string())
    pq.write_table(pa.table({"prompt": text}), path)
    rows = list(read_rows(path))
    assert [isinstance(row, Problem) for row in rows] == [False, True, False]
    assert str(rows[1]).startswith(f"{path}: row 2: holds what is no Unicode text")
    pq.write_table(pa.table({"at": pa.array([0, 2**60], pa.int64()).view(pa.timestamp("us"))}), path)
    rows = list(read_rows(path))
    assert [isinstance(row, Problem) for row in rows] == [False, True]


@pytest.mark.reliability("parquet")
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\x7fPAR1", random.Random(3).randbytes(64)])
def test_what_is_no_parquet_says_what_to_do(content: bytes, tmp_path: Path) -> None:
    """For prompts, and for a training."""
    (tmp_path / "train.parquet").write_bytes(content)
    said = r"train\.parquet: not a readable Parquet file: .*download it or write it again"
    with pytest.raises(DataError, match=said):
        list(read_rows(tmp_path / "train.parquet"))
    with pytest.raises(DataError, match=said):
        read_for_training(tmp_path, Preference, trainer="dpo")
