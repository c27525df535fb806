"""KTO on TRL's trainer."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from trl import KTOConfig, KTOTrainer

from solon.data.records import Checkpoint
from solon.errors import DataError, Problem
from solon.trainers.backend.few_scores import FewScoresOffline
from solon.trainers.backend.precomputing import Precomputing
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.trl import Prepared, train_with_trl
from solon.trainers.base import Job
from solon.trainers.dataset import Rows

if TYPE_CHECKING:
    from solon.trainers.kto import KTO

REPORTED = (
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "kl",
    "logps/chosen",
    "logps/rejected",
)


class _Trainer(Resumable, Precomputing, FewScoresOffline, KTOTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    pass


def train_kto(settings: KTO, job: Job) -> Checkpoint:
    """Runs ``KTO.train``; its errors are named there."""

    def arrange(rows: Rows) -> Rows:
        _refuse_one_class(rows.train, job.dataset)
        test = rows.test
        return replace(
            rows, train=_shuffled(rows.train, job.seed), test=_shuffled(test, job.seed) if test is not None else None
        )

    return train_with_trl(
        settings, job, lambda prepared: kto_trainer(settings, prepared), reported=REPORTED, arrange=arrange
    )


def kto_trainer(settings: KTO, prepared: Prepared) -> Any:
    """TRL's, with the settings in its words."""
    desirable, undesirable = settings.weights(*_counts(prepared.rows.train))
    arguments = KTOConfig(
        **prepared.arguments(),
        beta=settings.beta,
        desirable_weight=desirable,
        undesirable_weight=undesirable,
        disable_dropout=False,  # done already, before the adapters came in
        precompute_ref_log_probs=settings.precompute_reference,
        precompute_ref_batch_size=2 * settings.batch_size,
    )
    reference = prepared.reference(precomputed=settings.precompute_reference)
    return _Trainer(args=arguments, **prepared.parts(), **reference)


def _counts(table: pa.Table) -> tuple[int, int]:
    """Desirable and undesirable rows."""
    desirable = sum(table["label"].to_pylist())
    return desirable, table.num_rows - desirable


def _refuse_one_class(table: pa.Table, folder: Path) -> None:
    desirable, undesirable = _counts(table)
    if desirable and undesirable:
        return
    what = f"has {desirable} desirable and {undesirable} undesirable rows, and KTO learns from the difference"
    remedy = (
        "move build.desirable_at (or set build.desirable_by: quantile) so that both come out, or sample more responses"
    )
    raise DataError([Problem(str(folder if folder.is_file() else folder / "train.parquet"), what, remedy)])


def _shuffled(table: pa.Table, seed: int) -> pa.Table:
    """In an order that the seed decides.

    TRL reads the rows as they come, and pairs each prompt with its neighbour's response to estimate the KL divergence:
    a neighbour should be of another prompt, and a batch not of one class.
    """
    order = list(range(table.num_rows))
    random.Random(f"{seed}:kto").shuffle(order)
    return table.take(order)
