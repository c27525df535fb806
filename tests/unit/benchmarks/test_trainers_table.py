"""What the trainers' benchmark says of its measurements: the table, what falls short, and the page it goes into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmark_programs import program
from solon.recipe import read

ROOT = Path(__file__).parents[3]


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # it sets it, and the test puts back what was there
    with program("trainers") as module:
        yield module


def training(seed: int, **other: Any) -> dict[str, Any]:
    """One of a row that reaches every target."""
    before = {"compliance": 0.3, "compliance/greedy": 1.0, "accuracy": 0.9, "accuracy/greedy": 1.0}
    after = {"compliance": 0.95, "compliance/greedy": 1.0, "accuracy": 0.96, "accuracy/greedy": 0.98}
    after |= other.pop("after", {})
    rest = {"kl": 1.25, "explained_variance": None, "train_cpu_seconds": 25.0}
    return {"row": "dpo", "seed": seed, "before": before, "after": after, **rest, **other}


def found(*trainings: dict[str, Any]) -> dict[str, Any]:
    """As ``--out`` writes it."""
    about: dict[str, Any] = {"date": "2026-11-21", "machine": "x86_64", "cores": 2, "import_cpu_seconds": 6.5}
    about |= dict.fromkeys(("python", "torch", "transformers", "trl", "peft"), "1.0")
    seeds = [one["seed"] for one in trainings]
    return {"command": "the command", "seeds": seeds, "about": about, "seconds": 90.0, "trainings": list(trainings)}


def test_a_cell_holds_the_mean_and_each_seed(trainers: ModuleType) -> None:
    """(.95 + .96 + .98) / 3 = .9633; numbers below 1 without their 0."""
    shown = trainers.report(
        found(*(training(seed, after={"compliance": share}) for seed, share in enumerate((0.95, 0.96, 0.98))))
    )
    (row,) = [line for line in shown.splitlines() if line.startswith("| dpo")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "**.963** (.950 .960 .980)"
    assert cells[5:] == ["1.2 (1.2 1.2 1.2)", "", "25.0 (25.0 25.0 25.0)"]
    assert "What falls short: nothing." in shown


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"after": {"compliance": 0.949}}, "compliance 0.949 below 0.95"),
        ({"after": {"accuracy/greedy": 0.975}}, "greedy accuracy 2.5 points lower, more than 2"),
        ({"train_cpu_seconds": 25.2}, "25.2 CPU s, more than 25"),
        ({"explained_variance": -0.03}, "explained variance -0.03 at the end"),
    ],
    ids=["compliance", "accuracy", "seconds", "variance"],
)
def test_a_missed_target_is_named_with_its_seed(trainers: ModuleType, other: dict[str, Any], said: str) -> None:
    """One seed that misses is not hidden by the mean of all."""
    shown = trainers.report(found(training(0), training(1, **other)))
    assert f"What falls short: dpo, seed 1: {said}." in shown


def test_the_table_replaces_what_stood_between_its_markers_only(trainers: ModuleType, tmp_path: Path) -> None:
    """The page around it is written by people, and a second run leaves no trace of the first."""
    page = tmp_path / "page.md"
    page.write_text("Above.\n\n<!-- trainers begins -->\nold\n<!-- trainers ends -->\n\nBelow.\n", "utf-8")
    for text in ("first", "second"):
        trainers.between_markers(page, "trainers", text)
    expected = "Above.\n\n<!-- trainers begins -->\n\nsecond\n\n<!-- trainers ends -->\n\nBelow.\n"
    assert page.read_text("utf-8") == expected
    with pytest.raises(SystemExit, match="has no line '<!-- plain TRL begins -->'"):
        trainers.between_markers(page, "plain TRL", "third")


def test_the_page_of_results_has_the_markers_of_both_benchmarks() -> None:
    """Or half an hour of measuring would end in an error."""
    page = (ROOT / "docs" / "results" / "trainers.md").read_text("utf-8")
    for name in ("trainers", "plain TRL"):
        assert page.index(f"<!-- {name} begins -->") < page.index(f"<!-- {name} ends -->")


def test_every_row_is_a_recipe_that_can_be_read(trainers: ModuleType) -> None:
    """Its settings among them: a renamed one is found before the training that has it."""
    for row, settings in trainers.ROWS.items():
        kind = row.partition(",")[0]
        recipe = read(trainers.RECIPES / f"{kind}.yaml", [f"train.{setting}" for setting in settings]).recipe
        assert recipe.train is not None
        assert recipe.train.kind == kind
        assert (recipe.train.lora is not None) == row.endswith("LoRA")
