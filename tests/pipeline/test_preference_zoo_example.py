"""``examples/preference_zoo`` at a small size: seven ways to learn from one dataset, in one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from few_prompts import few_prompts
from solon.checking import check_recipe
from solon.comparison.checking import check_entries
from solon.comparison.comparing import compare
from solon.comparison.entries import entries
from solon.comparison.record import UNTRAINED
from solon.progress import Silent
from solon.recipe import read

EXAMPLES = Path(__file__).parents[2] / "examples"
ZOO = EXAMPLES / "preference_zoo" / "recipe.yaml"
NAMES = ["dpo", "ipo", "simpo", "orpo", "kto", "ppo", "selfplay"]


@pytest.mark.parametrize("name", ["preference_zoo", "quickstart"])
def test_everything_that_it_compares_is_ready_to_run(name: str) -> None:
    """A shipped recipe with a problem is a first impression lost."""
    opened = read(EXAMPLES / name / "recipe.yaml")
    known = check_recipe(opened)
    found = check_entries(opened, known)
    assert (known.problems, found.problems, found.warnings) == ([], [], [])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
def test_all_of_them_train_and_stand_in_one_table(tmp_path: Path) -> None:
    """Two steps each on few prompts: the same rows for all that learn from pairs, and a place in the judge's order."""
    short = {"simpo": "compare.simpo", "orpo": "compare.orpo", "kto": "compare.kto", "dpo": "train"}
    short |= {"reward": "compare.ppo.0", "ppo": "compare.ppo.1", "selfplay": "compare.selfplay"}
    small = [f"{place}.{key}" for place in short.values() for key in ("max_steps=2", "batch_size=8")]
    small += ["compare.ppo.1.max_new_tokens=12", "compare.selfplay.max_new_tokens=24"]
    small += ["compare.selfplay.min_margin=0", "sample.n=4"]
    opened = read(ZOO, [*small, *few_prompts(tmp_path)])
    found = compare(opened, entries(opened), tmp_path / "run", jobs=1, progress=Silent())
    assert [(side.name, side.failed) for side in found.sides] == [(name, "") for name in NAMES]
    assert found.same_data
    rows = {side.name: side.spent.rows for side in found.sides if side.spent is not None}
    assert rows["dpo"] == rows["ipo"] == rows["simpo"] == rows["orpo"] > 0
    assert {name for name in NAMES if any(metric.name == "compliance" for metric in found.metrics[name])} == set(NAMES)
    assert [one.name for one in found.standings["win_rate"]] == [UNTRAINED, *NAMES]
