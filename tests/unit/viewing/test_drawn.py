"""What counts as drawn at random: what a list shows that nobody has chosen by, of labels that are all there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from solon.data.people import read_acts
from solon.evaluation.people import said_by_people
from solon.viewing.collections import Viewed
from solon.viewing.server import Server
from viewed import CONSTITUTION, both_orders, candidates, small_run, verdicts_of, write_run


def sampled(run: Path, n: int) -> Server:
    """A view of ``n`` that are drawn."""
    return Server(Viewed(run, annotator="ann", sample=n))


def drawn(run: Path) -> list[bool]:
    """Of each line, whether it says that it was drawn."""
    return [act.drawn is not None for act in read_acts(run / "human.jsonl")]


@pytest.mark.parametrize(
    ("filters", "counts"),
    [
        ({}, True),
        ({"order": "random"}, True),
        ({"state": "todo"}, True),
        ({"low": 0, "high": 1}, True),
        ({"state": "orders"}, False),
        ({"state": "done"}, False),
        ({"order": "closest"}, False),
        ({"order": "clearest"}, False),
        ({"low": 0.0, "high": 0.5}, False),
        ({"principle": "kind"}, False),
        ({"topic": "art"}, False),
        ({"judge": "pairwise:judge"}, False),
        ({"search": "question"}, False),
    ],
)  # fmt: skip
def test_of_a_sample_only_what_nobody_filtered_or_sorted_counts_as_drawn(
    tmp_path: Path, filters: dict[str, Any], counts: bool
) -> None:
    """All six are in the sample, the fourth too, whose orders disagree; what is left to do is the sample's rest."""
    run = small_run(tmp_path)
    server = sampled(run, 6)
    listed = server._list({"filters": filters})
    assert listed["chosen"] is not counts
    server._say({"place": 4, "said": "first", "list": listed["list"]})
    assert drawn(run) == [counts]


def test_a_list_that_is_not_named_or_of_another_kind_or_no_longer_kept(tmp_path: Path) -> None:
    """Whoever does not say where they came upon it has chosen it; a list that made room for others is what it was."""
    run = small_run(tmp_path)
    server = sampled(run, 6)
    first = server._list({})["list"]
    for _ in range(20):
        server._list({"filters": {"state": "orders"}})
    for named in ({"list": first}, {}, {"list": "answers-1"}, {"list": ["labels-1"]}, {"list": "labels-99"}):
        server._say({"place": 1, "said": "first", **named})
    assert drawn(run) == [True, False, False, False, False]


def test_what_was_drawn_stays_in_the_sample_when_it_is_found_by_a_filter_once_more(tmp_path: Path) -> None:
    """Else whoever looks for what is unclear takes just that out of it. What was skipped there is chosen after all."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run, sample=6)
    for place in (1, 2):
        verdicts.say(place, "first")
    verdicts.say(3, "skip")
    for place in (1, 3, 4):
        verdicts.say(place, "second", chosen=True)
    verdicts.say(2, "undo", chosen=True)
    found = said_by_people(run / "human.jsonl", run / "judgments.jsonl", CONSTITUTION)
    assert found is not None
    metrics = {metric.name: metric for metric in found[1]}
    assert "1 of 6 judged" in metrics["human_agreement"].method
    assert (metrics["human_agreement"].n, metrics["chosen_agreement"].n) == (1, 1)  # the fourth is torn: no verdict


def test_nothing_is_drawn_from_labels_of_which_some_are_still_to_come(tmp_path: Path) -> None:
    """Until the run is done and the view has read to its end."""
    run = small_run(tmp_path)
    partial = run / ".judgments.jsonl.partial"
    (run / "judgments.jsonl").rename(partial)
    server = sampled(run, 6)
    listed = server._list({})["list"]
    assert server._about({})["partial"]
    server._say({"place": 1, "said": "first", "list": listed})
    partial.rename(run / "judgments.jsonl")
    server._say({"place": 2, "said": "first", "list": listed})
    assert not server._refresh({})["partial"]
    server._say({"place": 3, "said": "first", "list": listed})
    assert drawn(run) == [False, False, True]


def test_a_sample_of_what_a_run_held_before_tells_nothing_of_what_was_added(tmp_path: Path) -> None:
    """Of four pairs all are judged, and count as drawn until the run has five: then they are of these four alone."""
    given = [candidates(number, (f"red {number}", f"blue {number}")) for number in range(5)]

    def labeled(pairs: int) -> Path:
        return write_run(tmp_path, given, [each for one in given[:pairs] for each in both_orders(one, 1, 1)])

    def metrics(run: Path) -> dict[str, str]:
        found = said_by_people(run / "human.jsonl", run / "judgments.jsonl", CONSTITUTION)
        assert found is not None
        return {metric.name: metric.method for metric in found[1] if "/" not in metric.name}

    run = labeled(4)
    verdicts = verdicts_of(run, sample=4)
    for place in range(1, 5):
        verdicts.say(place, "first")
    assert list(metrics(run)) == ["human_agreement"]
    found = metrics(labeled(5))
    assert list(found) == ["chosen_agreement"]
    assert "4 of them drawn from 4 labels of an earlier state" in found["chosen_agreement"]


@pytest.mark.parametrize("kind", ["ranking", "critique", "rating"])
def test_the_report_counts_labels_as_the_view_does(tmp_path: Path, kind: str) -> None:
    """A ranking of three is three of them, a revision one: what was drawn from them is drawn from all."""
    import viewed

    run = getattr(viewed, f"{kind}_run")(tmp_path)
    verdicts = verdicts_of(run, sample=99)
    verdicts.say(1, *(("score",) if kind == "rating" else ("first",)), score=3 if kind == "rating" else None)
    found = said_by_people(run / "human.jsonl", run / "judgments.jsonl", CONSTITUTION)
    assert found is not None
    assert {metric.name.rpartition("/")[2] for metric in found[1]} == {"human_agreement"}
