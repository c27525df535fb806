"""What a training in rounds keeps on disk: whole files, and those that grow a batch at a time."""

import pytest
from pydantic import BaseModel

from solon.data.artifacts import read_jsonl
from solon.trainers.backend.selfplay.files import begun, grow, once


class Line(BaseModel):
    """A record."""

    number: int


def batches(start, *, upto, size=3):
    """Records in batches; the last may be smaller."""
    return ([Line(number=n) for n in range(first, min(first + size, upto))] for first in range(start, upto, size))


def numbers(path):
    """Those of a file's records."""
    return [line.number for line in read_jsonl(path, Line)]


def cut_off(batches):
    """Two of them, and then a kill."""
    yield next(batches)
    yield next(batches)
    raise KeyboardInterrupt


@pytest.mark.parametrize(("left", "whole"), [(0, 6), (2, 3), (12, 3), (100, 0)], ids=["none", "end", "record", "all"])
def test_a_file_that_was_cut_off_is_gone_on_with_after_its_last_whole_batch(tmp_path, left, whole):
    """A kill leaves it without its name, perhaps in the middle of a line: a batch is written whole or again.

    Of two batches of three lines of 13 bytes each, 2 bytes less are no whole line, 12 less are one less, 100 are all.
    """
    path = tmp_path / "lines.jsonl"
    assert begun(path, 3) == 0
    with pytest.raises(KeyboardInterrupt):
        grow(path, cut_off(batches(0, upto=8)))
    (growing,) = tmp_path.iterdir()
    text = growing.read_bytes()
    growing.write_bytes(text[: max(0, len(text) - left)])
    assert not path.exists()
    assert begun(path, 3) == whole
    grow(path, batches(whole, upto=8))
    assert numbers(path) == list(range(8))
    assert begun(path, 3) is None
    assert [file.name for file in tmp_path.iterdir()] == ["lines.jsonl"]


def test_what_has_a_file_is_not_made_again(tmp_path):
    """Else a judge would be asked twice."""
    path, made = tmp_path / "lines.jsonl", []

    def make():
        made.append(1)
        return [Line(number=7)]

    assert once(path, Line, make) == once(path, Line, make) == [Line(number=7)]
    assert made == [1]
