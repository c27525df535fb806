"""What a comparison says in words."""

from typing import Any

from comparisons import HELD, comparison, side
from solon.comparison.differences import against_untrained, between
from solon.comparison.words import headline, sentences
from solon.evaluation.base import Both
from solon.evaluation.paired import Held, paired_shares


def _said(**fields: Any) -> str:
    return "\n".join(sentences(comparison(**fields)))


def test_the_headline_is_the_first_metric_of_each() -> None:
    """From where, and how far."""
    assert headline(comparison()) == "Compliance from 0.0%: dpo 95.0%, kto 30.0%."


def test_a_difference_that_counts_is_named_with_its_size_interval_and_corrected_p() -> None:
    """26 prompts changed, all one way: p = 2 / 2^26, of one test."""
    assert "dpo over kto by 65.0 points [46.0 to 77.4], p < .001" in _said()
    assert "after Holm's correction for 1 test between entries" in _said()


def test_a_difference_that_may_be_chance_is_not_said_to_be_one() -> None:
    """Two prompts more of forty."""
    held: dict[str, list[Held]] = {"dpo": HELD["dpo"], "kto": [*[(False, True)] * 36, *[(False, False)] * 4]}
    metrics = {name: paired_shares("compliance", own) for name, own in held.items()}
    items: dict[str, dict[str, dict[str, Both]]] = {
        name: {"compliance": {f"p{number}": both for number, both in enumerate(own)}} for name, own in held.items()
    }
    said = _said(metrics=metrics, between=between(metrics, items), against_untrained=against_untrained(metrics))
    assert "Of its 1 difference between entries none is more than chance" in said
    assert " over " not in said.split("none is more than chance")[0]


def test_an_entry_that_failed_is_named_with_the_reason() -> None:
    """And comes first: what is not there is what a reader would miss."""
    assert sentences(comparison())[0] == ("ppo did not get to its end and is not compared: the loss is not a number.")


def test_what_became_worse_is_said_and_where_nothing_did_that_is_said() -> None:
    """Against the untrained policy, after correction."""
    assert "nothing was lost beyond chance: 1 metric tested." in _said()
    held: dict[str, list[Held]] = {"dpo": [*[(True, False)] * 20], "kto": [*[(True, True)] * 20]}
    metrics = {name: paired_shares("accuracy", own) for name, own in held.items()}
    said = _said(metrics=metrics, between=(), against_untrained=against_untrained(metrics))
    assert "Against the untrained policy, beyond chance: dpo lost accuracy (100.0 points" in said


def test_cost_distance_alarms_and_money_are_told_of_each() -> None:
    """The cheapest is what the others are measured by."""
    said = _said()
    assert "Training took dpo 10.0 s of CPU, the least; kto 2.5 times that." in said
    assert "the farthest first: dpo 2.0 nats, kto 0.5 nats." in said
    assert "Alarms were raised while kto trained (kl)." in said
    assert "dpo $1.50, kto $1.50" in said


def test_what_was_not_measured_is_not_said() -> None:
    """No times, no sentence about them; one entry, no words on others."""
    said = _said(sides=(side("dpo", 0.0),), standings={}, between=())
    assert "CPU" not in said
    assert "seed" not in said
    assert "Alarms" not in said


def test_one_seed_is_said_to_be_one_seed() -> None:
    """The interval of a comparison of two trainings holds for other prompts alone."""
    assert "one seed (7)" in sentences(comparison())[-1]
