"""The recipes of ``examples/labeling``, run as a user runs them: by the command line, against a server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from project import Project
from solon.testing.judge_server import PORT, JudgeServer

LABELING = Path(__file__).parents[1] / "examples" / "labeling"
SHIPPED = f"http://127.0.0.1:{PORT}"


@dataclass(frozen=True)
class Ran:
    """What became of one command.

    Attributes:
        code: its exit code.
        said: all that it wrote.
        folder: of the run.
    """

    code: int
    said: str
    folder: Path

    def summary(self, stage: str) -> dict[str, Any]:
        """What ``run.json`` holds of a stage."""
        found: dict[str, Any] = json.loads((self.folder / "run.json").read_text())["stages"][stage]["summary"]
        return found

    @property
    def rows(self) -> dict[str, int]:
        """How many rows of each dataset were built, both splits together; those with none left out."""
        built = self.summary("build")
        counts = {kind: sum(built.get(kind, {}).values()) for kind in ("preference", "unpaired", "reward", "sft")}
        return {kind: count for kind, count in counts.items() if count}

    def dataset(self, kind: str) -> list[dict[str, Any]]:
        """The rows of a dataset, both splits together."""
        files = sorted((self.folder / "datasets" / kind).glob("*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]


def recipe_of(name: str) -> Path:
    return LABELING / f"{name}.yaml"


def redirected(name: str, server: JudgeServer) -> list[str]:
    """The overrides that send a recipe to this server."""
    found = addresses(yaml.safe_load(recipe_of(name).read_text("utf-8")))
    return [f"{key}={url.replace(SHIPPED, server.root)}" for key, url in found]


def addresses(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every ``base_url`` in a recipe, with its key."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "base_url":
                yield ".".join((*path, key)), value
            else:
                yield from addresses(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from addresses(value, (*path, str(number)))


async def solon(verb: str, name: str, folder: Path, server: JudgeServer | None, *more: str) -> Ran:
    """``solon <verb> <recipe>`` in ``folder``, whose ledger it uses, sent to ``server``."""

    def command() -> Ran:
        folder.mkdir(parents=True, exist_ok=True)
        words = [] if server is None else redirected(name, server)
        code, out, err = Project(folder).solon(verb, str(recipe_of(name)), *words, *more)
        return Ran(code, out + err, folder / "runs" / name)

    return await asyncio.to_thread(command)
