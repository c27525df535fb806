"""The report in a terminal."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import pytest
from rich.console import Console

from label_summaries import LISTED
from solon.report.summary import summarise
from solon.report.tables import Fact
from solon.report.terminal import terminal


def printed(run_dir, width=80, **options):
    out = io.StringIO()
    terminal(summarise(run_dir), Console(file=out, width=width, **options), Path("runs/quickstart/report.html"))
    return out.getvalue()


def test_the_table_fits_eighty_columns_whole(run_dir):
    """Each row on one line: name, before, after, change, p, n."""
    lines = [" ".join(line.split()) for line in printed(run_dir).splitlines()]
    assert "compliance 28.3% [24.9 32.1] 96.2% [94.3 97.4] +67.8 <.001 600" in lines
    assert "accuracy greedy 99.0% [97.8 99.5] 98.7% [97.4 99.3] −0.3 .69 600" in lines
    assert "win rate – 87.1% [84.5 89.5] <.001 588+12" in lines
    assert "kl nats – 11.8 [11.2 12.5] 600" in lines
    assert "report runs/quickstart/report.html" in lines


def test_no_line_is_longer_than_the_terminal(run_dir):
    """Also in a narrow one."""
    for width in (80, 60):
        assert max(len(line) for line in printed(run_dir, width).splitlines()) <= width


def test_judge_data_and_cost_follow_the_table(run_dir):
    """What labeled it with its failures, what was dropped, what it cost."""
    text = " ".join(printed(run_dir).split())
    assert "6,522 judgments, 3 failed (3 unparseable)" in text
    assert "agreement 97.1% [96.4 to 97.6] on 3,000" in text
    assert "dropped 273 preference rows (261 tie order, 12 identical)" in text
    assert "cost $0.00; tokens 1.8M in (60% cached), 54.2k out" in text


def test_what_the_clock_and_the_hour_say_is_told_here_alone(make_run, record):
    """Limits that were found, and a price that is old by today."""
    record["stages"]["label"]["summary"]["models"] = [LISTED]
    summary, out = summarise(make_run(run=record, metrics=(), examples=[])), io.StringIO()
    found = (Fact("limit", "openai: settled at 41 in flight"),)
    terminal(summary, Console(file=out, width=80), today=dt.date(2028, 1, 1), found=found)
    text = " ".join(out.getvalue().split())
    assert "limit openai: settled at 41 in flight" in text
    assert "more than a year ago" in text


@pytest.mark.parametrize(
    "said", ["\x1b[2J\x1b[31mred", "\x9b31m", "\x07\x08\r", "\u202eesrever", "[bold red]x[/]", "[/]"]
)
def test_what_a_model_says_never_reaches_the_terminal_as_a_command(make_run, record, held_out, said):
    """Neither as an escape sequence nor as rich's own markup."""
    for line in held_out:
        line["after"]["text"] = line["before"]["text"] = f"Said {said} end"
    record["stages"]["label"]["summary"]["labeler"] = said
    record["stages"]["evaluate"]["summary"]["warnings"] = [said]
    text = printed(make_run(run=record, examples=held_out))
    assert not set(text) & set("\x1b\x9b\x07\x08\r\u202e")
    if said.startswith("["):
        assert f"Said {said} end" in text


def test_colours_are_of_what_improved_and_what_got_worse(run_dir):
    """Green for the 96.2 %; grey for what may be chance."""
    text = printed(run_dir, force_terminal=True, color_system="standard")
    assert "\x1b[1;32m96.2%" in text
    assert "\x1b[1;32m98.7%" not in text


def test_a_run_on_data_alone_has_no_table(make_run, record):
    """And says what there is."""
    del record["stages"]["train"], record["stages"]["evaluate"]
    text = printed(make_run(run=record))
    assert "before" not in text
    assert "1,330 preference rows and 890 unpaired rows built;" in text
