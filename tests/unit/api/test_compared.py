"""A comparison as an object: what is read of it, and what a notebook shows."""

from __future__ import annotations

from pathlib import Path

from comparisons import comparison
from solon.api.compared import Compared


def test_a_comparison_says_who_failed_and_what_was_measured(tmp_path: Path) -> None:
    """Of the three entries ppo did not get to its end; the metrics are those of each entry."""
    found = Compared(tmp_path, comparison())
    assert set(found.failed) == {"ppo"}
    assert found.metrics["dpo"]["compliance"].after is not None
    assert found.metrics["kto"]["kl"].pair is not None
    assert found.page == tmp_path / "comparison.html"


def test_it_is_shown_as_on_the_terminal_and_is_inert_in_html(tmp_path: Path) -> None:
    """Names of entries are a recipe's, and a notebook runs what HTML says."""
    found = Compared(tmp_path, comparison(warnings=("<script>alert(1)</script>",)))
    assert "dpo" in repr(found)
    assert "\x1b" not in repr(found)
    assert "<script" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
