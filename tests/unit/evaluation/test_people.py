"""How far labels agree with people, from the files of a run: by hand, and what is left out of it."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from solon.data.records import Candidates, Metric
from solon.evaluation.people import Said, said_by_people
from solon.report.label_facts import label_told
from solon.report.summary import summarise
from solon.viewing.verdicts import Verdicts
from viewed import (
    CONSTITUTION,
    both_orders,
    candidates,
    critique_run,
    question,
    rating_run,
    scored,
    verdicts_of,
    write_run,
)


def told(run: Path) -> tuple[Said, dict[str, Metric]]:
    """What is said of a run, and its metrics by name."""
    found = said_by_people(run / "human.jsonl", run / "judgments.jsonl", CONSTITUTION)
    assert found is not None
    return found[0], {metric.name: metric for metric in found[1]}


def pairs_run(path: Path, firsts: str, *, turned: bool = False) -> Path:
    """A pair for each letter: ``f`` the judge prefers the first, ``s`` the second, ``t`` neither.

    The first is red and has the lower id; ``turned``, it is blue and has the higher one.
    """
    share = {"f": 0.9, "s": 0.1, "t": 0.5}
    given = [_pair(number, turned=turned) for number in range(len(firsts))]
    judged = [
        each for one, letter in zip(given, firsts, strict=True) for each in both_orders(one, *[share[letter]] * 2)
    ]
    return write_run(path, given, judged)


def _pair(number: int, *, turned: bool) -> Candidates:
    for blue in count():
        texts = (f"red {number}", f"blue {number} {blue}")
        pair = candidates(number, texts[::-1] if turned else texts)
        first, second = (one.id for one in pair.completions)
        if (first > second) == turned:
            return pair
    raise AssertionError


def prefer(verdicts: Verdicts, place: int, letter: str) -> None:
    """Says that the first one (``f``) or the second one (``s``) is better, wherever it is shown; or neither."""
    item = verdicts.collection.index.item(place)
    turned = verdicts.order(item) != item.options
    verdicts.say(place, "tie" if letter == "t" else "first" if (letter == "f") != turned else "second")


@pytest.mark.parametrize("turned", [False, True])
def test_agreement_is_over_what_both_decide_and_beyond_chance(tmp_path: Path, turned: bool) -> None:
    """Judge ffffssss tt, person fffsssss ft: of 8 decided pairs 7 agree.

    Kappa: the judge says f 4 and s 4 times, the person 3 and 5: chance (4*3 + 4*5)/64 = .5; (7/8 - .5) / .5 = .75.
    """
    run = pairs_run(tmp_path, "ffffsssstt", turned=turned)
    verdicts = verdicts_of(run, sample=10)
    for place, letter in enumerate("fffsssssft", 1):
        prefer(verdicts, place, letter)
    said, metrics = told(run)
    found = metrics["human_agreement"]
    assert said == Said(verdicts=10)
    assert (found.value, found.n, found.of) == (7 / 8, 8, "labels")
    assert "with ann; drawn at random, 10 of 10 judged; ties: 2 of the labels, 1 of theirs" in found.method
    assert found.low < 7 / 8 < found.high
    assert metrics["kappa/human_agreement"].value == pytest.approx(0.75)
    assert {"alpha/human_agreement", "ac1/human_agreement"} <= metrics.keys()
    assert "chosen_agreement" not in metrics


def test_chance_does_not_hang_on_which_completion_stands_first_in_a_file(tmp_path: Path) -> None:
    """In files with ``chosen`` and ``rejected`` nearly all verdicts are for the first, and kappa would be next to 0.

    Judge and people prefer the first of each pair but one, on which they differ: .95 agree, where chance gives half.
    """
    given = [candidates(number, (f"red {number}", f"blue {number}")) for number in range(20)]
    run = write_run(tmp_path, given, [each for one in given for each in both_orders(one, 0.9, 0.9)])
    verdicts = verdicts_of(run, sample=20)
    for place in range(1, 21):
        prefer(verdicts, place, "s" if place == 1 else "f")
    assert told(run)[1]["kappa/human_agreement"].value == pytest.approx(0.9, abs=0.02)


def test_what_was_chosen_is_a_figure_of_its_own(tmp_path: Path) -> None:
    """Whoever looks for the judge's errors finds them: that says nothing of the other labels."""
    run = pairs_run(tmp_path, "ffff")
    prefer(verdicts_of(run), 1, "s")
    _, metrics = told(run)
    assert metrics["chosen_agreement"].value == 0
    assert "chosen by themselves" in metrics["chosen_agreement"].method
    assert "human_agreement" not in metrics


def test_what_was_said_after_the_judge_counts_for_no_agreement(tmp_path: Path) -> None:
    """Of a change of mind the first impression counts, and the new one is the verdict."""
    run = pairs_run(tmp_path, "fff")
    verdicts = verdicts_of(run)
    prefer(verdicts, 1, "s")
    verdicts.say(1, "reveal")
    prefer(verdicts, 1, "f")
    verdicts.say(2, "reveal")
    prefer(verdicts, 2, "f")
    said, metrics = told(run)
    assert (metrics["chosen_agreement"].value, metrics["chosen_agreement"].n) == (0, 1)
    assert said == Said(verdicts=2, seen=1)


def test_skipping_and_taking_back_are_no_verdicts(tmp_path: Path) -> None:
    """Where that is all that there is, nothing is said at all."""
    run = pairs_run(tmp_path, "ff")
    assert said_by_people(run / "human.jsonl", run / "judgments.jsonl", CONSTITUTION) is None
    verdicts = verdicts_of(run)
    verdicts.say(1, "skip")
    prefer(verdicts, 2, "f")
    verdicts.undo()
    assert said_by_people(run / "human.jsonl", run / "judgments.jsonl", CONSTITUTION) is None


def test_verdicts_on_labels_that_are_gone_or_their_own_are_counted_and_left_out(tmp_path: Path) -> None:
    """A run that is labelled by these very verdicts would agree with itself."""
    given = [candidates(number, (f"red {number}", f"blue {number}")) for number in range(3)]
    run = write_run(tmp_path, given, [each for one in given for each in both_orders(one, 1, 1)])
    verdicts = verdicts_of(run)
    for place in (1, 2, 3):
        prefer(verdicts, place, "f")
    own = both_orders(given[1], 1, 1, labeler="human")
    write_run(tmp_path, given, [*both_orders(given[0], 1, 1), *own])
    said, metrics = told(run)
    assert said == Said(verdicts=3, gone=1, own=1)
    assert metrics["chosen_agreement"].n == 1


def test_ratings_agree_where_the_scores_are_the_same(tmp_path: Path) -> None:
    """Judge 1, 3, 5, 3 of 5; person 1, 3, 3, 4: half the same, three within 1.

    Interval alpha by hand: the eight scores sum to 23 and their squares to 79, so the expected squared difference over
    ordered pairs is 2 (8 * 79 - 23 * 23) / 56 = 3.6786; the observed one 2 (4 + 1) / 8 = 1.25; 1 - 1.25 / 3.6786 = .66.
    """
    run = rating_run(tmp_path, (0.0, 0.5, 1.0, 0.5))
    verdicts = verdicts_of(run)
    for place, score in enumerate((1, 3, 3, 4), 1):
        verdicts.say(place, "score", score=score)
    _, metrics = told(run)
    found = metrics["chosen_agreement"]
    assert (found.value, found.n) == (0.5, 4)
    assert "3 within 1, alpha of intervals 0.66" in found.method
    assert "kappa/chosen_agreement" in metrics


def test_a_revision_is_what_the_labels_prefer(tmp_path: Path) -> None:
    """A person who likes the original better disagrees."""
    run = critique_run(tmp_path)
    prefer(verdicts_of(run), 1, "f")
    assert told(run)[1]["chosen_agreement"].value == 0


def test_a_pair_of_a_ranking_is_compared_by_its_scores(tmp_path: Path) -> None:
    """Scores .5 and 1: the labels prefer the second."""
    one = candidates(0, ("good", "best", "worst"))
    run = write_run(tmp_path, [one], [scored(question(one), 0.5, 1.0, 0.0, labeler="ranking:judge")])
    prefer(verdicts_of(run), 1, "s")
    assert told(run)[1]["chosen_agreement"].value == 1


def test_the_report_tells_it_and_nothing_is_asked(tmp_path: Path) -> None:
    """From the files alone: the share with its interval, the coefficients, and how many verdicts there are."""
    run = pairs_run(tmp_path, "ffffssss")
    verdicts = verdicts_of(run, sample=8)
    for place, letter in enumerate("fffsssss", 1):
        prefer(verdicts, place, letter)
    verdicts.say(1, "reveal")
    prefer(verdicts, 1, "s")
    facts = {(fact.name, fact.text.partition(",")[0]) for fact in label_told(summarise(run)).facts}
    assert ("human agreement", "87.5% [52.9 to 97.8] on 8") in facts
    assert ("human agreement", "kappa .75 [.00 to 1.00]") in facts
    assert ("people", "8 verdicts on labels") in facts


def test_a_sample_of_two_seeds_and_two_people_is_random_still(tmp_path: Path) -> None:
    """The note names how many people there are."""
    run = pairs_run(tmp_path, "ffff")
    for person in ("ann", "bob"):
        verdicts = verdicts_of(run, person, sample=4)
        for place in (1, 2):
            prefer(verdicts, place, "f")
    found = told(run)[1]["human_agreement"]
    assert (found.value, found.n) == (1, 4)
    assert "with 2 people; drawn at random" in found.method
