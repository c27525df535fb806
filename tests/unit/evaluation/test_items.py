"""What evaluators keep of single items."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.evaluating import Compares, evidence

from solon.evaluation.accuracy import Accuracy
from solon.evaluation.base import Both, Evaluator
from solon.evaluation.compliance import Compliance
from solon.evaluation.items import Items, read_items
from solon.evaluation.length import Length
from solon.evaluation.win_rate import WinRate

ANSWERS = [("a", "A."), ("b", "b?"), ("same", "same")]


def _kept(measure: Evaluator, **fields: Any) -> dict[str, list[Both]]:
    found: dict[str, list[Both]] = {}
    asked = evidence(ANSWERS, each=lambda name, items: found.update({name: [both for _, both in items]}), **fields)
    asyncio.run(measure.evaluate(asked))
    return found


def test_each_prompt_has_its_own_numbers_beside_the_metric() -> None:
    """A share is made of what holds of each answer, so the two cannot say different things."""
    rules = Compliance.model_validate({"rules": {"dot": {"regex": r"\.$"}}})
    assert _kept(rules)["compliance/dot"] == [(False, True), (False, False), (False, False)]


def test_only_prompts_with_a_reference_answer_have_an_accuracy() -> None:
    """What ``n`` counts, the items are."""
    assert _kept(Accuracy(), references=["a", None, "same"])["accuracy"] == [(True, True), (True, True)]


def test_an_answer_meets_itself_at_a_half() -> None:
    """Shorter wins: ``A.`` loses, ``?`` fails the judge, and the same text is a tie."""
    kept = _kept(WinRate(judge=Compares()))["win_rate"]
    assert kept == [(0.5, 0.0), (0.5, None), (0.5, 0.5)]


def test_an_answer_that_was_not_counted_has_no_length() -> None:
    """Failed is not 0."""
    assert _kept(Length())["length"] == [(None, None)] * 3


def test_rows_are_items_and_come_back_by_metric(tmp_path: Path) -> None:
    """One row an item, whatever was measured of it; shares stay yes or no, and the first of two metrics counts."""
    items = Items()
    items.add("compliance", [("p", (False, True)), ("q", (None, True))])
    items.add("length", [("q", (3.0, 1.0))])
    items.add("length", [("q", (9.0, 9.0))])
    file = tmp_path / "evaluation" / "items.jsonl"
    file.parent.mkdir()
    file.write_text("".join(json.dumps(row) + "\n" for row in items.rows()), "utf-8")
    found = read_items(tmp_path)
    assert found == {"compliance": {"p": (False, True), "q": (None, True)}, "length": {"q": (3.0, 1.0)}}
    assert found["compliance"]["p"][0] is False
    assert isinstance(found["length"]["q"][1], float)


def test_a_run_without_items_has_none(tmp_path: Path) -> None:
    """Runs of earlier versions kept none."""
    assert read_items(tmp_path) == {}
