"""``kill -9`` at drawn points of a training, of the process that trains and of the one that started it: the same bytes.

``killing.py`` says what a point is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import trl_rows
from killing import Killer, Killing, solon
from project import CONSTITUTION, Project
from solon.testing.tiny import tiny_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RECIPE = """\
name: killed
constitution: constitution.yaml
dataset: data
policy: {model: policy, threads: 1}
allow_import: true
"""
STEPS = "learning_rate: 0.01, batch_size: 4, gradient_accumulation: 1, epochs: 2, save_every: 1"
LOOPS = ("simpo", "dpo") if os.environ.get("SOLON_FULL") == "1" else ()
"""Our own loop, and TRL's. To import either takes seconds for each kill: ``test_going_on.py`` has some of both."""
COUNTED = '''
from typing import ClassVar
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer, read_rows

class Counted(Trainer):
    """Counts to eight, and keeps how far it is."""
    kind: ClassVar[str] = "counted"
    consumes: ClassVar[type[Record]] = Preference

    def train(self, job: Job) -> Checkpoint:
        rows = read_rows(job.dataset, self.consumes, trainer=self.kind)
        kept = job.kept / "step"
        step = int(kept.read_text()) if kept.exists() else 0
        if step:
            job.go_on_from(step)
        for step in range(step + 1, 9):
            job.report(step, 8, {"loss": 1 / step})
            kept.with_suffix(".new").write_text(str(step))
            kept.with_suffix(".new").replace(kept)
        (job.out / "count.txt").write_text(str(step))
        return Checkpoint(path=".", base_model="policy", form="full", trainer=self.kind, dataset=rows.id)
'''


def template(folder: Path, kind: str) -> Path:
    """Eight steps on a tiny Llama, each of which is kept; or a trainer that reads no model and counts to eight."""
    made = Project(folder / "template")
    (made.folder / "policy").mkdir(parents=True)
    made.write("constitution.yaml", CONSTITUTION)
    trl_rows.write(made.folder / "data", "dpo", train=16, test=2)
    if kind in LOOPS:
        made.write("recipe.yaml", f"{RECIPE}train: {{kind: {kind}, {STEPS}}}\n")
        tiny_llama(made.folder / "policy", seed=1, context=64, spread=0.3)
        return made.folder
    made.write("recipe.yaml", f'{RECIPE}train: {{kind: "counted:Counted"}}\n')
    made.write("counted.py", COUNTED)
    made.write("policy/config.json", "{}")
    made.write("policy/tokenizer.json", "{}")
    made.folder.joinpath("policy", "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return made.folder


@pytest.mark.reliability("kill-train")
@pytest.mark.parametrize("kind", ["counted", *LOOPS])
async def test_a_training_that_is_killed_ends_with_the_same_bytes(
    kind: str, full: bool, figure: Callable[[str], None], tmp_path: Path
) -> None:
    """It goes on from what was kept, and what it logged is whole: weights, curve and model card.

    The one that counts is also killed at each of its last calls: there its checkpoint takes its place, and what was
    kept is cleared away.
    """
    stage = Killing(Killer(tmp_path / "killer"), template(tmp_path, kind), solon("train", "recipe.yaml"), partly=True)
    await stage.undisturbed()
    if kind in LOOPS:
        await stage.kill(12, seed=f"train {kind}", alone=0, in_a_row=6)
    else:
        await stage.kill(26 if full else 2, seed=f"train {kind}", alone=5 if full else 0, in_a_row=5)
        await stage.kill_at_the_end(40 if full else 0)
    which = ", ".join(f"{which} {times}" for which, times in sorted(stage.killed.items()))
    name = kind if kind in LOOPS else "a third party's trainer"
    figure(f"{name}: {stage.kills} kills ({which}) in {stage.ends} trainings, {stage.files} files the same each time")
