"""Data larger than the memory go from file to file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import json, resource, sys
from pathlib import Path
from solon.interchange.converting import convert

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
small = source.with_name("small.jsonl")
with source.open() as lines:
    small.write_text("".join(next(lines) for _ in range(300)))
convert(small, "trl", folder / "small")
before = peak()
print(sum(convert(source, "trl", folder / "all").files.values()), peak() - before)
"""


@pytest.mark.slow
def test_a_file_is_converted_in_little_memory(tmp_path: Path):
    """Of 300 MiB in 30,000 rows no more than 100 MiB are held; read as a whole they would take more than 300."""
    row = '{"prompt": "%d", "chosen": "' + "x" * 5000 + '", "rejected": "' + "y" * 5000 + '"}\n'
    with (tmp_path / "rows.jsonl").open("w") as file:
        file.writelines(row % n for n in range(30_000))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "rows.jsonl"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, mebibytes = map(int, done.stdout.split())
    assert rows == 30_000
    assert mebibytes < 100
