"""Adding a line to a file whose last line somebody else has left as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.data.people import read_acts
from solon.errors import DataError
from solon.viewing.appending import append
from viewed import small_run, verdicts_of


def appended(path: Path) -> list[str]:
    """The lines before the one that is added."""
    append(path, lambda: {"new": True})
    *before, last = path.read_text().splitlines()
    assert last == '{"new":true}'
    return before


@pytest.mark.parametrize("length", [100, (1 << 20) - 12, 1 << 20, (1 << 21) + 5])
@pytest.mark.parametrize("head", ["", '{"first":1}\n'], ids=["alone", "after another"])
def test_a_last_line_without_a_line_feed_is_kept_however_long(tmp_path: Path, length: int, head: str) -> None:
    """Also one that begins before, at, and after what is read at once."""
    line = json.dumps({"note": "x" * length})
    (tmp_path / "human.jsonl").write_text(head + line)
    assert appended(tmp_path / "human.jsonl") == [*head.splitlines(), line]


def test_a_file_that_was_edited_in_place_is_read_anew(tmp_path: Path) -> None:
    """Also where it is longer than before: what was said is what it says now."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run)
    verdicts.say(1, "first", note="a long note")
    path = run / "human.jsonl"
    lines = path.read_text().replace("a long note", "short")
    path.write_text(lines + lines.replace('"said":"first"', '"said":"second"'))
    verdicts.catch_up()
    standing = verdicts.standing(verdicts.collection.index.item(1).id)
    assert standing is not None
    assert (standing.said, standing.note) == ("second", "short")


@pytest.mark.parametrize("length", [10, 3 << 20])
def test_what_a_crash_left_is_cut_off_however_long(tmp_path: Path, length: int) -> None:
    """Half of a line has no end."""
    (tmp_path / "human.jsonl").write_text('{"first":1}\n{"note": "' + "x" * length)
    assert appended(tmp_path / "human.jsonl") == ['{"first":1}']


@pytest.mark.parametrize("broken", ['{"note": "my own",}', "{'note': 1} ", '{"a": {"b": 1}'])
def test_a_last_line_that_somebody_wrote_with_a_typo_is_refused_and_kept(tmp_path: Path, broken: str) -> None:
    """A crash leaves no closing brace; what has one is named, and stays."""
    path = tmp_path / "human.jsonl"
    path.write_text('{"first":1}\n{"second":2}\n' + broken)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"human\.jsonl:3: the last line is not valid JSON.*mend the line"):
        append(path, lambda: {"new": True})
    assert path.read_bytes() == before


def test_a_broken_line_is_an_error_each_time_and_nothing_is_written_after_it(tmp_path: Path) -> None:
    """Whoever tries once more is told once more; once it is mended the verdict is taken."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run)
    verdicts.say(1, "first")
    path = run / "human.jsonl"
    whole = path.read_text()
    path.write_text(whole.rstrip("\n"))  # as an editor may leave it
    verdicts.catch_up()
    path.write_text(whole + '{"prompt": "what?"}\n' + whole)
    before = path.read_bytes()
    for _ in range(3):
        with pytest.raises(DataError, match=r"human\.jsonl:2: not a line of `solon view`"):
            verdicts.say(2, "second")
    assert path.read_bytes() == before
    path.write_text(whole + whole)
    verdicts.say(2, "second")
    assert [act.said for act in read_acts(path)] == ["first", "first", "second"]
