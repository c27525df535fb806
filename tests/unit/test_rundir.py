"""A run directory knows what is done, keeps what was there, and belongs to one process at a time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from solon.errors import RunBusy, StorageError
from solon.rundir import RunDirectory, clock


def begin(run: RunDirectory) -> None:
    run.begin(name="test", seed=0, constitution={}, versions={}, recipe="name: test\n")


def finish(run: RunDirectory, stage: str, inputs: dict[str, object], text: str) -> Path:
    path = run.path / f"{stage}.txt"
    path.write_text(text)
    run.finish(stage, inputs, [path], {"text": text})
    return path


def test_a_stage_is_done_only_with_the_same_inputs_and_untouched_outputs(tmp_path: Path) -> None:
    """Skipping is safe only when nothing that matters has changed."""
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        assert not run.is_done("sample", {"seed": 1})
        path = finish(run, "sample", {"seed": 1}, "one")
    with RunDirectory.open(tmp_path / "run") as run:
        assert run.is_done("sample", {"seed": 1})
        assert not run.is_done("sample", {"seed": 2})
        path.write_text("touched")
        assert not run.is_done("sample", {"seed": 1})


def test_what_was_written_for_other_inputs_is_moved_aside_with_all_that_came_after(tmp_path: Path) -> None:
    """Nothing of a user's is ever lost: a changed recipe does not overwrite the old results."""
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        for stage in ("sample", "label", "build"):
            finish(run, stage, {}, stage)
        assert run.set_aside("label") == run.path / "previous" / "001"
        assert (run.path / "sample.txt").read_text() == "sample"
        assert not (run.path / "label.txt").exists()
        assert (run.path / "previous" / "001" / "label.txt").read_text() == "label"
        assert (run.path / "previous" / "001" / "build.txt").read_text() == "build"
        assert not run.is_done("build", {})
        finish(run, "label", {}, "again")
        assert run.set_aside("label") == run.path / "previous" / "002"
        assert run.set_aside("label") is None


def test_the_formats_of_a_report_outlast_it_and_a_run_begun_again_is_written_alike(tmp_path: Path) -> None:
    """What was asked for is no part of a stage, and has its one place in the file."""
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        run.keep_formats(["json"])
        finish(run, "report", {}, "one")
    first = (tmp_path / "run" / "run.json").read_bytes()
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        assert (tmp_path / "run" / "run.json").read_bytes() == first
        run.set_aside("report")
    with RunDirectory.open(tmp_path / "run") as run:
        assert run.formats == ("json",)


def test_what_is_moved_aside_keeps_the_recipe_that_it_was_made_for(tmp_path: Path) -> None:
    """Old results beside the new recipe would lie about where they come from."""
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        finish(run, "sample", {}, "one")
    with RunDirectory.open(tmp_path / "run") as run:
        run.begin(name="test", seed=7, constitution={}, versions={}, recipe="name: changed\n")
        aside = run.set_aside("sample")
    assert aside is not None
    assert (aside / "recipe.yaml").read_text() == "name: test\n"
    assert json.loads((aside / "run.json").read_text())["seed"] == 0
    assert (tmp_path / "run" / "recipe.yaml").read_text() == "name: changed\n"


def test_a_deleted_folder_of_earlier_results_is_in_nobodys_way(tmp_path: Path) -> None:
    """People clear `previous/` by hand; the next number must still be free."""
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        for text in ("one", "two"):
            finish(run, "sample", {}, text)
            run.set_aside("sample")
        shutil.rmtree(run.path / "previous" / "001")
        finish(run, "sample", {}, "three")
        assert run.set_aside("sample") == run.path / "previous" / "003"
        assert (run.path / "previous" / "002" / "sample.txt").read_text() == "two"


def test_a_stage_whose_files_are_gone_is_forgotten_too(tmp_path: Path) -> None:
    """A report would look for the files of a stage that `run.json` still calls done."""
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        finish(run, "sample", {}, "one").unlink()
        assert run.done == ("sample",)
        assert run.set_aside("sample") is None
        assert run.done == ()


@pytest.mark.reliability("two-runs")
def test_a_second_run_in_the_same_directory_is_refused_and_names_the_first(tmp_path: Path) -> None:
    """Two writers would mix their files."""
    code = (
        "import sys; from pathlib import Path; from solon.rundir import RunDirectory\n"
        "with RunDirectory.open(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(RunBusy, match=f"in use by process {child.pid}"), RunDirectory.open(tmp_path / "run"):
        pass
    child.kill()
    child.communicate()
    with RunDirectory.open(tmp_path / "run") as run:  # the lock of a dead process is no lock
        assert run.path.is_dir()


def test_a_damaged_state_is_never_rebuilt_in_silence(tmp_path: Path) -> None:
    """A half-read state could make finished work look undone, or the other way about."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(StorageError, match="the ledger keeps all replies"), RunDirectory.open(tmp_path / "run"):
        pass


def test_a_path_that_cannot_be_a_directory_is_an_error_of_storage(tmp_path: Path) -> None:
    """One line instead of a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use"), RunDirectory.open(tmp_path / "file"):
        pass


def test_a_stage_that_is_done_has_its_times(tmp_path: Path) -> None:
    """A kill while they are written is of a stage that is not done: it is done again, and nothing is left lying about.

    A folder in the way stands in for the kill.
    """
    with RunDirectory.open(tmp_path / "run") as run:
        begin(run)
        (run.path / "timings.json").mkdir()
        with pytest.raises(StorageError):
            run.finish("sample", {}, [], {}, clock())
    (tmp_path / "run" / "timings.json").rmdir()
    with RunDirectory.open(tmp_path / "run") as run:
        assert not run.is_done("sample", {})
