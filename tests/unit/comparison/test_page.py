"""The comparison as a page, as Markdown and in a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from comparisons import comparison, side
from solon.comparison.curves import figures
from solon.comparison.forest import forest
from solon.comparison.page import html, markdown, terminal, write
from solon.comparison.record import Comparison
from solon.comparison.tables import cost_table, quality

EVIL = "<img src=x onerror=alert(1)>"


def test_files_are_written_and_the_record_comes_back(tmp_path: Path) -> None:
    """Whoever wants the numbers reads them from the JSON, and not from the page."""
    told = comparison()
    names = [path.name for path in write(told, tmp_path)]
    assert names == ["comparison.json", "comparison.html", "comparison.md"]
    assert Comparison.model_validate_json((tmp_path / "comparison.json").read_bytes()) == told


def test_what_others_wrote_is_text_on_the_page_and_in_markdown() -> None:
    """Names, warnings and recipes come from files that anybody may have written."""
    told = comparison(name=EVIL, recipe=EVIL, warnings=(EVIL,))
    page = html(told, {})
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert "<script" not in page
    assert "script-src" not in page
    assert "<img" not in markdown(told).replace(f"```yaml\n{EVIL}\n```", "").replace("\\<", "")


def test_each_number_has_its_interval_and_n() -> None:
    """A number alone is no result."""
    page = html(comparison(), {})
    assert "95.0%" in page
    assert "83.5 to 98.6" in page
    assert "83.5 to 98.6" in markdown(comparison()).replace("\\", "")


def test_a_sign_says_what_is_better_than_untrained_beyond_chance() -> None:
    """12 of 12 that changed went one way: p = 2 / 2^12, twice, is below .05."""
    compliance = quality(comparison())[0]
    assert [cell.verdict for cell in compliance.cells] == ["better", "better"]
    assert compliance.untrained.verdict == ""


def test_the_picture_has_a_mark_for_the_untrained_policy_and_for_each_entry() -> None:
    """In the order of the columns, on one scale."""
    drawn = forest(quality(comparison())[0])
    assert drawn is not None
    assert [mark.kind for mark in drawn.marks] == ["before", "after", "after"]
    assert drawn.marks[0].x < drawn.marks[2].x < drawn.marks[1].x


def test_what_nobody_has_makes_no_row() -> None:
    """Without a GPU there is no line about its memory."""
    titles = [row[0] for row in cost_table(comparison()).rows]
    assert "CPU time" in titles
    assert "peak GPU memory" not in titles


def test_curves_lie_over_each_other_where_two_report_them() -> None:
    """By the share of the training that is over: the steps of one are not those of another. Losses are not compared."""
    steps = tuple({"step": step, "steps": 4.0, "kl": step / 2, "loss": 1.0} for step in range(1, 5))
    longer = tuple({"step": step, "steps": 40.0, "kl": step / 20, "reward": 1.0} for step in range(10, 41, 10))
    drawn = figures([side("dpo", 1.0, steps=steps), side("ppo", 1.0, steps=longer)])
    assert list(drawn) == ["kl"]
    assert ET.fromstring(drawn["kl"]).tag.endswith("svg")
    assert {"dpo", "ppo"} <= set("".join(ET.fromstring(drawn["kl"]).itertext()).split())


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_shows_words_and_numbers_within_its_width(width: int) -> None:
    """80 columns are what people have."""
    out = io.StringIO()
    terminal(comparison(), Console(file=out, width=width), Path("comparison.html"))
    assert max(len(line) for line in out.getvalue().splitlines()) <= width
    assert "95.0%" in out.getvalue()


def test_nothing_that_others_wrote_moves_the_cursor() -> None:
    """An escape sequence in an error or a warning is spelled out, and a new line in it is none."""
    escape = "\x1b[2J\x1b]0;pwned\x07"
    told = comparison(warnings=(f"a{escape}",), sides=(side("dpo", 1.0), side("ppo", 1.0, failed=f"b{escape}\nforged")))
    out = io.StringIO()
    terminal(told, Console(file=out, width=100), Path("comparison.html"))
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()
    assert "forged" not in out.getvalue()
