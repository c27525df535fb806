"""Which answers are shown."""

from __future__ import annotations

import random

import pytest

from solon.data.records import Completion, Prompt
from solon.report.examples import Mark, groups, kind_of, marks
from solon.report.summary import Example


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
        ({"length/cut_off": (True, False)}, "improved"),
        ({"length/cut_off": (False, True), "compliance": (False, True)}, "degraded"),
        ({"over_refusals": (True, False), "refusals": (True, False)}, "improved"),
        ({"refusals/harmful": (True, False), "refusals": (True, False)}, "degraded"),
        ({"refusals": (True, False), "compliance": (False, True)}, "improved"),
        ({"refusals": (False, True)}, "unjudged"),
    ],
)
def test_an_answer_that_lost_anything_is_degraded(changes, kind):
    """Whatever else it gained; being cut off is a loss."""
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
