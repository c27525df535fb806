"""What a training in rounds keeps on disk: one folder a round, every file in it whole or not there.

A round that was killed does again only what has no file yet, from what has one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from solon.data.artifacts import read_jsonl, write_jsonl

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Round:
    """One round's folder; round 0 is the untrained policy, which has answers to the held-out prompts only.

    Attributes:
        number: from 1.
        folder: below ``Job.kept``.
    """

    number: int
    folder: Path

    @classmethod
    def of(cls, kept: Path, number: int) -> Round:
        """That of a number, whose folder is there."""
        folder = kept / "rounds" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(number, folder)

    @property
    def candidates(self) -> Path:
        """The answers that are judged."""
        return self.folder / "candidates.jsonl"

    @property
    def judgments(self) -> Path:
        """The judgments on them."""
        return self.folder / "judgments.jsonl"

    @property
    def pairs(self) -> Path:
        """The folder of the dataset that was made of both."""
        return self.folder / "pairs"

    @property
    def built(self) -> Path:
        """How many pairs it has, and what was left out of them."""
        return self.folder / "built.json"

    @property
    def training(self) -> Path:
        """What DPO keeps while it trains."""
        return self.folder / "training"

    @property
    def trained(self) -> Path:
        """How many steps it took; written before ``checkpoint`` gets its name."""
        return self.folder / "trained.json"

    @property
    def checkpoint(self) -> Path:
        """The policy at the round's end: all weights, or the adapter."""
        return self.folder / "checkpoint"

    @property
    def held_out(self) -> Path:
        """Its answers to the held-out prompts."""
        return self.folder / "held_out.jsonl"

    @property
    def comparisons(self) -> Path:
        """The judgments on those and the last policy's."""
        return self.folder / "held_out_judgments.jsonl"

    @property
    def closed(self) -> Path:
        """The numbers of the round; there when it is over."""
        return self.folder / "round.json"


def once(path: Path, record: type[R], make: Callable[[], Iterable[R]]) -> list[R]:
    """The records of a file, which are made and written where it is not there."""
    if not path.exists():
        write_jsonl(path, make())
    return list(read_jsonl(path, record))


def begun(path: Path, batch: int) -> int | None:
    """How many records there are of a file that ``grow`` writes; ``None`` where it is whole.

    Args:
        path: the file.
        batch: records that come together: what a kill left of one that was not whole is taken away.
    """
    if path.exists():
        return None
    growing = _growing(path)
    growing.touch()
    lines = growing.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    whole = lines[: len(lines) // batch * batch]
    with growing.open("r+b") as file:
        file.truncate(sum(map(len, whole)))
    return len(whole)


def grow(path: Path, batches: Iterable[Sequence[BaseModel]]) -> None:
    """As ``once``, for what takes long and comes in batches: adds those that ``begun`` did not find."""
    growing = _growing(path)
    with growing.open("ab") as file:
        for batch in batches:
            file.write(b"".join(one.model_dump_json().encode() + b"\n" for one in batch))
            file.flush()
        os.fsync(file.fileno())
    growing.replace(path)


def _growing(path: Path) -> Path:
    return path.with_name(f".{path.name}.growing")


def read_json(path: Path) -> dict[str, Any] | None:
    """What ``write_json`` wrote; ``None`` where it did not."""
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def publish(rounds: Iterable[Round], chosen: Round, left: int, out: Path) -> None:
    """Puts the chosen round's checkpoint into ``out``, and what the rounds were made of into ``out/rounds``.

    Files are linked where the disk allows it, so that nothing takes room twice and a kill leaves what was kept.

    Args:
        rounds: all that there were, round 0 among them.
        chosen: whose policy is the result.
        left: of how many rounds, up to this one, the policy is left; that of a later one is too.
        out: a folder.
    """
    shutil.copytree(chosen.checkpoint, out, copy_function=link, dirs_exist_ok=True)
    for one in rounds:
        folder = out / "rounds" / str(one.number)
        folder.mkdir(parents=True)
        paths = [one.held_out, one.candidates, one.judgments, one.comparisons, one.closed, one.pairs]
        if one.number != chosen.number and one.number > chosen.number - left:
            paths.append(one.checkpoint)
        for path in paths:
            if path.is_dir():
                shutil.copytree(path, folder / path.name, copy_function=link)
            elif path.exists():
                link(path, folder / path.name)


def link(source: str | Path, target: str | Path) -> None:
    """A second name for a file, or a copy of it."""
    with suppress(OSError):  # another disk, or one that knows no links
        os.link(source, target)
        return
    shutil.copyfile(source, target)
