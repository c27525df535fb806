"""``kill -9`` at drawn points of a stage's life, and the same command again, until it comes to its end.

A point is a call to the operating system by which a process may change anything outside of it: a write, a request sent
or a reply received, an fsync, a rename. Whoever comes after a kill sees no difference between two moments that have no
such call between them, so these are all the moments there are. ``kill_point.c`` is loaded into the process and counts
the calls of everything in it, SQLite, Arrow and torch among them; at the n-th it kills before the call, after it, or
when half of its bytes are written. Which calls is drawn with a seed from all that an undisturbed run makes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from project import Project, artifacts

SOURCE = Path(__file__).with_name("kill_point.c")
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Point:
    """Where an attempt is killed.

    Attributes:
        at: the how-manieth call.
        how: before that call, after it, or halfway through what it writes.
        all: whether all processes of the attempt are killed, or the one that makes the call.
    """

    at: int
    how: Literal["before", "halfway", "after"]
    all: bool


@dataclass(frozen=True)
class Attempt:
    """How a command ended: by which code, with which complaint, after how many calls, and whether it was killed."""

    code: int
    said: str
    calls: int
    killed: bool


@dataclass
class Killer:
    """Runs commands that are killed. Needs Linux and a C compiler.

    Attributes:
        folder: for the library that counts, and its counts.
        environment: of every command, besides one's own.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sys.platform != "linux" or shutil.which("cc") is None:
            pytest.skip("counting the calls of a process needs Linux and cc")
        self.folder.mkdir(parents=True)
        self.library = self.folder / "kill_point.so"
        command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(self.library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)

    async def attempt(self, command: Sequence[str], folder: Path, point: Point | None = None) -> Attempt:
        """The command in a folder, killed at a point or left to its end; a training of it may outlive it a moment."""
        counts = self.folder / "counts"
        counts.unlink(missing_ok=True)  # a process of the attempt before goes on counting in its own
        counts.write_bytes(bytes(8))
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | self.environment
        environment |= {"LD_PRELOAD": str(self.library), "KILL_COUNTS": str(counts)}
        if point is not None:
            environment |= {"KILL_AT": str(point.at), "KILL_HOW": point.how, **({"KILL_ALL": "1"} if point.all else {})}
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode is not None
        calls = int.from_bytes(counts.read_bytes(), sys.byteorder)
        reached = point is not None and calls >= point.at
        return Attempt(process.returncode, said.decode("utf-8", "replace"), calls, reached)


Look = Callable[[Project, bool], Awaitable[None]]
"""Told after every attempt, with the project as it was left and whether it has come to its end."""


async def _nothing(project: Project, ended: bool) -> None:
    pass


@dataclass
class Killing:
    """One stage, begun in the same folder again and again, from the same template.

    Attributes:
        killer: it.
        template: a project in which all before the stage is done.
        command: the stage.
        look: what is to be told.
        partly: whether it may be one process of several that is killed: else all are.
        kills: how many there were.
        killed: how often which processes were.
        ends: how often the stage came to its end after that.
        files: how many it leaves, all of which were the same each time.
    """

    killer: Killer
    template: Path
    command: Sequence[str]
    look: Look = _nothing
    partly: bool = False
    kills: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    ends: int = 0
    files: int = 0

    async def undisturbed(self) -> None:
        """Runs it to its end, and once more, which finds it done: what is wanted, and how many calls both make."""
        project = self._begun()
        first = await self.killer.attempt(self.command, project.folder)
        assert first.code == 0, first.said
        await self.look(project, True)
        self.wanted = artifacts(project.folder / "runs")
        self.files = len(self.wanted)
        again = await self.killer.attempt(self.command, project.folder)
        assert again.code == 0, again.said
        assert artifacts(project.folder / "runs") == self.wanted
        self.calls, self.to_begin = first.calls, again.calls
        assert self.calls > self.to_begin

    async def kill(self, times: int, *, seed: str, alone: int, in_a_row: int) -> None:
        """Kills it so many times.

        The first ``alone`` kills are each of a run of its own. Of the rest, up to ``in_a_row`` are of one run, each
        further on its way than the one before: what it takes only to begin again is not counted as a way.
        """
        random = Random(seed)
        while self.kills < times:
            left = min(1 if self.kills < alone else in_a_row, times - self.kills)
            way = sorted(random.randint(1, self.calls) for _ in range(left))
            legs = [way[0], *(self.to_begin + later - earlier for earlier, later in pairwise(way))]
            project = self._begun()
            for leg in legs:
                point = Point(max(1, leg), random.choice(("before", "halfway", "after")), self._all(random))
                attempt = await self.killer.attempt(self.command, project.folder, point)
                if not attempt.killed:  # it came to its end before: the rest of the kills go to another run
                    await self._is_whole(project, attempt)
                    break
                self.kills += 1
                self._note(point, attempt)
                await self.look(project, False)
            else:
                await self._is_whole(project, await self.killer.attempt(self.command, project.folder))

    async def kill_at_the_end(self, calls: int) -> None:
        """Kills it at each of its last calls, each time in a run of its own."""
        for at in range(self.calls - calls + 1, self.calls + 1):
            project = self._begun()
            point = Point(at, "before", all=True)
            attempt = await self.killer.attempt(self.command, project.folder, point)
            if attempt.killed:  # one run makes a call more or less than another
                self.kills += 1
                self._note(point, attempt)
                await self.look(project, False)
                attempt = await self.killer.attempt(self.command, project.folder)
            await self._is_whole(project, attempt)

    def _note(self, point: Point, attempt: Attempt) -> None:
        if attempt.code == -signal.SIGKILL:
            self.killed["all of it" if point.all else "solon alone"] += 1
            return
        # of a training that is killed and was not done, solon says so
        assert self.partly, attempt.said
        assert not point.all, attempt.said
        assert attempt.code == 0 or "was ended by SIGKILL" in attempt.said, attempt.said
        self.killed["its training alone"] += 1

    def _all(self, random: Random) -> bool:
        return not self.partly or random.random() < 1 / 3

    def _begun(self) -> Project:
        """The project from the start, always in the same folder, which some files name."""
        folder = self.template.with_name("work") / "project"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder)
        return Project(folder)

    async def _is_whole(self, project: Project, attempt: Attempt) -> None:
        """The files of the undisturbed run, byte for byte, and none besides."""
        assert attempt.code == 0, attempt.said
        await self.look(project, True)
        found = artifacts(project.folder / "runs")
        assert set(found) == set(self.wanted), f"other files: {sorted(set(found) ^ set(self.wanted))}"
        for name, content in found.items():
            assert content == self.wanted[name], f"{name} has changed:\n{_differing(self.wanted[name], content)}"
        self.ends += 1


def _differing(wanted: bytes, found: bytes) -> str:
    """The lines that are not the same, as far as they are text."""
    before, after = (each.decode("utf-8", "replace").splitlines() for each in (wanted, found))
    return "\n".join(islice(unified_diff(before, after, "wanted", "found", lineterm="", n=0), 40))


def solon(*words: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-P", "-m", "solon.cli.app", *words, "--quiet"]
