"""What is an item, and what can be said of it to filter by."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.data.artifacts import write_jsonl
from solon.data.records import Failed, Principle, Question, Scored
from solon.viewing.filters import Filters, found
from solon.viewing.items import facts_of, items_of
from viewed import (
    CONSTITUTION,
    KIND,
    TRUE,
    both_orders,
    candidates,
    critique_run,
    question,
    ranking_run,
    scored,
    small_run,
    verdicts_of,
    write_run,
)

BY_ID = {principle.id: principle for principle in (KIND, TRUE)}


def test_both_orders_are_one_item_and_their_mean_is_its_lean() -> None:
    """P(first) .9 shown first and .7 shown second: 2 * .8 - 1."""
    one = candidates(0, ("a", "b"))
    judgments = both_orders(one, 0.9, 0.7)
    items = {item for judgment in judgments for item in items_of(judgment)}
    (item,) = items
    facts = facts_of(judgments, item.options, BY_ID)
    assert facts.lean == pytest.approx(0.6)
    assert not facts.orders_differ


def test_orders_that_pick_opposite_winners_disagree_and_half_of_a_pair_has_no_verdict() -> None:
    """The first is a tie by its order; of the second nobody knows."""
    one = candidates(0, ("a", "b"))
    torn = facts_of(both_orders(one, 0.9, 0.2), [option.id for option in one.completions], BY_ID)
    assert (torn.lean, torn.orders_differ) == (0.0, True)
    first = both_orders(one, 0.9, 0.9)[0]
    failed = question(one, 1, 0).judged(Failed(reason="truncated"), labeler="pairwise:judge")
    half = facts_of([first, failed], [option.id for option in one.completions], BY_ID)
    assert (half.lean, half.reasons) == (None, ("truncated",))


def test_a_panel_differs_where_two_votes_are_on_two_sides() -> None:
    """.9 and .6 are on one; .9 and .4 are not. Who voted is who judged."""
    asked = question(candidates(0, ("a", "b")), 0, 1)

    def facts(*shares: float) -> tuple[bool, tuple[str, ...]]:
        votes = tuple(scored(asked, share, labeler=f"voter {place}") for place, share in enumerate(shares))
        found = facts_of([scored(asked, 0.5, labeler="panel", votes=votes)], [o.id for o in asked.options], BY_ID)
        return found.panel_differs, found.judges

    assert facts(0.9, 0.6) == (False, ("panel", "voter 0", "voter 1"))
    assert facts(0.9, 0.4)[0]


def test_a_ranking_is_an_item_for_each_two_and_a_revision_one(tmp_path: Path) -> None:
    """Three ranked make three; scores .5, 1 and 0 lean by their differences. A revision is preferred."""
    verdicts = verdicts_of(ranking_run(tmp_path / "ranking"))
    assert [verdicts.collection.index.lean(place) for place in (1, 2, 3)] == [-0.5, 0.5, 1.0]
    verdicts = verdicts_of(critique_run(tmp_path / "critique"))
    item = verdicts.collection.index.item(1)
    assert [verdicts.collection.index.completion(name).text for name in item.options] == [
        "a rude answer",
        "a polite answer",
    ]
    assert verdicts.collection.index.lean(1) == -1.0


def test_a_principle_that_has_left_the_constitution_is_still_shown() -> None:
    """A view of old labels is no reason to fail."""
    one = candidates(0, ("a", "b"))
    judgments = both_orders(one, 1, 1, principle=Principle(id="old", text="Be old."))
    assert facts_of(judgments, [option.id for option in one.completions], BY_ID).lean == 1.0


# ---------------------------------------------------------------- filters


def places(run: Path, **filters: object) -> list[int]:
    """What passes, of somebody who has said nothing."""
    collection = verdicts_of(run).collection
    return list(found(collection, Filters.model_validate(filters), blind=True))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"state": "orders"}, [4]),
        ({"state": "panel"}, [6]),
        ({"state": "failed"}, [5]),
        ({"reason": "refused"}, [5]),
        ({"reason": "unavailable"}, []),
        ({"judge": "ann's model"}, [6]),
        ({"principle": "kind"}, [1, 2, 3, 4, 5, 6]),
        ({"principle": "true"}, []),
        ({"topic": "art", "low": 0.5}, [1, 2]),
        ({"low": 0.05, "high": 0.5}, [3, 6]),
        ({"order": "closest"}, [4, 3, 6, 1, 2, 5]),
        ({"search": "QUESTION 3"}, [4]),
        ({"search": "blue answer 4"}, [5]),
        ({"search": "because of the order"}, []),
        ({"search": "100%"}, []),
        ({"search": "' OR 1=1 --"}, []),
    ],
)  # fmt: skip
def test_filters_leave_what_they_say(tmp_path: Path, filters: dict[str, object], expected: list[int]) -> None:
    """Leans by hand: .9, -.9, .1, 0 by the order, none, .075 (.55 and .6): what a judge wrote is hidden."""
    assert places(small_run(tmp_path), **filters) == expected


@pytest.mark.parametrize("name", ["principle", "judge", "topic", "reason", "search"])
def test_half_of_a_surrogate_pair_is_looked_for_like_any_other_text(tmp_path: Path, name: str) -> None:
    """Some servers send it, and a page may ask for it: what it is in is found, and nothing else."""
    half = "\ud83d odd"
    one = candidates(0, (half, "b"), half)
    odd = Principle.model_construct(id=half, text="Be odd.", weight=1.0, severity="soft", topics=())
    asked = Question.model_construct(
        prompt=one.prompt, principles=(odd,), options=one.completions, scale=CONSTITUTION.rating
    )
    run = write_run(tmp_path, [one, candidates(1, ("a", "b"))], [])
    rest = both_orders(candidates(1, ("a", "b")), 1, 1)
    judged = asked.judged(Scored(scores=(1.0, 0.0)), labeler=half)
    write_jsonl(run / "judgments.jsonl", [judged, *rest])
    assert places(run, **{name: half}) == ([] if name == "reason" else [1])


def test_what_one_has_said_oneself_can_be_filtered_by(tmp_path: Path) -> None:
    """Against the judge only where it was shown: else the list would tell."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run)
    collection = verdicts.collection
    item = collection.index.item(1)
    verdicts.say(1, "second" if verdicts.order(item) == item.options else "first")
    against = Filters(state="against")
    assert list(found(collection, Filters(state="done"), blind=True)) == [1]
    assert list(found(collection, Filters(state="todo"), blind=True)) == [2, 3, 4, 5, 6]
    assert list(found(collection, against, blind=True)) == []
    verdicts.say(1, "reveal")
    assert list(found(collection, against, blind=True)) == [1]
    verdicts.say(4, "reveal")
    assert list(found(collection, Filters(search="because of the order"), blind=True)) == [4]
    assert list(found(collection, Filters(search="because of the order"), blind=False)) == [4]
