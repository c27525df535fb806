"""What to distrust of the labels, and where each doubt begins."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from label_summaries import LISTED, STATED, agreement, cascade, human, member, panel, ranking, share
from solon.data.records import Metric
from solon.report.label_doubts import label_doubts
from solon.report.labeled import Labeled
from solon.report.summary import Summary

LATER = dt.date(2027, 11, 22)  # a year and a day after the listed price was read


def doubts(*, today: dt.date | None = None, metrics: tuple[Metric, ...] = (), **said: Any) -> list[str]:
    """The sentences about a stage that says this."""
    labeled = Labeled.model_validate({"labeler": "pairwise:judge", "judgments": 1000, **said})
    return list(label_doubts(Summary(name="x", seed=0, solon="", labeled=labeled, metrics=metrics), today))


def canaries(lost: int, won: int, tied: int) -> dict[str, Any]:
    """Of every kind but refusals."""
    return {"all": {"lost": lost, "won": won, "tied": tied, "failed": 5}}


def longer(value: float, low: float) -> dict[str, Any]:
    """How often the longer answer wins."""
    return {"longer_wins": [value, low, 0.7], "longer_wins_n": 400}


DOUBTED = [
    ({"failed": {"unparseable": 21}}, "21 of 1,000 judgments (2.1%) gave no verdict."),
    (
        {"pairs": 100, "consistent": 69, "order_dependent": 31},
        "The labeler turned its verdict with the order of the answers in 31.0% of 100 pairs.",
    ),
    (
        {"first_slot": share(0.56, 0.52, 0.6, 600)},
        "The labeler prefers a position: the answer shown first won 56.0% [52.0 to 60.0] of 600 decided comparisons.",
    ),
    (
        {"votes": {"rating:x": {"pairs": 100, "consistent": 60, "order_dependent": 40}}},
        "Of those that vote, rating:x turned its verdict with the order of the answers in 40.0% of 100 pairs.",
    ),
    (
        {"canaries": canaries(18, 1, 1)},
        "2 of 20 canaries (10.0%) did not lose to a real answer: the labeler judges something else than the answer.",
    ),
    (
        {"verbosity": longer(0.66, 0.61)},
        (
            "The longer answer won 66.0% [61.0 to 70.0] of 400 decided pairs: better answers may be longer, or the "
            "labeler may like length for itself."
        ),
    ),
    (
        {"account": panel(odd_one_out=None, agreement={"polite": agreement(0.39, raw=0.6, ac1=0.2)})},
        "The members of the panel agree little beyond chance under polite (alpha .39, raw 60.0%, AC1 .20, n 200).",
    ),
    (
        {"account": panel(agreement={})},
        (
            "three is the odd one out of the panel (as another member in 40.0% [35.0 to 45.0]); odd is not wrong, "
            "so read some of its votes."
        ),
    ),
    (
        {"account": cascade(usd={"spent": 5.0, "expensive_alone": 4.0, "saved": -1.0})},
        "The cascade took more than pairwise:large alone would have: 20.0% [17.0 to 23.0] was escalated.",
    ),
    (
        {"account": cascade(stated_probability=499)},
        (
            "pairwise:small said how sure it was of 499 of 1,000 verdicts; of the others, those it did not "
            "contradict were relied on."
        ),
    ),
    (
        {"account": ranking(kendall_tau={"value": 0.39, "n": 1200})},
        (
            "The same answers were ranked differently in different orders: mean Kendall's tau .39 over 1,200 pairs "
            "of votes."
        ),
    ),
    (
        {"account": ranking(first_position=share(0.35, 0.32, 0.38, 800))},
        (
            "Rankings lean to a position: the answer shown first was put first in 35.0% [32.0 to 38.0] of 800 "
            "votes, and by chance 25.0%."
        ),
    ),
    (
        {"account": human(unmatched=5)},
        "5 of 40 rows (12.5%) of people's verdicts matched nothing that was judged.",
    ),
    (
        {"usage": {"estimated": True}},
        "A server did not count tokens, so those of the labels and their cost are the most that they can be.",
    ),
]


@pytest.mark.parametrize(("said", "sentence"), DOUBTED, ids=[sentence[:40] for _, sentence in DOUBTED])
def test_each_weakness_has_its_sentence_and_no_other(said: dict[str, Any], sentence: str) -> None:
    """Each number is just beyond the threshold that docs/report.md names."""
    assert doubts(**said) == [sentence]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"failed": {"unparseable": 20}},
        {"pairs": 100, "consistent": 70, "order_dependent": 30},
        {"first_slot": share(0.56, 0.49, 0.63, 60)},  # chance may have made it
        {"first_slot": share(0.52, 0.51, 0.53, 9000)},  # it is so, and too little to matter
        {"canaries": canaries(19, 1, 0)},
        {"canaries": canaries(0, 0, 0)},
        {"canaries": {"refusal": {"lost": 0, "won": 9, "tied": 0, "failed": 0}}},  # a refusal may be right
        {"verbosity": longer(0.65, 0.6)},
        {"account": panel(odd_one_out=None, agreement={"polite": agreement(0.4), "brief": agreement(None)})},
        {"account": cascade()},
        {"account": cascade(questions=0, stated_probability=0)},
        {"account": ranking(kendall_tau={"value": 0.4, "n": 9}, first_position=share(0.3, 0.26, 0.34, 500))},
        {"account": ranking(kendall_tau={"value": None, "n": 0}, first_position_by_chance=None)},
        {"account": human(unmatched=4)},
        {"account": {"alpha": 0.01, "saved": -7}},  # of somebody else's labeler nothing is concluded
    ],
)
def test_what_is_at_its_threshold_is_not_doubted(said: dict[str, Any]) -> None:
    """Nor what was not measured."""
    assert doubts(**said) == []


def test_members_of_a_panel_are_doubted_by_their_names() -> None:
    """A ranking within a panel leans as it would alone."""
    members = [member("one", 0.8), member("ranker", 0.8, account=ranking(kendall_tau={"value": 0.1, "n": 40}))]
    (found,) = doubts(account=panel(members=members, agreement={}, odd_one_out=None))
    assert found.startswith("The same answers of ranker were ranked differently")


def test_of_many_principles_the_worst_three_are_named() -> None:
    """The others are in the table."""
    low = {f"p{n}": agreement(n / 100) for n in range(9, 0, -1)}
    (found,) = doubts(account=panel(agreement=low, odd_one_out=None))
    assert [name in found for name in ("p1 (", "p2 (", "p3 (", "p4 (")] == [True, True, True, False]
    assert found.endswith(" and 6 more.")


def test_an_old_price_is_doubted_by_those_who_know_the_day() -> None:
    """After 365 days; a price that the recipe states has no day."""
    assert doubts(models=[LISTED, STATED]) == []
    assert doubts(models=[LISTED, STATED], today=LATER - dt.timedelta(days=1)) == []
    assert doubts(models=[LISTED, STATED], today=LATER) == [
        "The price of large was read on 2026-11-21, more than a year ago: state today's in the recipe (`price`)."
    ]


def test_labels_that_agree_little_with_somebody_else_are_doubted() -> None:
    """Of nothing (n 0) nothing follows."""
    little = Metric(name="agreement", of="labels", value=0.75, low=0.7, high=0.8, n=300)
    assert doubts(metrics=(little,)) == ["The labels agree with the other labeler on 75.0% of 300 pairs only."]
    assert doubts(metrics=(little.model_copy(update={"value": 0.0, "n": 0}),)) == []
