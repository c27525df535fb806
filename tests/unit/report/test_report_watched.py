"""Proxy and gold by distance from the reference, and what is said of them."""

from __future__ import annotations

import math
import re

import pytest

from solon.data.records import Checkpoint
from solon.report.curves import HELD_OUT, TRAINING, figures
from solon.report.distrust import distrust
from solon.report.html import html
from solon.report.markdown import markdown
from solon.report.summary import Summary, Trained
from solon.report.watched import watched


def training(reach: float, *, beta: float = 0.8, rounds: int = 16) -> tuple[dict[str, float], ...]:
    """A policy that moves away evenly; its judge follows Gao et al.'s curve with a top at exp(1.2 / beta - 1)."""
    steps = []
    for number in range(1, rounds + 1):
        distance = reach * number / rounds
        wave = 0.004 * (-1) ** number  # what chance adds
        gold = 0.3 + distance * (1.2 - beta * math.log(distance)) + wave
        seen = {"objective/kl": distance**2, "objective/rewards": distance, "gold/human": gold}
        steps.append({"step": float(number), **seen})
    return tuple(steps)


def test_a_judge_that_turned_is_named_with_where_and_how_far() -> None:
    """The top is at exp(.5) = 1.65, between the steps at 1.53 and 1.75; at the end, 3.5, it is .63 lower."""
    (judge,) = watched(training(3.5))
    assert judge.turn is not None
    assert judge.best is not None
    assert judge.best.step in (7, 8)
    assert 1.3 < judge.turn.low <= judge.turn.distance <= judge.turn.high < 2.0
    assert judge.turn.fall == pytest.approx(0.63, abs=0.02)
    assert judge.sentence.startswith("human was highest at a distance of 1.")
    assert f"about step {judge.best.step:g}, and fell by 0.6" in judge.sentence
    assert "the curve of Gao et al. has its top at 1.65 [1.6" in judge.sentence


def test_the_curve_shows_how_surely_it_turned_and_whose_scale_is_whose() -> None:
    """The interval is the ground around the line; each scale has the name and the colour of its series."""
    drawn = figures(training(3.5))["overoptimisation"]
    assert re.search(r"fill: #ad3324; opacity: 0\.14", drawn)
    for name, colour in (("reward", TRAINING), ("human", HELD_OUT)):
        said = re.findall(rf"<text style=\"([^\"]*)\"[^>]*rotate\(-90[^>]*>{name}</text>", drawn)
        assert len(said) == 1
        assert f"fill: {colour}" in said[0]
    assert not re.search("opacity", figures(training(1.0))["overoptimisation"])


def test_a_judge_that_still_rises_is_no_doubt() -> None:
    """The policy stopped at 1, before the top."""
    (judge,) = watched(training(1.0))
    assert judge.best is None
    assert "nothing says that it turned" in judge.sentence


def test_a_curve_that_does_not_fit_is_not_drawn_and_not_spoken_of() -> None:
    """Up in three steps and then down to a floor, far out."""
    gold = [0.77, 0.83, 0.91, 0.83, 0.72, 0.71, 0.69, 0.7, 0.68, 0.66, 0.65, 0.62, 0.61, 0.6, 0.59, 0.6]
    steps = [{"step": n + 1.0, "objective/kl": (0.5 * n) ** 2, "gold/rule": one} for n, one in enumerate(gold)]
    (judge,) = watched(steps)
    assert judge.best is not None
    assert judge.best.step == 3
    assert "the curve of Gao et al. does not fit" in judge.sentence


def test_few_steps_say_nothing() -> None:
    """And a single one is no curve at all."""
    (judge,) = watched(training(3.5, rounds=4))
    assert (judge.turn, judge.curve, judge.best) == (None, None, None)
    assert "too few checks" in judge.sentence
    assert watched(training(3.5, rounds=1)) == ()


def test_a_divergence_a_token_is_one_of_the_completion_by_its_length() -> None:
    """As TRL logs it; where the length is not known there is no distance."""
    steps = [{"step": n, "kl": 0.25, "completions/mean_length": 16.0, "gold/a": float(n)} for n in (1.0, 2.0)]
    (judge,) = watched(steps)
    assert [point.distance for point in judge.points] == [2.0, 2.0]
    assert watched([{"step": n, "kl": 0.25, "gold/a": n} for n in (1.0, 2.0)]) == ()


def test_counts_beside_a_judge_are_no_judges() -> None:
    """``gold/<name>/n`` is of the same one."""
    steps = tuple(step | {"gold/human/n": 8.0} for step in training(3.5))
    assert [judge.judge for judge in watched(steps)] == ["human"]


def summary(reach: float) -> Summary:
    """A run that was watched."""
    checkpoint = Checkpoint(path="c", base_model="m", form="lora", trainer="ppo", dataset="0" * 16)
    return Summary(name="x", seed=0, solon="", trained=Trained(checkpoint=checkpoint), steps=training(reach))


def test_the_report_draws_it_says_it_and_doubts_the_last_checkpoint() -> None:
    """In all of its forms; without a turning there is nothing to doubt."""
    turned, rising = summary(3.5), summary(1.0)
    drawn = figures(turned.steps)
    assert "human" in drawn["overoptimisation"]
    assert "distance from the reference" in drawn["overoptimisation"]
    assert any("The last checkpoint is not the best one" in doubt for doubt in distrust(turned))
    assert not any("checkpoint" in doubt for doubt in distrust(rising))
    for page in (html(turned, drawn), markdown(turned, drawn)):
        assert "Held-out judge human was highest" in page.replace("\\", "")


def test_a_policy_that_came_back_is_not_told_that_its_last_checkpoint_is_worse() -> None:
    """It had gone too far and returned to where the judge was highest: what counts is where it ended."""
    there = training(3.5)
    peak = watched(there)[0].best
    assert peak is not None
    last = next(step for step in there if step["step"] == peak.step)
    back = (*there, last | {"step": there[-1]["step"] + 1})
    (doubt,) = (one for one in distrust(summary(3.5).model_copy(update={"steps": back})) if "checkpoint" in one)
    assert "The policy came back" in doubt
    assert "not the best one" not in doubt


def test_a_training_without_a_judge_has_no_such_figure() -> None:
    """Nor a sentence."""
    steps = [{"step": 1.0, "objective/kl": 0.1}, {"step": 2.0, "objective/kl": 0.2}]
    assert "overoptimisation" not in figures(steps)
    assert watched(steps) == ()
