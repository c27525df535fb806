"""Datasets as Python reads them: rows as records, as ``datasets.Dataset``, as pandas; from files or from memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from solon.data.kinds import SIDES, Kind, Side
from solon.data.layout import row, schema
from solon.data.parquet_rows import parquet_rows, reading_parquet
from solon.data.records import Demonstration, Message, Preference, Prompt, Provenance, Rating, Record, Task
from solon.data.showing import html_table
from solon.data.tasks import PROMPTS
from solon.errors import DataError, MissingExtra, PluginError, Problem

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import pyarrow as pa

R = TypeVar("R", bound=Record)

RECORD_OF: dict[str, type[Record]] = {
    "preference": Preference,
    "unpaired": Rating,
    "reward": Rating,
    "sft": Demonstration,
    PROMPTS: Task,
}
"""What a row of each kind of dataset is."""
_SHOWN = 5


class Rows(ABC, Generic[R]):
    """A dataset with a train and a test split: a length, an iteration over its records, and other libraries' forms.

    Attributes:
        kind: ``preference``, ``unpaired``, ``reward``, ``sft`` or ``prompts``.
    """

    kind: str

    @abstractmethod
    def counts(self) -> dict[Side, int]:
        """How many rows each split has; those without rows are left out."""

    @abstractmethod
    def table(self, side: Side = "train") -> pa.Table:
        """The rows of a split with the columns that TRL reads; of one that is not there, none."""

    @property
    def train(self) -> list[R]:
        """The records to learn from."""
        return list(self.records("train"))

    @property
    def test(self) -> list[R]:
        """The records that are held out."""
        return list(self.records("test"))

    def records(self, side: Side) -> Iterator[R]:
        """The records of a split, one by one."""
        for batch in self.table(side).to_batches(max_chunksize=1024):
            for values in batch.to_pylist():
                yield record_of(self.kind, values)

    def __len__(self) -> int:
        return sum(self.counts().values())

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[R]:
        for side in self.counts():
            yield from self.records(side)

    def to_dataset(self) -> datasets.DatasetDict:
        """All splits as ``datasets.DatasetDict``, in the columns that TRL reads.

        Raises:
            MissingExtra: ``datasets`` is not installed.
        """
        try:
            import datasets
        except ImportError as error:
            raise MissingExtra("to_dataset()", "train") from error
        return datasets.DatasetDict({side: datasets.Dataset(self.table(side)) for side in self.counts()})

    def to_pandas(self, side: Side | None = None) -> pd.DataFrame:
        """One split, or all with a column ``split``, as a pandas data frame.

        Raises:
            PluginError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise PluginError("to_pandas() needs pandas, which is not installed: pip install pandas") from error
        if side is not None:
            return self.table(side).to_pandas()
        return pd.concat(
            [self.table(each).to_pandas().assign(split=each) for each in self.counts()] or [self.table().to_pandas()],
            ignore_index=True,
        )

    def __repr__(self) -> str:
        splits = ", ".join(f"{count:,} {side}" for side, count in self.counts().items())
        return f"<{self.kind} dataset: {splits or 'no rows'}>"

    def _repr_html_(self) -> str:
        shown = [[_cell(value) for value in _texts(one)] for one in islice(self, _SHOWN)]
        caption = f"{self!r}"[1:-1] + (f", the first {_SHOWN}" if len(self) > _SHOWN else "")
        return html_table(_NAMES[self.kind], shown, caption)


class InFiles(Rows[R]):
    """A dataset as a run has written it: ``<folder>/<train or test>.parquet``. Read when it is asked for."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder

    def _file(self, side: Side) -> Path:
        return self.folder / f"{side}.parquet"

    def counts(self) -> dict[Side, int]:
        """From the files' own footers."""
        from pyarrow import parquet

        there = [(side, self._file(side)) for side in SIDES if self._file(side).is_file()]
        with reading_parquet(self.folder):
            return {side: int(parquet.read_metadata(file).num_rows) for side, file in there}

    def table(self, side: Side = "train") -> pa.Table:
        """Read from its file."""
        from pyarrow import parquet

        if self._file(side).is_file():
            with reading_parquet(self._file(side)):
                return parquet.read_table(self._file(side), memory_map=True)
        there = next((self._file(each) for each in SIDES if self._file(each).is_file()), None)
        if there is None:
            raise DataError(f"{self.folder} holds no {self.kind} dataset")
        return parquet.read_schema(there).empty_table()

    def records(self, side: Side) -> Iterator[R]:
        """Read bit by bit, so that a dataset of any size can be gone through."""
        if self._file(side).is_file():
            for values in parquet_rows(self._file(side)):
                if isinstance(values, Problem):
                    raise DataError([values])
                yield record_of(self.kind, values)


class InMemory(Rows[R]):
    """A dataset of records that are at hand."""

    def __init__(self, kind: Kind, splits: Mapping[Side, Sequence[R]]) -> None:
        self.kind: Kind = kind
        self._splits: dict[Side, tuple[R, ...]] = {side: tuple(rows) for side, rows in splits.items() if rows}

    def counts(self) -> dict[Side, int]:
        """Of what is at hand."""
        return {side: len(rows) for side, rows in self._splits.items()}

    def records(self, side: Side) -> Iterator[R]:
        """Those at hand."""
        return iter(self._splits.get(side, ()))

    def table(self, side: Side = "train") -> pa.Table:
        """Made of the records."""
        import pyarrow as pa

        wanted = schema(self.kind)
        rows: list[dict[str, Any]] = []
        for record in self.records(side):
            assert isinstance(record, Preference | Rating | Demonstration)
            rows.append({name: value for name, value in row(record).items() if name in wanted.names})
        return pa.Table.from_pylist(rows, schema=wanted)


def record_of(kind: str, values: Mapping[str, Any]) -> Any:
    """The record that a row of a dataset is."""
    prompt = Prompt(
        messages=tuple(Message.model_validate(turn) for turn in values["prompt"]),
        topic=values.get("topic"),
        reference=values.get("reference"),
    )
    principles = tuple(values.get("principles") or ())
    if kind == PROMPTS:
        return Task(prompt=prompt, principles=principles)
    provenance = Provenance(
        prompt_id=values.get("prompt_id") or prompt.id,
        labelers=tuple(values.get("labelers") or ()),
        principles=principles,
    )
    if kind == "preference":
        return Preference(
            prompt=prompt,
            chosen=_said(values["chosen"]),
            rejected=_said(values["rejected"]),
            margin=values["label_margin"],
            provenance=provenance,
        )
    completion = _said(values["completion"])
    if kind == "sft":
        return Demonstration(prompt=prompt, completion=completion, provenance=provenance)
    # of the reward dataset, which holds scores alone, the more desirable half is as good as a guess: it is not told
    desirable = values["label"] if "label" in values else values["score"] >= 0.5
    return Rating(
        prompt=prompt, completion=completion, desirable=desirable, score=values["score"], provenance=provenance
    )


def _said(turns: Sequence[Mapping[str, str]]) -> str:
    return turns[-1]["content"]


# ---------------------------------------------------------------- shown

_NAMES = {
    "preference": ("prompt", "chosen", "rejected", "margin"),
    "unpaired": ("prompt", "completion", "desirable", "score"),
    "reward": ("prompt", "completion", "score"),
    "sft": ("prompt", "completion"),
    PROMPTS: ("prompt", "topic", "reference"),
}


def _texts(record: Record) -> tuple[Any, ...]:
    match record:
        case Preference():
            return record.prompt.text, record.chosen, record.rejected, record.margin
        case Rating():
            return record.prompt.text, record.completion, record.desirable, record.score
        case Demonstration():
            return record.prompt.text, record.completion
        case Task():
            return record.prompt.text, record.prompt.topic, record.prompt.reference
        case _:
            raise TypeError(type(record).__name__)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else str(value)
