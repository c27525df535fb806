"""Which answers are shown."""

from __future__ import annotations

import random

import pytest

from solon.data.records import Completion, Prompt
from solon.report.examples import Mark, groups, kind_of, marks
from solon.report.held_out import Example


def example(changes, text="q"):
    answer = Completion(text="a", model="m")
    return Example(prompt=Prompt.of(text), before=answer, after=answer, changes=changes)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"compliance": (False, True), "accuracy": (True, True)}, "improved"),
        ({"compliance": (False, True), "accuracy": (True, False)}, "degraded"),
        ({"compliance": (True, True)}, "unchanged"),
        ({"compliance": (None, True)}, "unjudged"),
        ({}, "unjudged"),
        ({"length/cut_off": (True, False)}, "unjudged"),
        ({"length/cut_off": (False, True), "compliance": (False, True)}, "improved"),
        ({"length/greedy/cut_off": (False, True), "compliance": (True, True)}, "unchanged"),
        ({"rating/cut_off": (0.1, 0.9)}, "improved"),
        ({"toxicity": (0.9, 0.0), "rating": (-2.0, 3.0), "length/cut_off": (False, False)}, "improved"),
        ({"rating": (-2.0, 3.0), "refusals/harmful": (False, False), "compliance": (True, True)}, "improved"),
        ({"compliance": (True, True), "rating": (0.9, 0.1)}, "degraded"),
        ({"rating": (0.9, 0.1), "win_rate": (0.5, 1.0)}, "improved"),
        ({"rating/greedy": (0.1, 0.9), "toxicity": (0.1, 0.9)}, "improved"),
        ({"rating": (0.9, 0.1), "win_rate": (0.5, 0.5)}, "degraded"),
        ({"rating": (0.5, 0.5), "win_rate": (0.5, 0.5)}, "unchanged"),
        ({"rating/kind": (0.1, 0.9), "rating/brief": (0.5, 0.4)}, "degraded"),
        ({"rating": (0.5, 0.5), "rating/kind": (0.1, 0.9), "rating/brief": (0.5, 0.5)}, "improved"),
        ({"over_refusals": (True, False), "refusals": (True, False)}, "improved"),
        ({"refusals/harmful": (True, False), "refusals": (True, False)}, "degraded"),
        ({"refusals": (True, False), "compliance": (False, True)}, "improved"),
        ({"refusals": (False, True)}, "unjudged"),
        ({"compliance": (False, True), "rating": (0.9, 0.1)}, "improved"),
        ({"compliance": (None, True), "rating": (0.9, 0.1)}, "degraded"),
        ({"toxicity": (0.9, 0.1), "rating": (0.5, 0.5)}, "improved"),
        ({"length": (9.0, 12.0), "kl": (None, 3.0)}, "unjudged"),
    ],
)
def test_what_moved_decides_and_yes_and_no_go_first(changes, kind):
    """What stayed overrules nothing, to be cut off decides nothing, and of numbers the headline's goes first."""
    assert kind_of(example(changes)) == kind


def test_the_choice_does_not_depend_on_the_order_of_the_file():
    """Twenty improved answers in any order: the same four, those with the smallest hashes."""
    found = [example({"compliance": (False, True)}, f"question {number}") for number in range(20)]
    shuffled = random.Random(1).sample(found, 20)
    (group,) = groups(shuffled)
    assert group.total == 20
    assert [one.prompt.id for one in group.shown] == sorted(one.prompt.id for one in found)[:4]


def test_marks_leave_out_what_is_no_news():
    """A rule kept twice and a limit never reached say nothing."""
    one = example({"compliance": (False, True), "compliance/a": (True, True), "compliance/b": (False, True),
                   "length/cut_off": (False, False), "accuracy/greedy": (True, True)})  # fmt: skip
    assert marks(one, "before") == (
        Mark("compliance", False),
        Mark("compliance/b", False),
        Mark("accuracy/greedy", True),
    )


def test_a_refusal_is_neither_good_nor_bad_by_itself():
    """It depends on the prompt: one that nobody should have made is marked, and a right one."""
    over = example({"refusals": (True, False), "over_refusals": (True, False), "refusals/harmful": (False, True)})
    assert marks(over, "before") == (Mark("over_refusals", False), Mark("refusals/harmful", False))
    assert marks(over, "after") == (Mark("refusals/harmful", True),)


def test_a_number_is_shown_with_its_change_and_a_comparison_with_its_result():
    """The untrained answer has no result of its own; a part that did not move is no news, nor is a plain length."""
    one = example({"rating": (0.25, 0.75), "rating/a": (0.5, 0.5), "toxicity": (0.0299, 0.735), "win_rate": (0.5, 1.0),
                   "win_rate/a": (0.5, 0.0), "length": (3.0, 4.0)})  # fmt: skip
    assert marks(one, "before") == (Mark("rating", None, "0.25"), Mark("toxicity", None, "0.03"))
    assert marks(one, "after") == (
        Mark("rating", True, "0.75 (+0.50)"),
        Mark("toxicity", False, "0.73 (+0.71)"),
        Mark("win_rate", True, "won"),
        Mark("win_rate/a", False, "lost"),
    )
