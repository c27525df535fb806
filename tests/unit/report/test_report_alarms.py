"""Alarms of a training in the report."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from solon.report.alarm_facts import alarm_marks, alarm_tables
from solon.report.curves import figures
from solon.report.distrust import distrust
from solon.report.ended import ended
from solon.report.html import html
from solon.report.markdown import markdown
from solon.report.summary import summarise
from solon.report.terminal import terminal
from solon.report.write import write_report

KL = {
    "name": "kl",
    "metric": "kl",
    "step": 40,
    "value": 2.3456,
    "limit": 2.0,
    "text": "at step 40 the KL to the reference is 2.35, above 2",
    "remedy": "lower train.learning_rate",
    "stop": False,
    "times": 3,
}
LOSS = KL | {
    "name": "nan",
    "metric": "loss",
    "step": 55,
    "value": 1.0,
    "limit": 0.0,
    "text": "at step 55 loss: not a number",
    "remedy": "look for broken weights",
    "times": 1,
}
SENTENCE = (
    "Training raised 2 alarms: at step 40 the KL to the reference is 2.35, above 2 (3 times); at step 55 loss: not"
)


@pytest.fixture
def alarmed(make_run, record):
    """A run whose training raised two alarms."""
    record["stages"]["train"]["summary"]["alarms"] = [KL, LOSS]
    return make_run(run=record)


def test_alarms_are_what_to_distrust_first(alarmed):
    """Only what got worse stands before them; a terminal shows three sentences."""
    summary = summarise(alarmed)
    assert distrust(summary)[0] == f"{SENTENCE} a number."
    out = io.StringIO()
    terminal(summary, Console(file=out, width=80))
    assert f"distrust · {SENTENCE} a number." in " ".join(out.getvalue().split())


def test_the_training_section_has_step_value_and_limit(alarmed):
    """Also where there are no curves."""
    summary = summarise(alarmed)
    text = markdown(summary)
    table = (
        "## Training\n\n**Alarms**\n\n| alarm | number | first at step | value | limit | times |\n"
        "|---|--:|--:|--:|--:|--:|\n| kl | kl | 40 | 2.35 | 2 | 3 |\n| nan | loss | 55 | 1 | 0 | 1 |\n\n"
        "kl: lower train.learning\\_rate. nan: look for broken weights."
    )
    assert table in text
    page = html(summary)
    section = page[page.index('<section id="training">') : page.index('<section id="labels">')]
    for shown in ("Alarms", "2.35", ">40<", ">2<", "lower train.learning_rate"):
        assert shown in section
    assert SENTENCE in page


def test_a_training_without_alarms_says_nothing_of_them(run_dir):
    """The older ``run.json`` without the key, too."""
    summary = summarise(run_dir)
    assert alarm_tables(summary) == []
    assert "alarm" not in markdown(summary).lower()
    assert "alarm" not in html(summary).lower()


def test_the_curve_of_the_number_is_marked(alarmed):
    """One upright line in the loss and none in the margins."""
    summary = summarise(alarmed)
    marks = alarm_marks(summary)
    assert marks == {"kl": [40], "loss": [55]}
    plain, marked = figures(summary.steps), figures(summary.steps, marks)
    assert "#ad3324" in marked["loss"]
    assert "#ad3324" not in plain["loss"]
    assert marked["margins"] == plain["margins"]
    write_report(alarmed)
    assert (alarmed / "figures" / "loss.svg").read_text() == marked["loss"]


def test_the_limits_are_not_listed_among_the_trainers_settings(make_run, record):
    """No weight depends on them, and twenty numbers would bury those that matter."""
    record["stages"]["train"]["summary"]["trainer"]["alarms"] = {"kl": {"limit": 2.0, "stop": False}}
    assert "&#34;limit&#34;" not in html(summarise(make_run(run=record)))


def test_alarms_in_the_log_are_no_points_of_a_curve(run_dir):
    """A line with `alarm` has numbers too: the limit is none that was logged."""
    before = summarise(run_dir).steps
    with (run_dir / "checkpoints" / "dpo" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 200, "steps": 200, "alarm": "kl", "metric": "kl", "value": 3.0}) + "\n")
    assert summarise(run_dir).steps == before


def test_the_line_at_the_end_of_the_stage_names_them(alarmed):
    """Who runs one stage sees no report."""
    assert " trained with dpo, alarms: kl, nan: " in ended(summarise(alarmed), alarmed, "train")


def test_what_a_trainer_wrote_into_an_alarm_is_text(make_run, record):
    """A third party's metric may be called anything."""
    record["stages"]["train"]["summary"]["alarms"] = [KL | {"metric": "<b>|\u202e", "text": "<script>\n- x"}]
    summary = summarise(make_run(run=record))
    assert "<script>\n- x" not in html(summary)
    assert "<b>|" not in markdown(summary)
    assert "\u202e" not in html(summary) + markdown(summary)
