"""Datasets on disk: Parquet in the columns that ``datasets.load_dataset`` and TRL read as they are.

Prompts and responses are conversational (lists of ``role`` and ``content``), so that a trainer applies the policy's own
chat template. TRL leaves columns that it does not know aside. It does know ``margin``: RewardTrainer subtracts it
inside the loss. So how clear a preference was is called ``label_margin``, and whoever wants a margin loss renames it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from solon.data.building import Datasets
from solon.data.cards import Facts, card
from solon.data.kinds import KINDS, Kind, Side
from solon.data.parquet import Rows, writing_parquet
from solon.data.records import Demonstration, Preference, Prompt, Rating
from solon.data.tasks import PROMPTS
from solon.data.whole import atomic, atomic_folder
from solon.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """A column: its name, its type (a key of ``_TYPES``), and what it holds."""

    name: str
    type: str
    meaning: str


_SCORE = "its score in [0, 1], or any number: a logit, where all judgments on it are"
_PROMPT = Column("prompt", "conversation", "the conversation up to the response")
_ORIGIN = (
    Column("topic", "text", "the prompt's topic; null when it has none"),
    Column("prompt_id", "text", "id of the prompt in `candidates.jsonl` and `judgments.jsonl`"),
    Column("principles", "texts", "ids of the principles that the row rests on"),
    Column("labelers", "texts", "who judged"),
)
COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "preference": (
        _PROMPT,
        Column("chosen", "conversation", "the better response"),
        Column("rejected", "conversation", "the worse response"),
        Column("label_margin", "number", "how clear the preference was, in [0, 1]"),
        *_ORIGIN,
    ),
    "unpaired": (
        _PROMPT,
        Column("completion", "conversation", "the response"),
        Column("label", "truth", "whether it is desirable"),
        Column("score", "number", f"{_SCORE}; null when it comes from comparisons"),
        *_ORIGIN,
    ),
    "reward": (
        _PROMPT,
        Column("completion", "conversation", "the response"),
        Column("score", "number", _SCORE),
        *_ORIGIN,
    ),
    "sft": (_PROMPT, Column("completion", "conversation", "the best response"), *_ORIGIN),
}
"""The columns of each kind of dataset, in their order."""


def schema(kind: Kind) -> pa.Schema:
    """The Parquet schema of a kind of dataset."""
    import pyarrow as pa

    types = {
        "conversation": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "number": pa.float64(),
        "truth": pa.bool_(),
    }
    return pa.schema([(column.name, types[column.type]) for column in COLUMNS[kind]])


def row(record: Preference | Rating | Demonstration) -> dict[str, Any]:
    """A record as the row that TRL reads. A ``Rating`` has the columns of ``unpaired`` and ``reward`` both."""
    own: dict[str, Any]
    match record:
        case Preference():
            own = {
                "chosen": _response(record.chosen),
                "rejected": _response(record.rejected),
                "label_margin": record.margin,
            }
        case Rating():
            own = {"completion": _response(record.completion), "label": record.desirable, "score": record.score}
        case Demonstration():
            own = {"completion": _response(record.completion)}
        case _:
            assert_never(record)
    return {
        "prompt": _conversation(record.prompt),
        **own,
        "topic": record.prompt.topic,
        "prompt_id": record.provenance.prompt_id,
        "principles": list(record.provenance.principles),
        "labelers": list(record.provenance.labelers),
    }


def _conversation(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in prompt.messages]


def _response(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def write_datasets(datasets: Datasets, out: Path, facts: Facts) -> None:
    """Writes ``out/<kind>/<train or test>.parquet`` for whatever has rows, and the card ``out/README.md``.

    Rows go to their files as they are made. ``out`` is replaced as a whole, so that nothing of an earlier build is left
    in it.

    Raises:
        StorageError: the disk is full or not writable, or ``out`` holds files that are not a dataset's; what was there
            is untouched.
    """
    if out.is_dir():
        foreign = sorted(path.name for path in out.iterdir() if path.name not in {*KINDS, PROMPTS, "README.md"})
        if foreign:
            raise StorageError(
                f"{out} is to be replaced by new datasets, and holds {foreign[0]!r}, which is none: "
                "move it away, or choose another run directory"
            )
    with atomic_folder(out) as partial:
        with ExitStack() as open_files:
            files: dict[tuple[Kind, Side], Rows] = {}
            for kind, side, record in datasets.made():
                if (kind, side) not in files:
                    path = partial / kind / f"{side}.parquet"
                    files[kind, side] = open_files.enter_context(writing_parquet(path, schema(kind)))
                files[kind, side].write(row(record))
        columns = {kind: [(column.name, column.meaning) for column in COLUMNS[kind]] for kind in KINDS}
        text = card(datasets.counted(), facts, columns, partial)
        with atomic(partial / "README.md") as readme:
            readme.write_bytes(text.encode("utf-8", "backslashreplace"))
