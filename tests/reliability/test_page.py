"""The page of results has a row for every line."""

from __future__ import annotations

from pathlib import Path

from reliability_lines import LINES

PAGE = Path(__file__).parents[2] / "docs" / "results" / "reliability.md"


def test_every_line_has_its_row() -> None:
    """With what is wanted beside it, and never without a figure."""
    page = PAGE.read_text("utf-8")
    assert [key for key, line in LINES.items() if f"| {line.what} | {line.wanted} |" not in page] == []
    assert "not measured" not in page
