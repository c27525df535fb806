"""What a training in rounds keeps on disk: one folder a round, every file in it whole or not there.

A round that was killed does again only what has no file yet, from what has one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
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


def resumed(path: Path, record: type[R], make: Callable[[int], Iterator[list[R]]]) -> list[R]:
    """As ``once``, for what takes long and comes in batches: what came before a kill is not made again.

    Args:
        path: the file.
        record: what is in it.
        make: given how many records there are already, makes the rest.
    """
    if not path.exists():
        growing = path.with_name(f".{path.name}.growing")
        with growing.open("ab") as file:
            file.truncate(_whole_lines(growing))
        done = len(list(read_jsonl(growing, record)))
        with growing.open("ab") as file:
            for batch in make(done):
                file.write(b"".join(one.model_dump_json().encode() + b"\n" for one in batch))
                file.flush()
            os.fsync(file.fileno())
        growing.replace(path)
    return list(read_jsonl(path, record))


def _whole_lines(path: Path) -> int:
    """The length in bytes of a file without a last line that was cut off."""
    return path.read_bytes().rfind(b"\n") + 1


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
    shutil.copytree(chosen.checkpoint, out, copy_function=_link, dirs_exist_ok=True)
    for one in rounds:
        folder = out / "rounds" / str(one.number)
        folder.mkdir(parents=True)
        paths = [one.held_out, one.candidates, one.judgments, one.comparisons, one.closed, one.pairs]
        if one.number != chosen.number and one.number > chosen.number - left:
            paths.append(one.checkpoint)
        for path in paths:
            if path.is_dir():
                shutil.copytree(path, folder / path.name, copy_function=_link)
            elif path.exists():
                _link(path, folder / path.name)


def _link(source: str | Path, target: str | Path) -> None:
    with suppress(OSError):  # another disk, or one that knows no links
        os.link(source, target)
        return
    shutil.copyfile(source, target)
