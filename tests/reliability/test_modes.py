"""Ledger and run directory are for their owner alone, whatever the umask; what is there keeps the modes it has."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from full_disk import solon
from project import SAMPLING, small_project
from solon.ledger import Ledger

pytestmark = pytest.mark.reliability("modes")


def mode(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """New files and folders lack these permissions."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077], ids=["000", "022", "077"])
def test_what_solon_makes_is_for_its_owner_alone(tmp_path: Path, mask: int, figure: Callable[[str], None]) -> None:
    """The files of a run may be readable: the folder around them is not."""
    project = small_project(tmp_path / "project")
    project.write("recipe.yaml", SAMPLING)
    ledger = project.folder / ".solon" / "ledger.sqlite"
    with umask(mask):
        code, said = solon(project.folder, "run", "recipe.yaml", "--quiet")
        assert code == 0, said
        with Ledger.open(ledger) as opened:
            assert opened.summary()
            files = [ledger, *(ledger.with_name(f"{ledger.name}{end}") for end in ("-wal", "-shm"))]
            owners = ledger.with_name(f"{ledger.name}-owners")
            files += owners.iterdir()
            folders = [project.run_dir, ledger.parent, owners]
            assert {path.name: oct(mode(path)) for path in files} == {path.name: "0o600" for path in files}
            assert {path.name: oct(mode(path)) for path in folders} == {path.name: "0o700" for path in folders}
    assert len(files) == 4
    figure(f"umask {mask:03o}: {len(files)} files 0600, {len(folders)} folders 0700")


@pytest.mark.parametrize("mask", [0o000, 0o077], ids=["000", "077"])
def test_the_traceback_of_a_bug_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    """It may quote what was judged."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("solon.recipe.read", broken)
    with umask(mask):
        assert solon(tmp_path, "run", "recipe.yaml")[0] == 1
    assert mode(tmp_path / ".solon") == 0o700
    assert mode(tmp_path / ".solon" / "error.log") == 0o600


def test_the_traceback_of_a_bug_is_written_through_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder for temporary files anybody may have put one there, to a file of somebody else's."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("solon.recipe.read", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "temporary" / "solon-error.log").symlink_to(tmp_path / "theirs")
    (tmp_path / ".solon").write_text("a file")
    code, said = solon(tmp_path, "run", "recipe.yaml")
    assert (code, "error.log" in said) == (1, False)
    assert (tmp_path / "theirs").read_text() == "precious"


def test_what_is_there_keeps_its_modes(tmp_path: Path) -> None:
    """Somebody shares a run with a group on purpose."""
    project = small_project(tmp_path / "project")
    assert solon(project.folder, "run", "recipe.yaml", "--quiet")[0] == 0
    shared = {
        project.run_dir: 0o750,
        project.folder / ".solon": 0o770,
        project.folder / ".solon" / "ledger.sqlite": 0o660,
    }
    for path, wanted in shared.items():
        path.chmod(wanted)
    assert solon(project.folder, "run", "recipe.yaml", "build.held_out=0.5", "--quiet")[0] == 0
    assert {path: mode(path) for path in shared} == shared
