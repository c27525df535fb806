"""Accounts of labelers in words and tables."""

from __future__ import annotations

import pytest

from label_summaries import agreement, cascade, human, member, panel, ranking, share
from solon.report.account_facts import told_of
from solon.report.tables import Fact, Table, as_rows


def facts(account: dict[str, object]) -> list[tuple[str, str]]:
    """What an account says in words."""
    return [(fact.name, fact.text) for fact in told_of(account).facts]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("account", "text"),
    [
        (panel(), "3 members; the odd one out is three"),
        (panel(odd_one_out=None), "3 members; none stands out against the others"),
        # each is as far from the other
        (
            panel(odd_one_out=None, members=[member("a", 0.9), member("b", 0.9)]),
            "2 members; of two, neither is the odd one out",
        ),
    ],
)
def test_a_panel_says_who_stands_out(account: dict[str, object], text: str) -> None:
    """In words, since a terminal shows no tables."""
    assert facts(account)[0] == ("panel", text)


def test_a_panel_says_how_far_it_agrees_under_each_principle_by_every_measure() -> None:
    """The worst first; no one measure tells it all: where nearly all verdicts are alike, alpha alone misleads."""
    assert facts(panel())[1:] == [
        ("agreement", "polite: raw 90.0%, Krippendorff's alpha .31, kappa .25, AC1 .85, n 200"),
        ("agreement", "brief: raw 90.0%, Krippendorff's alpha .72, kappa .25, AC1 .85, n 200"),
    ]


def test_of_many_principles_those_with_the_least_agreement_are_told() -> None:
    """Thirty lines would push all else out of a terminal; where all votes are the same there is no alpha."""
    alphas = {"a": 0.9, "b": None, "c": 0.1, "d": 0.2, "e": 0.3}
    found = facts(panel(agreement={key: agreement(alpha) for key, alpha in alphas.items()}))[1:]
    assert [text.partition(":")[0] for _, text in found] == [
        "c",
        "d",
        "e",
        "2 principles more, with a higher alpha or none, in the report",
    ]
    (_, only) = facts(panel(agreement={"b": agreement(None), "nobody": {"n": 0}}))
    assert only[1] == "b: raw 90.0%, Krippendorff's alpha –, kappa .25, AC1 .85, n 200"


def test_a_panel_has_tables_by_principle_by_pair_and_by_member() -> None:
    """Shares as percentages, coefficients as they are, a dash where nothing could be said."""
    by_principle, by_pair, by_member = told_of(panel()).tables
    assert by_principle.rows[0] == ("polite", "90.0%", ".31", ".25", ".85", "200")
    assert by_pair.heads == ("", "polite", "brief")
    assert by_pair.rows == (
        ("one and two", ".80", ".80"),
        ("one and three", "−.05", "−.05"),
        ("two and three", "–", "–"),
    )
    assert by_member.rows[2] == ("three", "400", "7 unparseable", "40.0% [35.0 to 45.0]", "40.0% [35.0 to 45.0]")
    assert "accuracy, estimated" not in by_member.heads


def test_a_weighted_panel_says_how_right_each_member_is_taken_to_be() -> None:
    """Only where it was estimated."""
    members = [member(name, 0.8, accuracy_estimated=0.914) for name in "abc"]
    by_member = told_of(panel(members=members)).tables[-1]
    assert (by_member.heads[-1], by_member.rows[0][-1]) == ("accuracy, estimated", "91.4%")


def test_two_members_need_no_table_of_pairs() -> None:
    """It would have the one row that the table by principle has."""
    told = told_of(panel(members=[member("one", 0.8), member("two", 0.8)], odd_one_out=None))
    assert [table.title for table in told.tables] == ["Agreement, by principle", "Members of the panel"]


def test_a_cascade_says_what_went_on_why_and_what_that_saved() -> None:
    """$20 less $5."""
    assert facts(cascade()) == [
        (
            "escalated",
            (
                "20.0% [17.0 to 23.0] of 1,000 questions went from pairwise:small to pairwise:large "
                "(150 unsure, 40 inconsistent, 10 failed)"
            ),
        ),
        ("saved", "$15.00 of the $20.00 that pairwise:large alone would have taken, going by what it did judge"),
    ]


def test_a_cascade_of_local_models_is_told_in_tokens_and_may_have_lost_some() -> None:
    """360,000 spent where 300,000 would have done."""
    (_, saved) = facts(cascade(usd={"spent": 0.0, "expensive_alone": 0.0, "saved": 0.0}))
    assert saved[1].startswith("−60.0k tokens of the 300.0k tokens that pairwise:large alone")


def test_a_cascade_that_escalated_nothing_does_not_guess_what_it_saved() -> None:
    """Nobody knows what the expensive one would have cost."""
    unknown = {"spent": 1.0, "expensive_alone": None, "saved": None}
    none = cascade(escalated=0, escalated_share=share(0.0, 0.0, 0.004, 1000), why={}, usd=unknown)
    assert facts(none) == [
        ("escalated", "0.0% [0.0 to 0.4] of 1,000 questions went from pairwise:small to pairwise:large")
    ]


def test_a_ranking_says_how_far_its_orders_agree_and_how_it_leans() -> None:
    """A first place is held against chance, which is not a half."""
    assert facts(ranking()) == [
        (
            "ranking",
            (
                "800 votes read, 3 failed; mean Kendall's tau .71 over 1,200 pairs of them, "
                "1 being the same ranking in every order"
            ),
        ),
        (
            "first place",
            "the answer shown first was put first in 26.0% [23.0 to 29.0] of the votes, and by chance 25.0%",
        ),
    ]


def test_people_say_what_became_of_their_rows_and_whether_they_agree() -> None:
    """In the account's own note."""
    assert facts(human()) == [
        ("people", "1 of 40 rows of people.csv matched nothing, the first being people.csv:7"),
        ("annotators", "agree in 80.0% of 30 pairs of verdicts on 12 questions that several answered"),
    ]
    assert [name for name, _ in facts(human(annotator_pairs=0))] == ["people"]


def test_the_accounts_within_follow_with_their_names() -> None:
    """A panel of a ranking and a cascade whose second labeler is a panel."""
    then = {**cascade()["labelers"][1], "account": panel()}
    members = [
        member("ranker", 0.8, account=ranking()),
        member("steps", 0.8, account=cascade(labelers=[cascade()["labelers"][0], then])),
    ]
    told = told_of(panel(members=members, odd_one_out=None))
    names = [(fact.name, fact.text.partition(":")[0]) for fact in told.facts]
    assert names[:5] == [
        ("panel", "2 members; of two, neither is the odd one out"),
        ("agreement", "polite"),
        ("agreement", "brief"),
        ("ranking", "ranker"),
        ("first place", "ranker"),
    ]
    assert ("escalated", "steps") in names
    assert Fact("panel", "pairwise:large: 3 members; the odd one out is three") in told.facts
    assert told.facts[-1].text.startswith("pairwise:large: brief: raw 90.0%, Krippendorff's alpha .72")


def test_somebody_else_s_account_is_shown_as_it_is() -> None:
    """Its note in words, and the rest as a table, path by path."""
    told = told_of(
        {
            "note": "3 rows were in /home/ann/secret/rows.csv",
            "hard_questions": 12,
            "mood": {"good": share(0.5, 0.4, 0.6, 80), "bad": [1, 2.5, None], "sure": True},
            "steps": [{"name": "a"}, {"name": "b"}],
            "nothing": {},
        }
    )
    assert told.facts == [Fact("account", "3 rows were in …/rows.csv")]
    (table,) = told.tables
    assert table == Table.of(
        "What the labeler says of its judgments",
        ("", ""),
        [
            ("hard questions", "12"),
            ("mood / good", "0.5 [0.4 to 0.6] on 80"),
            ("mood / bad", "1, 2.5, –"),
            ("mood / sure", "yes"),
            ("steps / 1 / name", "a"),
            ("steps / 2 / name", "b"),
        ],
    )


def test_an_account_however_deep_or_long_stays_small() -> None:
    """A thousand levels end as JSON after four, and a thousand rows as sixty with a word about the others."""
    deep: dict[str, object] = {"end": 1}
    for _ in range(200):
        deep = {"in": deep}
    assert [name for name, _ in as_rows(deep)] == ["in / in / in / in"]  # type: ignore[arg-type]
    (table,) = told_of({f"key {n}": n for n in range(1000)}).tables
    assert (len(table.rows), table.note) == (60, "And 940 rows more in run.json.")
    assert len(told_of({"x": "y" * 9000}).tables[0].rows[0][1]) == 120
