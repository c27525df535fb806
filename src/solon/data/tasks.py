"""Prompts as a dataset, for trainers that write the responses themselves: ``prompts/{train,test}.parquet`` and a card.

They are split as all other datasets are: by the prompt's own hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.data.front_matter import front_matter
from solon.data.kinds import SIDES, Side
from solon.data.parquet import Rows, writing_parquet
from solon.data.records import Constitution, Prompt, Task
from solon.data.split import is_held_out
from solon.data.whole import atomic, atomic_folder

if TYPE_CHECKING:
    import pyarrow as pa

PROMPTS = "prompts"
"""The folder of the dataset."""

COLUMNS = {
    "prompt": "the conversation up to the response",
    "topic": "the prompt's topic; null when it has none",
    "reference": "the right answer, for rewards that know one; null when there is none",
    "prompt_id": "id of the prompt",
    "principles": "ids of the principles that apply to it",
}


def tasks(prompts: Iterable[Prompt], constitution: Constitution) -> list[Task]:
    """Each prompt with the principles that apply to its topic."""
    return [
        Task(
            prompt=prompt,
            principles=tuple(one.id for one in constitution.principles if one.applies_to(prompt.topic)),
        )
        for prompt in prompts
    ]


def write_tasks(
    given: Sequence[Task], out: Path, constitution: Constitution, *, held_out: float, seed: int
) -> dict[Side, int]:
    """Writes ``out/prompts/<train or test>.parquet`` and the card ``out/README.md``; how many rows each split has.

    ``out`` is replaced as a whole.

    Args:
        given: the rows, in their order.
        out: the folder of datasets.
        constitution: what responses to them will be judged under.
        held_out: share of the prompts that go to the test split, in [0, 1).
        seed: of the split.

    Raises:
        StorageError: the disk is full or not writable.
    """
    counts: dict[Side, int] = dict.fromkeys(SIDES, 0)
    with atomic_folder(out) as partial:
        with ExitStack() as open_files:
            files: dict[Side, Rows] = {}
            for task in given:
                side: Side = "test" if is_held_out(task.prompt, held_out, seed) else "train"
                if side not in files:
                    path = partial / PROMPTS / f"{side}.parquet"
                    files[side] = open_files.enter_context(writing_parquet(path, schema()))
                files[side].write(row(task))
                counts[side] += 1
        with atomic(partial / "README.md") as readme:
            readme.write_text(_card(counts, constitution, held_out, seed, partial), "utf-8")
    return counts


def schema() -> pa.Schema:
    """The Parquet schema of the dataset."""
    import pyarrow as pa

    conversation = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    types = {"prompt": conversation, "principles": pa.list_(pa.string())}
    return pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])


def row(task: Task) -> dict[str, Any]:
    """A prompt as the row that TRL reads."""
    return {
        "prompt": [{"role": message.role, "content": message.content} for message in task.prompt.messages],
        "topic": task.prompt.topic,
        "reference": task.prompt.reference,
        "prompt_id": task.prompt.id,
        "principles": list(task.principles),
    }


def _card(counts: dict[Side, int], constitution: Constitution, held_out: float, seed: int, folder: Path) -> str:
    front = front_matter(("solon", "rlaif"), {PROMPTS: [side for side, rows in counts.items() if rows]}, folder)
    name = " ".join(constitution.name.replace("`", "'").split())
    lines = [
        front.removesuffix("\n"),
        f"# Prompts to be answered under {name}\n",
        f"- Constitution: {name}, `{constitution.id}`",
        f"- Split: {held_out:g} of the prompts held out, seed {seed}",
        f"- Rows: {counts['train']:,} to train on, {counts['test']:,} held out\n",
        "| column | holds |",
        "|---|---|",
        *(f"| `{column}` | {meaning} |" for column, meaning in COLUMNS.items()),
    ]
    return "\n".join(lines) + "\n"
