"""What a report says against itself."""

from __future__ import annotations

import pytest

from solon.data.records import Metric
from solon.report.distrust import distrust
from solon.report.summary import summarise


def test_a_good_run_is_still_doubted(run_dir):
    """A warning given, a change within chance, a large KL, longer answers, two lost, six tests, one seed."""
    assert distrust(summarise(run_dir)) == (
        "win_rate was judged by the model that labeled the training data.",
        "The change in greedy accuracy (−0.3 points) is within what chance gives: p = .69.",
        "The policy moved far from where it began (KL 11.8 nats an answer): look for what these metrics miss.",
        "Answers are 1.8 times as long: a judge that likes that length would see an improvement in it alone.",
        "2 of 40 held-out answers lost something that the untrained model's had.",
        "The 6 p-values are not corrected for there being 6 of them.",
        "This is one training seed (0): the intervals cover the choice of prompts, not of the seed.",
    )


def share(name, of, value, n, **more):
    return Metric(name=name, of=of, value=value, low=value, high=value, n=n, **more)


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (
            [share("accuracy", "before", 0.9, 500), share("accuracy", "after", 0.8, 500, p_value=0.0001)],
            "Accuracy got worse by 10.0 points (p < .001): training cost something here.",
        ),
        ([share("win_rate", "pair", 0.9, 99, p_value=0.001)], "Win rate over untrained rests on 99 items only."),
        (
            [share("win_rate", "pair", 0.9, 180, failed=20, p_value=0.001)],
            "Win rate over untrained: 20 of 200 items (10.0%) could not be measured.",
        ),
        (
            [share("order_consistency/win_rate", "pair", 0.6, 500)],
            "Win rate over untrained: its judge turned with the order of the answers in 40.0% of the pairs.",
        ),
        (
            [share("length_controlled/win_rate", "pair", 0.5, 500)],
            (
                "The win rate over untrained at equal length is within what chance gives: "
                "the intervals allow for no change."
            ),
        ),
        (
            [
                share("repeated_answers", "before", 0.01, 30),
                share("repeated_answers", "after", 0.42, 30),
                share("repeated_answers", "pair", 0.41, 30, p_value=0.001),
            ],
            "Answers repeat each other: 42.0% of them say what another says (+41.0 points).",
        ),
    ],
)
def test_each_weakness_has_its_sentence(make_run, metrics, sentence):
    """Computed by hand from the numbers given."""
    assert sentence in distrust(summarise(make_run(metrics=metrics)))


def test_heavy_drops_are_named(make_run, record):
    """900 dropped stand against 1,330 kept, which is 40 %."""
    record["stages"]["build"]["summary"]["dropped"] = {"preference": {"tie_order": 900}}
    found = distrust(summarise(make_run(run=record)))
    assert "900 preference rows were left out and 1,330 kept: what is left may not be typical." in found


def test_an_answer_that_was_cut_off_or_rated_lower_has_lost_nothing_that_it_had(make_run, held_out):
    """The first is a symptom, which the table tells, and the second is a number: two in forty lost a right answer."""
    for line in held_out:
        line["changes"] |= {"length/cut_off": [False, True], "rating": [0.9, 0.1]}
    found = distrust(summarise(make_run(examples=held_out)))
    assert "2 of 40 held-out answers lost something that the untrained model's had." in found


def test_groups_of_answers_are_few_by_their_nature(make_run):
    """Thirty groups are six hundred answers."""
    metrics = [share("distinct_1", of, value, 30, unit="share") for of, value in (("before", 0.5), ("after", 0.4))]
    assert not [sentence for sentence in distrust(summarise(make_run(metrics=metrics))) if "rests on" in sentence]
