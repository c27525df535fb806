"""Which held-out answers the page shows."""

from __future__ import annotations

import random

from solon.data.records import Completion, Prompt
from solon.evaluation.base import Both
from solon.report.held_out import Example
from solon.report.samples import Choice, Samples, samples


def example(number: int, text: str = "a", topic: str | None = None, **changes: Both) -> Example:
    """The answers to one prompt."""
    answer = Completion(text=text, model="m")
    return Example(prompt=Prompt.of(f"question {number}", topic=topic), before=answer, after=answer, changes=changes)


def chosen(found: list[Example], *, most: int = 10, room: int = 1_000_000) -> Samples:
    """With texts of at most 500 characters."""
    return samples(found, ["toxicity", "compliance"], most=most, room=room, text=500)


def hundred() -> list[Example]:
    """99 that improved and one that lost."""
    return [example(number, compliance=(number == 50, number != 50)) for number in range(100)]


def test_where_there_is_room_all_are_shown_and_the_kinds_take_turns() -> None:
    """Of each kind those with the smallest hashes first, whatever the order of the file."""
    found = [example(number, compliance=(number < 2, number % 2 == 0)) for number in range(6)]
    seen = chosen(random.Random(1).sample(found, 6))
    assert [one.kind for one in seen.shown] == [
        "improved", "degraded", "unchanged", "improved", "unchanged", "unchanged",
    ]  # fmt: skip
    ids = [one.example.prompt.id for one in seen.shown if one.kind == "unchanged"]
    assert ids == sorted(ids)
    assert seen.kinds == {"improved": 2, "degraded": 1, "unchanged": 3}


def test_where_there_is_none_every_kind_and_topic_still_has_some() -> None:
    """One in a hundred degraded, one alone did not change, and one alone has its topic: all are among ten."""
    rare = example(101, topic="rare", compliance=(False, True))
    found = [*hundred(), example(100, compliance=(True, True)), rare]
    seen = chosen(found)
    assert (len(seen.shown), seen.total) == (10, 102)
    assert {one.kind for one in seen.shown} == {"improved", "degraded", "unchanged"}
    assert seen.topics == (Choice(0, "rare"),)
    assert [one.topic for one in seen.shown].count(0) == 1


def test_what_a_number_changed_most_is_among_those_shown() -> None:
    """Else the order by change would be that of a sample of the changes."""
    found = [example(number, toxicity=(0.5, 0.5 + (number - 500) / 2000)) for number in range(1000)]
    gains = sorted((float(one.gains.partition(":")[2]) for one in chosen(found, most=40).shown), reverse=True)
    assert gains[:3] == [0.25, 0.2495, 0.249]
    assert gains[-3:] == [-0.2485, -0.249, -0.2495]


def test_long_texts_leave_room_for_fewer() -> None:
    """Of 500 characters that are shown of each, escaped: about 6 kB a sample."""
    seen = chosen([example(number, text="&" * 9000, compliance=(True, True)) for number in range(40)], room=31_000)
    assert 0 < len(seen.shown) <= 5
    assert len(chosen([example(number, compliance=(True, True)) for number in range(40)], room=31_000).shown) == 10


def test_metrics_are_offered_by_principle_and_by_part() -> None:
    """In the order of the table; what has no good direction is not offered."""
    both: dict[str, Both] = {
        "length": (1.0, 2.0), "compliance/short": (True, True), "rating/kind": (0.5, 1.0), "rating": (0.5, 1.0),
    }  # fmt: skip
    seen = samples([example(0, **both)], ["rating", "rating/kind"], ["kind"], most=9, room=9000, text=9)
    assert seen.metrics == {
        "By metric": [Choice(0, "Rating")],
        "By principle": [Choice(1, "Rating: kind")],
        "By rule or part": [Choice(2, "Compliance: short")],
    }
    assert seen.shown[0].gains == "2:0 1:0.5 0:0.5"


def test_without_any_answers_there_is_nothing_to_show() -> None:
    """An evaluation of benchmarks alone."""
    assert chosen([]) == Samples((), 0)
