"""While the judge's verdicts are hidden, nothing tells them: no other pair of a ranking, no order, no range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from solon.data.people import read_acts
from solon.viewing.collections import Viewed
from solon.viewing.filters import Filters, found
from solon.viewing.server import Server
from viewed import candidates, question, ranking_run, rating_run, scored, small_run, verdicts_of, write_run


def test_a_ranking_that_was_shown_with_one_pair_was_shown_with_all(tmp_path: Path) -> None:
    """It is shown whole. The other pairs are revealed in the list and in every later view, and are no longer blind."""
    run = ranking_run(tmp_path)
    server = Server(Viewed(run, annotator="ann"))
    listed = server._list({})["list"]
    server._say({"place": 1, "said": "reveal"})
    assert [server._item({"place": place})["revealed"] for place in (1, 2, 3)] == [True, True, True]
    assert all("judge" in row for row in server._rows({"list": listed, "from": 0, "count": 9})["rows"])
    server._say({"place": 2, "said": "first"})
    again = verdicts_of(run)
    again.say(3, "first")
    again.say(3, "reveal")
    verdicts_of(run, "bob").say(3, "first")
    assert [(act.said, act.blind) for act in read_acts(run / "human.jsonl")] == [
        ("reveal", True), ("first", False), ("first", False), ("first", True),
    ]  # fmt: skip


def test_a_ranking_of_another_prompt_and_pairs_that_are_asked_alone_stay_hidden(tmp_path: Path) -> None:
    """Each ranking by itself; and of pairs, what is said of one tells nothing of the next."""
    given = [candidates(number, ("a", "b", "c")) for number in range(2)]
    asked = [question(given[0]), question(given[1])]
    run = write_run(
        tmp_path / "ranked", given, [scored(each, 0.5, 1.0, 0.0, labeler="ranking:judge") for each in asked]
    )
    verdicts = verdicts_of(run)
    verdicts.say(1, "reveal")
    ids = [verdicts.collection.index.item(place).id for place in range(1, 7)]
    assert [verdicts.revealed(name) for name in ids] == [True, True, True, False, False, False]
    pairs = [question(given[0], *places) for places in ((0, 1), (0, 2), (1, 2))]
    verdicts = verdicts_of(write_run(tmp_path / "paired", given, [scored(each, 0.9) for each in pairs]))
    verdicts.say(1, "reveal")
    ids = [verdicts.collection.index.item(place).id for place in range(1, 4)]
    assert [verdicts.revealed(name) for name in ids] == [True, False, False]


@pytest.mark.parametrize(
    ("filters", "hidden", "shown"),
    [
        ({"low": 0.8}, [], [3]),
        ({"high": 0.1}, [], []),
        ({"order": "highest"}, [1, 2, 3, 4], [3, 1, 2, 4]),
        ({"order": "lowest"}, [1, 2, 3, 4], [3, 1, 2, 4]),
        ({"order": "closest"}, [1, 2, 3, 4], [3, 1, 2, 4]),
        ({"order": "clearest"}, [1, 2, 3, 4], [3, 1, 2, 4]),
        ({}, [1, 2, 3, 4], [1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_a_score_is_neither_sorted_nor_filtered_by_before_it_is_shown(
    tmp_path: Path, filters: dict[str, Any], hidden: list[int], shown: list[int]
) -> None:
    """Scores 0, .5, 1, .25: of these only the third is known once it is asked for. In an open view all are."""
    run = rating_run(tmp_path, (0.0, 0.5, 1.0, 0.25))
    verdicts = verdicts_of(run)
    asked = Filters.model_validate(filters)
    assert list(found(verdicts.collection, asked, blind=True)) == hidden
    verdicts.say(3, "reveal")
    assert list(found(verdicts.collection, asked, blind=True)) == shown
    open_order = {"highest": [3, 2, 4, 1], "clearest": [3, 2, 4, 1], "lowest": [1, 4, 2, 3], "closest": [1, 4, 2, 3]}
    if "order" in filters:
        assert list(found(verdicts.collection, asked, blind=False)) == open_order[filters["order"]]


def test_how_clear_a_comparison_is_can_be_sorted_by_all_the_same(tmp_path: Path) -> None:
    """It does not tell which of the two is better."""
    collection = verdicts_of(small_run(tmp_path)).collection
    assert list(found(collection, Filters(order="closest", low=0.05, high=0.5), blind=True)) == [3, 6]
