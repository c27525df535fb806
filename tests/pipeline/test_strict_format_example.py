"""``examples/strict_format``: DPO against PPO on rules, and its tiny twin at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest

from few_prompts import few_prompts
from solon.comparison.comparing import compare
from solon.comparison.entries import entries
from solon.phases import phases_of
from solon.progress import Silent
from solon.recipe import read

EXAMPLES = Path(__file__).parents[2] / "examples"
RECIPE = EXAMPLES / "strict_format" / "recipe.yaml"


def test_both_are_shown_the_form_and_then_learn_from_the_same_rules() -> None:
    """A form that is never written is never learned. The weights and prompts are on the hub, so nothing is run."""
    dpo, ppo = (phases_of(entry.opened) for entry in entries(read(RECIPE)))
    assert [phase.phase for phase in dpo] == [phase.phase for phase in ppo] == ["shown", "trained"]
    assert dpo[0].data == ppo[0].data
    assert dpo[1].data["label"] == ppo[1].data["train"]["reward"]


def test_the_tiny_twin_learns_from_the_same_rules() -> None:
    """The same recipe, but for models, prompts and rates."""
    large, tiny = read(RECIPE), read(RECIPE, sets=["tiny"])
    assert tiny.data["label"] == large.data["label"]
    dpo, ppo = entries(tiny)
    assert dpo.opened.data["label"] == ppo.opened.data["train"]["reward"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
def test_the_tiny_twin_is_compared(tmp_path: Path) -> None:
    """Two steps each on few prompts; both are measured on the same ones."""
    small = ["train.max_steps=2", "train.batch_size=8", "sample.n=4", *few_prompts(tmp_path)]
    small += [f"compare.ppo.train.{each}" for each in ("max_steps=2", "batch_size=8", "max_new_tokens=12")]
    opened = read(RECIPE, small, sets=["tiny"])
    found = compare(opened, entries(opened), tmp_path / "run", jobs=1, progress=Silent())
    assert [(side.name, side.failed) for side in found.sides] == [("dpo", ""), ("ppo", "")]
    tested = {test.metric: test.difference.n for test in found.between}
    assert tested["compliance"] == tested["accuracy/greedy"] == 8
