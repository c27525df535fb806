"""What a stage learns of a provider's limits is told and kept with the times, since it is of that hour."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

from solon.constitution.library import resolve
from solon.ledger import Ledger
from solon.models.base import Price
from solon.models.scripted import Scripted
from solon.progress import Silent
from solon.recipe import Opened, Recipe
from solon.rundir import RunDirectory
from solon.stages.label import label
from solon.stages.run import Run


class Heard(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """Remembers it."""
        self.lines.append(text)


def test_the_limit_that_was_met_is_said_and_kept_with_the_times(tmp_path: Path):
    """Not in run.json: a run that was killed and resumed must end with the same bytes."""
    source = tmp_path / "candidates.jsonl"
    rows = [{"prompt": f"{number}", "responses": ["x", "xx"]} for number in range(4)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    replies = [{"when": "0", "fault": "throttled", "heals_after": 1, "retry_after": 0.01}]
    judge = Scripted(replies=replies, default="A", remote=True, price=Price(input=0, output=0), concurrency=8)
    settings = {"constitution": "honesty", "candidates": str(source), "max_failed": 1}
    recipe = Recipe.model_validate({**settings, "label": {"kind": "pairwise", "judge": {"kind": "scripted"}}})
    assert recipe.label is not None
    labeler = recipe.label.model_copy(update={"judge": judge})
    recipe = recipe.model_copy(update={"label": labeler})
    heard = Heard()
    with RunDirectory.open(tmp_path / "run") as directory, Ledger.open(tmp_path / "l.sqlite") as ledger:
        directory.begin(name="r", seed=0, constitution={}, versions={}, recipe="")
        label(
            Run(
                Opened(recipe, tmp_path / "recipe.yaml", MappingProxyType({})),
                directory,
                resolve("honesty"),
                ledger,
                heard,
            )
        )
    (line,) = [line for line in heard.lines if "settled" in line]
    assert line.startswith("label     scripted: settled at ")
    (found,) = json.loads((tmp_path / "run" / "timings.json").read_text())["label"]["providers"]
    assert (found["provider"], found["most"], found["throttled"] > 0) == ("scripted", 8, True)
    assert "settled" not in (tmp_path / "run" / "run.json").read_text()
    assert "throttled" not in (tmp_path / "run" / "run.json").read_text()
