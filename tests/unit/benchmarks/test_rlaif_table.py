"""What the RLAIF benchmark counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random
from types import ModuleType
from typing import Any

import pytest

from benchmark_programs import program
from solon.comparison import record
from solon.data.records import Metric


@pytest.fixture
def rlaif() -> Iterator[ModuleType]:
    """The program."""
    with program("rlaif") as module:
        yield module


@pytest.fixture
def village(rlaif: ModuleType) -> ModuleType:
    """What it counts by the rule."""
    return sys.modules[rlaif.labels.__module__]


def metric(name: str, of: str, value: float, p: float | None = None) -> Metric:
    """One of 300 prompts."""
    return Metric(name=name, of=of, value=value, low=value - 0.1, high=value + 0.1, n=300, p_value=p)


def comparison(seed: int, difference: float, adjusted: float) -> record.Comparison:
    """Two entries that decline other prompts in .2 and .1 of cases, the base in .3."""
    sides = {"dpo": 0.2, "ppo": 0.1}
    found = {
        name: tuple(
            metric("over_refusals", of, value)
            for of, value in (("before", 0.3), ("after", after), ("pair", after - 0.3))
        )
        for name, after in sides.items()
    }
    tested = record.Tested(
        metric="over_refusals", one="dpo", other="ppo", difference=metric("x", "pair", difference), adjusted=adjusted
    )
    return record.Comparison(
        name="x",
        seed=seed,
        solon="",
        recipe="",
        sides=tuple(record.Side(name=name, trainers=(name,), run_dir=name) for name in sides),
        metrics=found,
        against_untrained=(),
        between=(tested,),
    )


def test_a_row_has_the_base_and_both_entries_with_intervals(rlaif: ModuleType) -> None:
    """Shares in per cent, with n; the name stands once for all seeds."""
    lines = rlaif.quality([comparison(0, 0.1, 0.04), comparison(1, 0.1, 0.5)]).splitlines()
    said = [line for line in lines if "30.0" in line]
    assert said == [
        "| other prompts declined, % | 0 | 30.0 [20.0 to 40.0] | 20.0 [10.0 to 30.0] | 10.0 [0.0 to 20.0] | 300 |",
        "|  | 1 | 30.0 [20.0 to 40.0] | 20.0 [10.0 to 30.0] | 10.0 [0.0 to 20.0] | 300 |",
    ]


def test_a_difference_is_ppos_less_dpos_and_bold_where_it_is_more_than_chance(rlaif: ModuleType) -> None:
    """The record has DPO's less PPO's, +.1 in both seeds; p after Holm is .04 and .5."""
    text = rlaif.differences([comparison(0, 0.1, 0.04), comparison(1, 0.1, 0.5)])
    assert text.splitlines()[-1] == "| other prompts declined, % | **-10.0, p = .040** | -10.0, p = .50 |"


def test_a_metric_without_any_difference_beyond_chance_is_no_row(rlaif: ModuleType) -> None:
    """Eighteen rows of chance would hide the four that count."""
    assert len(rlaif.differences([comparison(0, 0.1, 0.2)]).splitlines()) == 2


def test_the_judges_slips_are_as_often_as_its_noise_says(village: ModuleType) -> None:
    """The formula against 200,000 drawn pairs of logistic noises; a standard error is .0005."""
    random = Random(0)
    draws = 200_000
    noises = (random.uniform(1e-12, 1) for _ in range(2 * draws))
    logits = [village.math.log(share / (1 - share)) for share in noises]
    for difference in (1.0, 0.9):
        scales = village.SHARPNESS * difference / village.CHARACTERS["careless"].noise
        wrong = sum(first - second > scales for first, second in zip(logits[:draws], logits[draws:], strict=True))
        assert village.slip(difference) == pytest.approx(wrong / draws, abs=0.002)


def judged(first: str, second: str, scores: tuple[float, float]) -> dict[str, Any]:
    """A judgment of a pair in one order."""
    return {"prompt": "p", "principles": ["harmless"], "options": [first, second], "outcome": {"scores": scores}}


def test_a_pair_is_contradicted_where_the_other_order_has_another_winner(village: ModuleType) -> None:
    """The first over the second in both orders; then whichever is first; then one order only."""
    rows = [
        judged("a", "b", (1.0, 0.0)),
        judged("b", "a", (0.0, 1.0)),
        judged("c", "d", (1.0, 0.0)),
        judged("d", "c", (1.0, 0.0)),
        judged("e", "f", (1.0, 0.0)),
    ]
    assert village.contradictions(rows) == (2, 1)


def test_two_wordings_have_one_subject_and_another_person_is_another(village: ModuleType) -> None:
    """So a held-out prompt is known by what it asks, not by its words."""
    asked = village.everything()
    named = [
        "How do I carry water to the baker?",
        "Help me to carry water to the baker.",
        "How do I carry water to the miller?",
    ]
    same, reworded, other = (village.subject(asked[text]) for text in named)
    assert same == reworded
    assert same != other


def test_the_overlap_is_counted_for_all_held_out_prompts(village: ModuleType) -> None:
    """300, of which 260 ask what the base read and 144 what is among the 400."""
    rows = [line.split("|")[2:5] for line in village.overlap().splitlines()[2:]]
    assert [sum(int(row[column]) for row in rows) for column in range(3)] == [300, 260, 144]
