"""Every kind of trainer with quick settings, and a dataset for it: for what all of them must do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import trl_rows
from rewarding import CONSTITUTION
from solon.plugins.registry import load
from solon.trainers.base import Judging
from solon.trainers.gradient import GradientTrainer

OFFLINE = ("sft", "reward", "dpo", "kto", "simpo", "orpo")
ONLINE = ("grpo", "rloo", "ppo")
KINDS = (*OFFLINE, *ONLINE)
FAMILIES = ("dpo", "simpo", "grpo", "ppo")
"""One of each loop: TRL's on responses, ours on pairs, TRL's on groups, and PPO's."""

REWARD = {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}
"""A letter of the first half of the alphabet, somewhere."""
STEP = {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "warmup_ratio": 0.0}


def made(kind: str, **settings: Any) -> GradientTrainer:
    """A trainer of this kind that learns from four rows, or from the answers to them, at each step."""
    online = {"reward": REWARD, "max_new_tokens": 6} if kind in ONLINE else {}
    # a group a step: as many prompts as steps
    own = {"grpo": {"num_generations": 4}, "rloo": {"num_generations": 4}, "ppo": {"passes": 2}}.get(kind, {})
    made: GradientTrainer = load("solon.trainers", kind).model_validate({**STEP, **online, **own, **settings})
    return made


def dataset_of(kind: str, folder: Path, *, rows: int, held_out: int = 0) -> Path:
    """A dataset for it, in a folder that is made here."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind in ONLINE:
        asked = [{"prompt": row["prompt"]} for row in trl_rows.rows("sft", range(rows))]
        pq.write_table(pa.Table.from_pylist(asked), folder / "train.parquet")
        return folder
    return trl_rows.write(folder, kind, train=rows, test=held_out)


def judging(folder: Path) -> Judging:
    """Under which rewards are asked."""
    return Judging(constitution=CONSTITUTION, ledger=folder / "ledger.sqlite", run="mine", max_failed=1)
