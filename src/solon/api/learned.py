"""What a trainer is given to learn from, in whatever form it is at hand: where it is, or the rows to be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from solon.api import given
from solon.api.building import Datasets
from solon.api.datasets import RECORD_OF, InFiles, Rows
from solon.api.recipes import refuse_unlike
from solon.api.results import Run
from solon.data import layout
from solon.data import tasks as prompts_layout
from solon.data.kinds import SIDES, Side
from solon.data.parquet import write_parquet
from solon.data.records import Constitution, Demonstration, Preference, Rating, Record, Task
from solon.data.split import is_held_out
from solon.errors import DataError, PluginError, Problem, StorageError
from solon.stages.train import DATASET_OF
from solon.trainers.base import Trainer

if TYPE_CHECKING:
    import pyarrow as pa

GivenData: TypeAlias = "str | Path | Run | Datasets | Rows[Any] | Iterable[Any] | Mapping[str, Any]"
_PLURAL = {"preference": "preferences"}


def learned(
    data: GivenData, trainer: Trainer, constitution: Constitution, *, held_out: float, seed: int
) -> str | dict[Side, pa.Table]:
    """The address, folder or file that holds it; the rows of each split for what is in memory.

    Args:
        data: a path or ``hf://`` address; a run or the datasets of ``build``, of which the kind that the trainer reads
            is taken; one of their datasets; a ``datasets.Dataset`` or ``DatasetDict``; a data frame; or a list of
            records, of rows or of prompts.
        trainer: who learns from it.
        constitution: whose principles apply to prompts.
        held_out: share of prompts that are held out, where they are in memory.
        seed: of that split.

    Raises:
        DataError: it is nothing that the trainer reads.
        PluginError: no dataset holds what the trainer reads.
    """
    kind = DATASET_OF.get(trainer.consumes)
    if kind is None:
        raise PluginError(
            f"trainer {trainer.kind!r} consumes {trainer.consumes.__name__} records, which no dataset holds"
        )
    if isinstance(data, Run | Datasets):
        data = getattr(data, _PLURAL.get(kind, kind), None) or ()
    if isinstance(data, str | Path):
        given.refuse_text(data, "dataset")
        return str(data) if str(data).startswith("hf://") else str(Path(data).absolute())
    if isinstance(data, InFiles):
        return str(data.folder.absolute())
    tables = _tables(data, kind, constitution, held_out, seed)
    found = {side: table for side, table in tables.items() if table is not None and table.num_rows}
    if "train" not in found:
        raise DataError([Problem("dataset", f"holds nothing for {trainer.kind!r} to learn from", _remedy(kind))])
    return found


def _remedy(kind: str) -> str:
    return f"it reads {RECORD_OF[kind].__name__} records: the `{_PLURAL.get(kind, kind)}` of a run or of solon.build"


def _tables(
    data: Any, kind: str, constitution: Constitution, held_out: float, seed: int
) -> dict[Side, pa.Table | None]:
    import pyarrow as pa

    if isinstance(data, Rows):
        return {side: data.table(side) for side in data.counts()}
    if hasattr(data, "iloc"):  # pandas.DataFrame
        return _frame(pa.Table.from_pandas(data, preserve_index=False))
    if hasattr(data, "to_parquet"):  # datasets.Dataset
        return {"train": data.with_format("arrow")[:]}
    if isinstance(data, Mapping):  # datasets.DatasetDict, or lists by split
        return {side: _tables(data[side], kind, constitution, 0.0, seed)["train"] for side in SIDES if side in data}
    refuse_unlike(data, (Iterable,), "dataset", _remedy(kind), DataError)
    items = list(data)
    if kind == prompts_layout.PROMPTS:
        return _prompts(items, constitution, held_out, seed)
    if all(isinstance(item, Preference | Rating | Demonstration) for item in items):
        wanted = layout.schema(kind)  # type: ignore[arg-type]
        rows = [{name: value for name, value in layout.row(item).items() if name in wanted.names} for item in items]
        _refuse_others(items, RECORD_OF[kind], kind)
        return {"train": pa.Table.from_pylist(rows, schema=wanted)}
    if all(isinstance(item, Mapping) for item in items):
        return {"train": pa.Table.from_pylist([dict(item) for item in items])}
    raise DataError([Problem("dataset", f"is a list of {type(items[0]).__name__}", _remedy(kind))])


def _refuse_others(items: Sequence[Record], wanted: type[Record], kind: str) -> None:
    other = next((item for item in items if not isinstance(item, wanted)), None)
    if other is not None:
        raise DataError([Problem("dataset", f"holds {type(other).__name__} records", _remedy(kind))])


def _prompts(
    items: Sequence[Any], constitution: Constitution, held_out: float, seed: int
) -> dict[Side, pa.Table | None]:
    import pyarrow as pa

    if any(isinstance(item, Task) for item in items):
        found = [item for item in items if isinstance(item, Task)]
        _refuse_others(items, Task, prompts_layout.PROMPTS)
    else:
        found = prompts_layout.tasks(given.read_prompts(items), constitution)
    rows: dict[Side, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for task in found:
        rows["test" if is_held_out(task.prompt, held_out, seed) else "train"].append(prompts_layout.row(task))
    return {side: pa.Table.from_pylist(each, schema=prompts_layout.schema()) for side, each in rows.items() if each}


def _frame(table: pa.Table) -> dict[Side, pa.Table | None]:
    """The splits of a frame, which a column ``split`` tells apart, as ``to_pandas()`` adds it."""
    import pyarrow.compute as pc

    if "split" not in table.column_names:
        return {"train": table}
    others = set(table["split"].to_pylist()) - set(SIDES)
    if others:
        said = f"has rows of the split {min(map(repr, others))}"
        raise DataError([Problem("dataset", said, f"the column `split` says {' or '.join(SIDES)}")])
    rows = table.drop_columns(["split"])
    return {side: rows.filter(pc.equal(table["split"], side)) for side in SIDES}


# ---------------------------------------------------------------- files

_OURS = b"solon.train"
"""In a Parquet file's metadata: it was written here, and may be replaced."""


def refuse_foreign(folder: Path) -> None:
    """Stops before a dataset is written over files that are somebody's own.

    Raises:
        StorageError: ``folder`` holds what ``write`` has not written.
    """
    from pyarrow import ArrowException, parquet

    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        is_ours = False
        if path.stem in SIDES and path.suffix == ".parquet" and path.is_file():
            with suppress(ArrowException, OSError):
                is_ours = _OURS in (parquet.read_schema(path).metadata or {})
        if not is_ours:
            raise StorageError(
                f"the dataset is to be written to {folder}, which holds {path.name!r}, and solon has not written that: "
                "move it away, or give another folder (out=...)"
            )


def write(tables: Mapping[Side, pa.Table], folder: Path) -> None:
    """Writes ``folder/<train or test>.parquet``, in place of what an earlier call wrote there."""
    folder.mkdir(parents=True, exist_ok=True)
    for side in SIDES:
        path = folder / f"{side}.parquet"
        if side not in tables:
            path.unlink(missing_ok=True)
            continue
        schema = tables[side].schema
        write_parquet(path, tables[side].to_pylist(), schema.with_metadata({**(schema.metadata or {}), _OURS: b"1"}))
