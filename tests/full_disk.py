"""A file system in memory on which exactly so much room is left, and the command line in the process of the test."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from project import artifacts
from solon.cli import app as command_line

STATE = {"run.json", "recipe.yaml", "ledger.sqlite", "timings.json"}
"""What is brought up to date in the midst of a run, whole each time; all else is as it was, or as it is to be."""


@dataclass(frozen=True)
class Disk:
    """The file system.

    Attributes:
        folder: where it is mounted.
    """

    folder: Path

    @property
    def page(self) -> int:
        """The bytes that it gives away at once."""
        return os.statvfs(self.folder).f_frsize

    @property
    def free(self) -> int:
        """The pages that are left."""
        return os.statvfs(self.folder).f_bavail

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def leave(self, pages: int) -> None:
        """Fills it up, but for so many."""
        self.make_room()
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, (self.free - pages) * self.page)
        assert self.free == pages

    def make_room(self) -> None:
        """Takes away what fills it."""
        self._filler.unlink(missing_ok=True)


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """A disk of that size; skips the test where none may be mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def solon(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard error of a command in a folder."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["solon", *words])
        patch.setenv("COLUMNS", "200")
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                command_line.main()
            except SystemExit as ended:
                return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def is_state(name: str) -> bool:
    """Whether a file is brought up to date as the run goes on."""
    return Path(name).name in STATE


def told_apart(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """The files that are not those of a run that had room; the ledger's pages are in the order of its writing."""
    names = {name for name in {*found, *wanted} if not name.endswith("ledger.sqlite")}
    return sorted(name for name in names if found.get(name) != wanted.get(name))


def assert_one_message(said: str, told: str) -> None:
    """It names what could not be written and says what to do."""
    lines = [line for line in said.splitlines() if line.startswith("solon: ")]
    assert len(lines) == 1, told
    assert "Traceback" not in said, told
    assert "bug" not in said, told
    assert "space" in lines[0] or "disk is full" in lines[0], told
    assert "make room" in lines[0] or "free some space" in lines[0], told
    assert "cannot write" in lines[0] or "ledger" in lines[0] or "cannot move" in lines[0] or "/" in lines[0], told
    assert ".partial" not in lines[0], told


def files(folder: Path) -> dict[str, bytes]:
    """What is there under its final name."""
    found = artifacts(folder)
    return {
        name: content
        for name, content in found.items()
        if not any(part.startswith(".") and part != ".solon" for part in Path(name).parts)
        and not name.startswith(".solon/ledger.sqlite-")
    }


def filled_up(disk: Disk, template: Path, name: str, command: Sequence[str], sizes: int) -> str:
    """Runs a command with room for some of the pages that it writes, and again with room for all.

    What it leaves behind is old or new, whole, and in the end the same as on a disk that was never full.

    Args:
        disk: where it runs.
        template: the project as it is before the command.
        name: of the command, which seeds the draw.
        command: its words.
        sizes: how many numbers of pages are drawn.

    Returns:
        The figure: how often it was stopped, of the sizes tried.
    """

    def fresh() -> Path:
        disk.make_room()
        shutil.rmtree(disk.folder / "p", ignore_errors=True)
        return Path(shutil.copytree(template, disk.folder / "p"))

    old = files(template)
    project = fresh()
    room = disk.free
    code, said = solon(project, *command)
    assert code == 0, said
    wanted, pages = files(project), room - disk.free
    whole = {*old.values(), *wanted.values()}
    draws = sorted(Random(f"full {name}").sample(range(pages), min(pages, sizes)))
    stopped = 0
    for left in draws:
        project = fresh()
        disk.leave(left)
        code, said = solon(project, *command)
        told = f"{name}, {left} of {pages} pages left: {said}"
        if code != 0:
            stopped += 1
            assert code == 1, told
            assert_one_message(said, told)
        after = files(project)
        assert [one for one, content in old.items() if not is_state(one) and content not in after.values()] == [], told
        assert [one for one, content in after.items() if not is_state(one) and content not in whole] == [], told
        for content in (after[one] for one in after if one.endswith(".json")):
            json.loads(content)
        disk.make_room()
        code, said = solon(project, *command)
        assert code == 0, f"{told}\nthen: {said}"
        assert told_apart(files(project), wanted) == [], told
    assert stopped
    return f"{name} {stopped}/{len(draws)}"
