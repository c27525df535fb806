"""The form for grades: blind, the user's own, and never written anew."""

import csv
import json
import re
from pathlib import Path

import pytest

from solon.data.records import RatingScale
from solon.errors import DataError
from solon.report.grades import FORM, compared, graded, of_other_answers, write_form

SCALE = RatingScale()
ROWS = [
    {"group": "simple", "prompt": "Why?", "before": "Because.", "after": "For a reason."},
    {"group": "simple", "prompt": "Who?", "before": "=cmd()", "after": "Ada"},
    {"group": "hard", "prompt": "What, if, anything?", "before": "None,\nreally", "after": None},
]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run whose evaluation kept answers side by side."""
    (tmp_path / "evaluation").mkdir()
    answers(tmp_path, ROWS)
    return tmp_path


def answers(run_dir: Path, rows: list[dict[str, str | None]]) -> None:
    """What the evaluator kept."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (run_dir / "evaluation" / "qualitative.jsonl").write_text(lines)


def form(run_dir: Path) -> list[dict[str, str]]:
    """The rows of the form."""
    with (run_dir / FORM).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(run_dir: Path, cells: dict[str, dict[str, str]], delimiter: str = ",") -> None:
    """Writes cells into the rows of prompts, as a spreadsheet does."""
    rows = [row | cells.get(row["prompt"], {}) for row in form(run_dir)]
    with (run_dir / FORM).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_the_form_holds_both_answers_and_not_whose_they_are(run_dir: Path) -> None:
    """Some rows show the trained model's answer first, by the hash of what is said."""
    write_form(run_dir)
    rows = form(run_dir)
    assert [row["prompt"] for row in rows] == ["Why?", "Who?", "What, if, anything?"]
    assert list(rows[0]) == ["id", "group", "prompt", "answer_a", "answer_b", "grade_a", "grade_b", "note"]
    assert {rows[0]["answer_a"], rows[0]["answer_b"]} == {"Because.", "For a reason."}
    assert {rows[2]["answer_a"], rows[2]["answer_b"]} == {"None,\nreally", "(no answer)"}


def test_an_answer_is_no_formula_of_the_spreadsheet(run_dir: Path) -> None:
    """It is a model's text."""
    write_form(run_dir)
    assert "'=cmd()" in form(run_dir)[1].values()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_grades_find_their_answers_again(run_dir: Path, delimiter: str) -> None:
    """Whichever was shown first; with the separator of the spreadsheet and a decimal comma."""
    write_form(run_dir)
    cells = {}
    for row in form(run_dir):
        better = "a" if row["answer_a"] in ("For a reason.", "Ada") else "b"
        worse = "b" if better == "a" else "a"
        cells[row["prompt"]] = {
            f"grade_{better}": "4,5" if delimiter == ";" else "4.5",
            f"grade_{worse}": "1",
            "note": "ok ",
        }
    del cells["What, if, anything?"]
    fill(run_dir, cells, delimiter)
    why, who, what = graded(run_dir, SCALE)
    assert (why.before, why.after, why.note) == (1.0, 4.5, "ok")
    assert (who.before, who.after) == (1.0, 4.5)
    assert (what.before, what.after, what.note) == (None, None, "")
    assert compared((why, who, what)) == [(1.0, 4.5), (1.0, 4.5)]


def test_a_form_that_is_filled_in_stays_as_it_is_and_gets_rows_for_new_answers(run_dir: Path) -> None:
    """Byte by byte; answers of another training are other answers, and the old grades stay in the file."""
    write_form(run_dir)
    fill(run_dir, {"Why?": {"grade_a": "3"}})
    before = (run_dir / FORM).read_bytes()
    write_form(run_dir)
    assert (run_dir / FORM).read_bytes() == before
    answers(run_dir, [ROWS[0], ROWS[1] | {"after": "Grace"}, ROWS[2]])
    write_form(run_dir)
    assert (run_dir / FORM).read_bytes().startswith(before)
    assert [row["prompt"] for row in form(run_dir)] == ["Why?", "Who?", "What, if, anything?", "Who?"]
    assert of_other_answers(run_dir) == 0  # the row that is left behind says nothing
    fill(run_dir, {"Who?": {"note": "which one?"}})
    assert of_other_answers(run_dir) == 1


def test_a_form_with_semicolons_gets_its_new_rows_with_semicolons(run_dir: Path) -> None:
    """And a line of its own after a last line without an end."""
    write_form(run_dir)
    fill(run_dir, {}, ";")
    path = run_dir / FORM
    path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    answers(run_dir, [*ROWS, {"group": "new", "prompt": "New?", "before": "a", "after": "b"}])
    write_form(run_dir)
    assert path.read_text().splitlines()[-1].count(";") == 7
    assert len(graded(run_dir, SCALE)) == 4


@pytest.mark.parametrize("cell", ["6", "0", "good", "nan"])
def test_a_grade_off_the_scale_is_an_error_with_its_line(run_dir: Path, cell: str) -> None:
    """It is never taken for something near it."""
    write_form(run_dir)
    fill(run_dir, {"Who?": {"grade_b": cell}})
    with pytest.raises(DataError, match=rf"grades\.csv:3.*'{cell}' is no grade from 1 to 5"):
        graded(run_dir, SCALE)


def test_a_form_without_its_header_is_named_and_left(run_dir: Path) -> None:
    """Rather than read as something else, or written over."""
    (run_dir / FORM).write_text("my notes\n1\n")
    with pytest.raises(DataError, match=r"grades\.csv:1.*no column 'grade_a'"):
        write_form(run_dir)
    assert (run_dir / FORM).read_text() == "my notes\n1\n"


def test_a_form_in_another_encoding_is_named_and_left(run_dir: Path) -> None:
    """Old spreadsheets save Latin-1."""
    (run_dir / FORM).write_bytes("id,grade_a,grade_b,note\nx,1,2,schön\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        graded(run_dir, SCALE)


def test_a_run_without_chosen_prompts_has_no_form(tmp_path: Path) -> None:
    """Nor any grades."""
    assert write_form(tmp_path) is None
    assert graded(tmp_path, SCALE) == ()
    assert not (tmp_path / FORM).exists()


def test_no_id_is_a_number_to_a_spreadsheet(run_dir: Path) -> None:
    """Hexadecimal digits may be decimal ones, which it writes as 1.13689E+11: such a grade finds no answers."""
    answers(run_dir, [ROWS[0] | {"prompt": f"Why {n}?"} for n in range(1500)])
    write_form(run_dir)
    rows = form(run_dir)
    assert all(row["id"].startswith("a") for row in rows)
    assert len({row["id"] for row in rows}) == 1500


@pytest.mark.parametrize("text", ["=1+1", "Hi\n=HYPERLINK(1)", "x ;=1+1", "a\t-2", "\n @x"])
def test_no_cell_begins_a_formula_whatever_the_separator(run_dir: Path, text: str) -> None:
    """A spreadsheet that expects semicolons splits within quotes, too."""
    answers(run_dir, [ROWS[0] | {"after": text}])
    write_form(run_dir)
    shown = (run_dir / FORM).read_text(encoding="utf-8-sig")
    assert not re.search(r"(^|[\n;\t])\s*[=@-]", shown)


def test_a_broken_table_is_named_with_its_line(run_dir: Path) -> None:
    """A field that no spreadsheet would write."""
    write_form(run_dir)
    with (run_dir / FORM).open("a") as file:
        file.write("x" * 200_000 + "\n")
    with pytest.raises(DataError, match="is no CSV: field larger"):
        graded(run_dir, SCALE)
