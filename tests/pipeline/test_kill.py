"""`kill -9` at any moment of a whole run, and the same command again: the same bytes, and no reply asked for twice.

Moments on the clock: ``tests/reliability/test_kills.py`` has each stage, killed between and within its calls to the
system.
"""

from __future__ import annotations

import os
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
# SOLON_FULL=1 takes the quickstart as it is and kills it 20 times: ten minutes
FULL = os.environ.get("SOLON_FULL") == "1"
KILLS = 20 if FULL else 4
CHANGES = ["name=killed"] if FULL else ["name=killed", "sample.n=3", "train.epochs=1"]
PROMPTS, HELD_OUT = (400, 600) if FULL else (40, 30)


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
@pytest.mark.timeout(3000)
def test_kills_of_a_whole_run_change_nothing(tmp_path: Path) -> None:
    """The moments are drawn with a seed; runs that end before their kill must be right too, and are begun anew."""
    undisturbed = quickstart(tmp_path / "undisturbed", PROMPTS, HELD_OUT)
    started = time.monotonic()
    code, _, err = undisturbed.solon("run", "recipe.yaml", *CHANGES)
    length = time.monotonic() - started
    assert code == 0, err

    wanted = artifacts(undisturbed.folder / "runs")
    killed = quickstart(tmp_path / "killed", PROMPTS, HELD_OUT)
    moments = Random("kill")
    known: dict[str, tuple[str, float]] = {}
    kills = 0
    while True:
        process = killed.start("run", "recipe.yaml", *CHANGES)
        try:
            if kills == KILLS:
                process.wait()
            else:
                process.wait(timeout=moments.uniform(0.05, 0.6) * length)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, err = process.communicate()
        now = replies(killed)
        # what was recorded is still there as it was, with its time: nothing of it was asked for again
        assert {key: now.get(key) for key in known} == known
        known = now
        if process.returncode == -signal.SIGKILL:
            continue
        assert process.returncode == 0, err
        found = artifacts(killed.folder / "runs")
        assert list(found) == list(wanted)
        assert [name for name in found if found[name] != wanted[name]] == []
        assert {key: reply for key, (reply, _) in now.items()} == {
            key: reply for key, (reply, _) in replies(undisturbed).items()
        }
        if kills == KILLS:
            break
        shutil.rmtree(killed.folder / "runs")  # it came to its end: the rest of the kills go to a new one
        shutil.rmtree(killed.folder / ".solon")
        known = {}
