"""The report as Markdown."""

from __future__ import annotations

from label_summaries import agreement, panel
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


def test_how_the_labels_were_made_is_told_in_bullets_and_tables(make_run, record):
    """The title of a table is bold, its note stands below, and what is in it cannot leave its cell."""
    record["stages"]["label"]["summary"]["account"] = panel(agreement={"a|b": agreement(0.31)}, odd_one_out=None)
    text = markdown(summarise(make_run(run=record)))
    assert "- panel: 3 members; none stands out against the others" in text.splitlines()
    table = "**Agreement, by principle**\n\n|  | raw | alpha | kappa | AC1 | n |\n|---|--:|--:|--:|--:|--:|\n"
    assert f"{table}| a\\|b | 90.0% | .31 | .25 | .85 | 200 |\n\n1 is full agreement" in text


def test_what_was_not_run_is_left_out(make_run, record):
    """No empty headings."""
    record["stages"] = {}
    headings = [line for line in markdown(summarise(make_run(run=record))).splitlines() if line.startswith("#")]
    assert headings == ["# quickstart", "## Constitution", "## Run it again"]
