"""What the GPU check trains: a few steps of each trainer, at sizes of practice or tiny ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LORA = {"r": 16, "alpha": 32}


@dataclass(frozen=True)
class Plan:
    """A few steps of one trainer.

    Attributes:
        kind: the trainer.
        rows: in memory at once.
        length: tokens of prompt and response together.
        steps: how many; the first is not timed.
        rollouts: completions sampled at once, by trainers that sample.
        seconds: its process may take.
    """

    kind: str
    rows: int
    length: int
    steps: int = 3
    rollouts: int = 0
    seconds: int = 75

    @property
    def tokens(self) -> int:
        """That a step reads with gradients, or writes and then reads."""
        if self.rollouts:
            return self.rollouts * self.length
        return self.rows * self.length * (2 if self.kind in ("dpo", "orpo", "reward") else 1)

    def settings(self) -> dict[str, Any]:
        """Of the trainer."""
        shared = {"lora": LORA, "learning_rate": 1e-5, "max_steps": self.steps, "batch_size": self.rows}
        if not self.rollouts:
            return {**shared, "gradient_accumulation": 1}
        rewarded = {
            "reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}},
            "max_new_tokens": self.length // 2,
            "gradient_accumulation": self.rollouts // self.rows,
        }
        own = {"passes": 1} if self.kind == "ppo" else {"num_generations": 8}
        return shared | rewarded | own


FULL = (
    Plan("dpo", rows=8, length=1024, steps=4),
    Plan("ppo", rows=16, length=512, steps=2, rollouts=64, seconds=110),
    Plan("grpo", rows=16, length=512, steps=2, rollouts=16),
    Plan("orpo", rows=8, length=1024),
    Plan("kto", rows=8, length=1024),
    Plan("reward", rows=8, length=1024),
)
TINY = tuple(
    Plan(plan.kind, rows=4, length=128, steps=2, rollouts=8 if plan.rollouts else 0, seconds=600) for plan in FULL
)


def write_rows(plan: Plan, folder: Path) -> None:
    """A dataset of texts of random letters, a token each, so that every row has ``plan.length`` tokens.

    Args:
        plan: what it is for.
        folder: made here.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    letters = random.Random(plan.kind)
    # the template: a beginning, two headers with two line breaks each, two ends; roles are letters, user and assistant
    around = 1 + 2 * (2 + 2) + 2 + len("user") + len("assistant")
    half = plan.length // 2

    def said(role: str, count: int) -> list[dict[str, str]]:
        return [{"role": role, "content": "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=count))}]

    rows = []
    for number in range(plan.rows * plan.steps * max(1, plan.rollouts // plan.rows)):
        # what is sampled ends at max_new_tokens, so there the template's last end is not written
        row: dict[str, Any] = {"prompt": said("user", half - around + (1 if plan.rollouts else 0))}
        if not plan.rollouts and plan.kind == "kto":
            row |= {"completion": said("assistant", plan.length - half), "label": number % 2 > 0}
        elif not plan.rollouts:
            row |= {side: said("assistant", plan.length - half) for side in ("chosen", "rejected")}
        rows.append(row)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
