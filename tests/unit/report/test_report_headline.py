"""The first sentence."""

from __future__ import annotations

import pytest

from solon.data.records import Metric
from solon.report.headline import headline
from solon.report.summary import summarise


def test_the_headline_says_what_changed_and_by_how_much(run_dir):
    """170 and 577 of 600; 594 and 592 of 600 with p = .69."""
    assert headline(summarise(run_dir)) == (
        "Compliance rose from 28.3% to 96.2% of 600 held-out prompts; "
        "greedy accuracy went from 99.0% to 98.7% (within chance)."
    )


@pytest.mark.parametrize(
    ("done", "sentence"),
    [
        ((), "Nothing has been run yet."),
        (("sample",), "3,196 completions sampled for 400 prompts; nothing is labeled yet."),
        (("sample", "label"), "6,522 judgments made; no dataset is built yet."),
        (("sample", "label", "build"), "1,330 preference rows and 890 unpaired rows built; nothing is trained yet."),
        (("train",), "Trained with DPO; not evaluated yet."),
    ],
)
def test_a_run_that_stopped_early_says_how_far_it_came(make_run, record, done, sentence):
    """A report on data alone is a report."""
    record["stages"] = {stage: record["stages"][stage] for stage in done}
    assert headline(summarise(make_run(run=record))) == sentence


def test_without_rules_the_win_rate_leads(make_run):
    """588 prompts were judged. A tie is no better answer, and counts half: the sentence claims nothing else."""
    metrics = [metric for metric in summarise(make_run()).metrics if metric.name == "win_rate"]
    summary = summarise(make_run(metrics=metrics))
    assert headline(summary) == "Win rate over untrained is 87.1% on 588 held-out prompts, ties half."

    (won,) = metrics
    even = summarise(
        make_run(metrics=[won.model_copy(update={"value": 0.52, "low": 0.45, "high": 0.59, "p_value": 0.5})])
    )
    assert headline(even) == (
        "Win rate over untrained is 52.0% on 588 held-out prompts, ties half, which may be chance."
    )


def test_a_change_within_chance_neither_rose_nor_fell(make_run):
    """Accuracy alone: p = .69."""
    metrics = [metric for metric in summarise(make_run()).metrics if metric.name == "accuracy/greedy"]
    summary = summarise(make_run(metrics=metrics))
    assert headline(summary) == "Greedy accuracy went from 99.0% to 98.7% (within chance) of 600 held-out prompts."


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (
            {"eval_accuracy": 0.9375, "accuracy": 1.0},
            "Trained a reward model, which prefers the better response in 93.8% of held-out pairs.",
        ),
        ({"accuracy": 1.0}, "Trained a reward model; no pairs were held out to measure it on."),
    ],
    ids=["held-out", "none-held-out"],
)
def test_a_reward_model_is_measured_by_its_training(make_run, record, metrics, sentence):
    """No stage comes after it, so "not evaluated yet" would promise one."""
    trained = record["stages"]["train"]
    trained["summary"] |= {"gives": "reward model"}
    trained["summary"]["checkpoint"] |= {"trainer": "reward", "metrics": metrics}
    record["stages"] = {"train": trained}
    assert headline(summarise(make_run(run=record))) == sentence


def test_groups_of_answers_are_no_prompts(make_run):
    """Thirty groups of twenty are six hundred."""
    metrics = [
        Metric(name="distinct_1", of=of, value=value, low=value, high=value, n=30, p_value=0.001)
        for of, value in (("before", 0.5), ("after", 0.2))
    ]
    assert headline(summarise(make_run(metrics=metrics))).endswith("on 30 groups of answers.")
