"""Datasets for trainings on TRL: `yes` is the right answer to everything, `nay` the wrong one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from solon.trainers.dpo import DPO
from solon.trainers.gradient import GradientTrainer
from solon.trainers.kto import KTO
from solon.trainers.reward import Reward
from solon.trainers.sft import SFT

TRAINERS: dict[str, type[GradientTrainer]] = {"dpo": DPO, "kto": KTO, "sft": SFT, "reward": Reward}


def rows(kind: str, numbers: range) -> list[dict[str, object]]:
    """What a trainer of this kind learns from, of one number each."""
    return [_row(kind, number) for number in numbers]


def write(folder: Path, kind: str, *, train: int = 64, test: int = 8) -> Path:
    """A dataset in a folder: so many rows to learn from, so many held out."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows(kind, range(train))), folder / "train.parquet")
    if test:
        pq.write_table(pa.Table.from_pylist(rows(kind, range(train, train + test))), folder / "test.parquet")
    return folder


def _row(kind: str, number: int) -> dict[str, object]:
    prompt = [{"role": "user", "content": f"Is {number} a number?"}]
    yes, nay = [{"role": "assistant", "content": "yes"}], [{"role": "assistant", "content": "nay"}]
    match kind:
        case "kto":
            return {"prompt": prompt, "completion": nay if number % 3 else yes, "label": number % 3 == 0}
        case "sft":
            return {"prompt": prompt, "completion": yes}
        case _:
            return {"prompt": prompt, "chosen": yes, "rejected": nay}
