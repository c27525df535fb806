"""JSON Lines that were written to do harm, or by mistake: read, or refused by file and line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from solon.data.candidates import reading_candidates
from solon.data.prompts import read_prompts
from solon.data.strict_json import MAX_ROW
from solon.data.tables import Row, read_rows
from solon.errors import DataError, Problem
from solon.labelers.human_file import HumanColumns, read_human

GOOD = '{"prompt": "fine", "response": "r", "score": 1}'
READ = {
    "byte-order mark": b"\xef\xbb\xbf" + GOOD.encode() + b"\n",
    "line ends of Windows": GOOD.encode() + b"\r\n\r\n",
    "blank lines": b"\n \n\t\n" + GOOD.encode() + b"\n\n",
    "no last line end": GOOD.encode(),
    "separators of lines": '{"prompt": "a\u2028b\u0085c", "response": "r", "score": 1}\n'.encode(),
    "NUL, escaped": b'{"prompt": "a\\u0000b", "response": "r", "score": 1}\n',
    "deep in a column that nobody reads": GOOD[:-1].encode() + b', "x": ' + b"[" * 400 + b"]" * 400 + b"}\n",
}
"""What is read, as one row."""
REFUSED = {
    "UTF-16": (GOOD.encode("utf-16"), ":1:1: not UTF-8 text: byte 0xff (it may be UTF-16"),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), ":1:2: not valid JSON"),
    "UTF-32": (GOOD.encode("utf-32"), ":1:1: not UTF-8 text: byte 0xff"),
    "Latin-1": (b'{"prompt": "caf\xe9"}\n', ":1:16: not UTF-8 text: byte 0xe9 (it may be WINDOWS-1252"),
    "compressed": (b"\x1f\x8b\x08\x00\x00", ":1:2: not UTF-8 text: byte 0x8b"),
    "NUL": (b'{"prompt": "a\0b"}\n', ":1:14: not valid JSON: invalid control character"),
    "nothing but NUL": (b"\0" * 1000 + b"\n", ":1:1: not valid JSON"),
    "deep": (b'{"prompt": ' + b"[" * 200_000 + b"\n", ":1: not usable JSON: nested too deeply"),
    "deep mappings": (b'{"a":' * 200_000 + b"\n", ":1: not usable JSON: nested too deeply"),
    "NaN": (b'{"prompt": "a", "score": NaN}\n', ":1: not usable JSON: NaN is no JSON: write null"),
    "Infinity": (b'{"prompt": "a", "score": -Infinity}\n', ":1: not usable JSON: -Infinity is no JSON"),
    "a number that is infinite": (b'{"prompt": "a", "score": -1e999}\n', ":1: not usable JSON: -1e999 is larger"),
    "a number of a million digits": (b'{"prompt": ' + b"9" * 1_000_000 + b"}\n", ":1: not usable JSON: a number has more"),  # noqa: E501
    "one name twice": (b'{"prompt": "a", "prompt": "b"}\n', ":1: not usable JSON: the name 'prompt' stands twice"),
    "one name twice, within": (b'{"prompt": [{"role": 1, "role": 2}]}\n', ":1: not usable JSON: the name 'role' stands twice"),  # noqa: E501
    "cut off": (GOOD.encode() + b"\n" + GOOD[:20].encode(), ":2:20: not valid JSON"),
    "two on a line": (GOOD.encode() + GOOD.encode(), ":1:48: not valid JSON: extra data"),
    "a list": (b"[1]\n", ":1: a row is an object with columns"),
    "no text": (b'{"prompt": "\\ud800", "response": "r"}\n', "half of a surrogate pair"),
}  # fmt: skip


def of_prompts(path: Path) -> int:
    return len(read_prompts(path).prompts)


def of_candidates(path: Path) -> int:
    with reading_candidates(path) as found:
        return len(list(found))


def of_verdicts(path: Path) -> int:
    return len(read_human(str(path), str(path), HumanColumns()).verdicts)


def of_rows(path: Path) -> int:
    """As datasets and ``solon convert`` read them: the first problem is raised."""
    rows = list(read_rows(path))
    if problems := [row for row in rows if isinstance(row, Problem)]:
        raise DataError(problems)
    return len(rows)


READERS = [of_prompts, of_candidates, of_verdicts, of_rows]


@pytest.mark.reliability("jsonl")
@pytest.mark.parametrize("reader", READERS)
def test_what_is_read_is_read_and_the_rest_refused_by_its_line(reader: Callable[[Path], int], tmp_path: Path) -> None:
    """Prompts, candidates, people's verdicts and any rows: all through one reader of lines."""
    path = tmp_path / "rows.jsonl"
    for content in READ.values():
        path.write_bytes(content)
        assert reader(path) == 1
    for name, (content, place) in REFUSED.items():
        if name == "no text" and reader in (of_rows, of_verdicts):
            continue  # no tokenizer is asked there, and the text is kept as it is
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            reader(path)
        assert place in str(caught.value), name


SCRIPT = """
import json, resource, sys
from pathlib import Path
from solon.data.tables import read_rows
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = [str(row) if hasattr(row, "what") else len(row.values["prompt"]) for row in read_rows(sys.argv[1])]
print(json.dumps([found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024]))
"""


def read_apart(path: Path) -> tuple[list[object], int]:
    """What is read in another process, and the megabytes that it took."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    found, megabytes = json.loads(done.stdout)
    return found, megabytes


@pytest.mark.reliability("jsonl")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_huge_line_is_read_and_a_larger_one_refused_without_being_held(
    full: bool, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """100 MB are read. A line of gigabytes (a file without line ends) takes no more memory than the longest row."""
    path = tmp_path / "rows.jsonl"
    size = 100_000_000 if full else 10_000_000
    path.write_bytes(b'{"prompt": "' + b"x" * size + b'"}\n' + GOOD.encode() + b"\n")
    found, _ = read_apart(path)
    assert found == [size, 4]
    with path.open("wb") as file:
        file.truncate(MAX_ROW + 1 if not full else 3_000_000_000)  # nothing but NUL, and none of it on the disk
        file.seek(0, 2)
        file.write(b"\n" + GOOD.encode() + b"\n")
    found, megabytes = read_apart(path)
    assert found == [f"{path}:1: the row is larger than 128 MB (leave it out, or split it)", 4]
    assert megabytes < 2.5 * MAX_ROW / 1_000_000
    figure(
        f"{len(READ)} kinds of file read and {len(REFUSED)} refused by line, by each of {len(READERS)} readers; "
        f"a line of {size // 1_000_000} MB read, one of 3 GB refused in {megabytes} MB"
    )


@pytest.mark.reliability("jsonl")
@pytest.mark.parametrize("ending", [".csv", ".json"])
def test_other_tables_end_at_the_same_size(ending: str, tmp_path: Path) -> None:
    """A quote that is never closed makes one field of a file, and a list in JSON is read whole."""
    path = tmp_path / f"rows{ending}"
    with path.open("wb") as file:
        file.write(b'prompt\n"' if ending == ".csv" else b'["')
        file.truncate(MAX_ROW + 100)

    def said() -> str:
        try:
            return "".join(str(row) for row in read_rows(path) if not isinstance(row, Row))
        except DataError as error:
            return str(error)

    assert "larger than" in said()
    assert "128 MB" in said()
