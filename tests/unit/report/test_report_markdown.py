"""The report as Markdown."""

from __future__ import annotations

from solon.report.markdown import escaped, fenced, markdown
from solon.report.summary import summarise


def test_the_table_holds_value_interval_change_test_and_n(run_dir):
    """One row a metric."""
    text = markdown(summarise(run_dir), ("loss",))
    row = "| Compliance | 28.3% \\[24.9 to 32.1\\] | 96.2% \\[94.3 to 97.4\\] | +67.8 points | p \\< .001 | 600 |"
    assert row in text.splitlines()
    assert "![Loss](figures/loss.svg)" in text
    assert "margins.svg" not in text


def test_what_is_quoted_cannot_leave_its_fence(make_run, held_out):
    """Three backticks inside need four outside."""
    for line in held_out:
        line["after"]["text"] = "```\n# not a heading\n<script>"
    text = markdown(summarise(make_run(examples=held_out)))
    assert "````text\n```\n# not a heading\n<script>\n````" in text


def test_markup_in_names_is_text():
    """A pipe would end a cell, an angle bracket begin an element."""
    assert escaped("a|b\n<img src=x> [x](y) `z`") == r"a\|b \<img src=x\> \[x\](y) \`z\`"


def test_a_fence_is_longer_than_any_in_the_text():
    """Five inside, six outside."""
    assert fenced("a ````` b") == "``````text\na ````` b\n``````"


def test_what_was_not_run_is_left_out(make_run, record):
    """No empty headings."""
    record["stages"] = {}
    headings = [line for line in markdown(summarise(make_run(run=record))).splitlines() if line.startswith("#")]
    assert headings == ["# quickstart", "## Constitution", "## Run it again"]
