"""What was measured of single items, and how many of them a metric moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.data.records import Prompt
from solon.report.held_out import Moved, gain, moved
from solon.report.html import html
from solon.report.markdown import markdown
from solon.report.summary import summarise


def write_items(run_dir: Path, *rows: tuple[str, dict[str, Any]]) -> Path:
    """As the evaluate stage does."""
    lines = [json.dumps({"item": item, "values": values}) + "\n" for item, values in rows]
    (run_dir / "evaluation" / "items.jsonl").write_text("".join(lines))
    return run_dir


@pytest.mark.parametrize(
    ("name", "both", "expected"),
    [
        ("rating/honesty", (0.25, 0.75), 0.5),
        ("toxicity", (0.25, 0.75), -0.5),
        ("win_rate", (0.5, 0.0), -0.5),
        ("length_controlled/win_rate", (0.5, 1.0), 0.5),
        ("compliance", (False, True), 1),
        ("length/cut_off", (False, True), -1),
        ("somebody_s", (False, True), 1),
        ("somebody_s", (0.5, 1.0), None),
        ("refusals", (False, True), None),
        ("length", (3.0, 4.0), None),
        ("kl", (None, 4.0), None),
        ("rating", (0.5, None), None),
        ("rating", (0.5, float("nan")), None),
    ],
)
def test_a_gain_is_in_the_direction_in_which_a_metric_is_wanted(
    name: str, both: tuple[bool | float | None, bool | float | None], expected: float | None
) -> None:
    """Less of what should not be there is more; what nobody has declared good is no gain."""
    assert gain(name, both) == expected


def test_items_are_counted_by_how_far_they_moved() -> None:
    """Exactly .3 and .2 are not yet strong; lost is lost whatever the mean does. Logits have no strong changes."""
    steps = {"a": (0.0, 0.31), "b": (0.5, 0.8), "c": (0.5, 0.5), "d": (0.5, 0.25), "e": (0.5, 0.375), "f": (None, 1.0)}
    found = moved({
        "rating": steps,
        "rating/logits": {"a": (-3.0, 4.0), "b": (1.0, 0.0)},
        "win_rate": {"a": (0.5, 1.0), "b": (0.5, 0.0), "c": (0.5, 0.5)},
        "compliance": {"a": (False, True)},
        "length": {"a": (3.0, 9.0)},
    })  # fmt: skip
    assert found == (
        Moved(name="rating", n=5, improved=2, degraded=2, strongly_improved=1, strongly_degraded=1),
        Moved(name="rating/logits", n=2, improved=1, degraded=1),
        Moved(name="win_rate", n=3, improved=1, degraded=1),
    )
    assert [each.unchanged for each in found] == [1, 0, 1]


def test_the_pages_tell_the_counts_and_their_thresholds(run_dir: Path) -> None:
    """Two of three items moved, one of them strongly."""
    write_items(run_dir, ("a", {"toxicity": [0.9, 0.1]}), ("b", {"toxicity": [0.5, 0.6]}), ("c", {"toxicity": [0, 0]}))
    summary = summarise(run_dir)
    row = "| Toxicity | 3 | 1 (33.3%) | 1 (33.3%) | 1 (33.3%) | 1 (33.3%) | 0 (0.0%) |"
    assert row in markdown(summary).splitlines()
    assert "Strong is a gain of more than 0.3 and a loss of more than 0.2" in html(summary)


def test_numbers_of_items_join_the_samples_that_they_are_about(
    make_run: Callable[..., Path], held_out: list[dict[str, Any]]
) -> None:
    """By the prompt's id; an item of an evaluator's own and numbers of greedy answers belong to no sampled answer."""
    mine = Prompt.model_validate(held_out[3]["prompt"]).id
    values = {"rating": [0.2, 0.6], "compliance/format": [False, None], "toxicity/greedy": [0.1, 0.9]}
    run = write_items(make_run(examples=held_out), (mine, values), ("of lm-eval", {"rating": [0, 1]}))
    examples = summarise(run).examples
    assert examples[3].changes == {
        "compliance": (False, True),
        "accuracy/greedy": (True, True),
        "length/cut_off": (False, False),
        "rating": (0.2, 0.6),
        "compliance/format": (False, None),
    }
    assert "rating" not in examples[4].changes


def test_a_run_without_numbers_of_items_is_reported_by_its_samples(run_dir: Path) -> None:
    """Such as one of an earlier version."""
    assert summarise(run_dir).moved == ()
    assert "Item by item" not in html(summarise(run_dir))
