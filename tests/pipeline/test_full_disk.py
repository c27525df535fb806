"""A disk that is really full: one message, nothing old is lost, and with room again the same command goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from project import SAMPLING, artifacts, jsonl, small_project

# a process or several for each test
pytestmark = [pytest.mark.slow, pytest.mark.reliability("disk-full")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB in memory; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_the_run_goes_on_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    """Nobody watches a disk overnight."""
    project = small_project(small_disk / "project")
    assert project.solon("run", "recipe.yaml", "--run-dir", "runs/first")[0] == 0
    before = artifacts(project.folder / "runs" / "first")
    more = jsonl([{"prompt": f"What is {n}?"} for n in range(2000)])
    project.write("recipe.yaml", SAMPLING)
    project.write("prompts.jsonl", more)

    code, _, err = project.solon("run", "recipe.yaml")
    assert code == 1, err
    assert "No space left on device" in err or "disk is full" in err
    assert "Traceback" not in err
    assert artifacts(project.folder / "runs" / "first") == before

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert project.solon("run", "recipe.yaml")[0] == 0
    undisturbed = small_project(tmp_path / "undisturbed" / "project")
    undisturbed.write("recipe.yaml", SAMPLING)
    undisturbed.write("prompts.jsonl", more)
    assert undisturbed.solon("run", "recipe.yaml")[0] == 0
    assert artifacts(project.run_dir) == artifacts(undisturbed.run_dir)
