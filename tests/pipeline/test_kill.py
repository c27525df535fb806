"""`kill -9` at any moment, and the same command again: the same bytes, and no recorded reply asked for twice."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from random import Random

import pytest
from project import Project, artifacts

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
SMALL = ["sample.n=3", "train.epochs=1", "name=killed"]
KILLS = 20


def quickstart(folder: Path, prompts: int, held_out: int) -> Project:
    """The quickstart with fewer prompts, in a folder of its own."""
    shutil.copytree(QUICKSTART, folder, ignore=shutil.ignore_patterns("make*", "runs", ".solon", "__pycache__"))
    for name, count in (("prompts.jsonl", prompts), ("held_out.jsonl", held_out)):
        lines = (QUICKSTART / name).read_text("utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:count]), "utf-8")
    return Project(folder)


def replies(project: Project) -> dict[str, tuple[str, float]]:
    """What the ledger holds: each key with its reply and the time at which it was recorded."""
    path = project.folder / ".solon" / "ledger.sqlite"
    if not path.exists():
        return {}
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as ledger:
        try:
            return {key: (reply, at) for key, reply, at in ledger.execute("SELECT key, reply, replied_at FROM replies")}
        except sqlite3.OperationalError:
            return {}  # killed before the tables were made


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    """The moments are drawn with a seed over the time that an undisturbed run takes, so they fall into every stage."""
    undisturbed = quickstart(tmp_path / "undisturbed", prompts=40, held_out=30)
    started = time.monotonic()
    code, _, err = undisturbed.solon("run", "recipe.yaml", *SMALL)
    length = time.monotonic() - started
    assert code == 0, err

    killed = quickstart(tmp_path / "killed", prompts=40, held_out=30)
    moments = Random("kill")
    known: dict[str, tuple[str, float]] = {}
    for _ in range(KILLS):
        process = killed.start("run", "recipe.yaml", *SMALL)
        try:
            process.wait(timeout=moments.uniform(0.1, 0.8) * length)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        now = replies(killed)
        # what was recorded is still there as it was, with its time: nothing of it was asked for again
        assert {key: now.get(key) for key in known} == known
        known = now
    code, _, err = killed.solon("run", "recipe.yaml", *SMALL)
    assert code == 0, err

    ours, theirs = artifacts(killed.folder / "runs"), artifacts(undisturbed.folder / "runs")
    assert list(ours) == list(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []
    said, meant = replies(killed), replies(undisturbed)
    assert {key: reply for key, (reply, _) in said.items()} == {key: reply for key, (reply, _) in meant.items()}
