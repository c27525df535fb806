"""Names and links in what others wrote: nothing is written but below the directory that the user has named."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from solon import recipe
from solon.data.whole import atomic, atomic_folder
from solon.errors import DataError, RecipeError, StorageError
from solon.interchange.sources import parts
from solon.rundir import RunDirectory

SOURCE = Path(__file__).parents[2] / "src" / "solon"
NAMES = (
    "../x", "../../x", "/x", "..", ".", ".x", "a/b", "a\\b", "C:x", "~", "~root", "a\n", "a\0b", "a.", "a ", " a", "",
    "CON", "nul", "com1.txt", "x" * 101, "é", "a*", "-rf", "$(x)",
)  # fmt: skip
"""What is no name of a run, phase, set or entry."""
RECIPE = "constitution: honesty\ndataset: d\npolicy: m\ntrain: dpo\n"


@pytest.mark.reliability("paths")
def test_no_name_in_a_recipe_leads_out_of_the_run_directory(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """The run's, and those of its sets, phases and entries: each makes a folder."""
    file = tmp_path / "recipe.yaml"
    for name in NAMES:
        for where in ("name: NAME", "phases: {NAME: {}}", "sets: {NAME: {}}", "compare: {NAME: dpo}"):
            file.write_text(RECIPE + where.replace("NAME", json.dumps(name)) + "\n", "utf-8")
            with pytest.raises(RecipeError) as caught:
                recipe.read(file)
            assert any(f"{file}:5:" in problem.where for problem in caught.value.problems), (name, where)
    figure(f"{4 * len(NAMES)} names that lead elsewhere or are reserved refused")


@pytest.mark.reliability("paths")
@pytest.mark.parametrize("name", ["...yaml", "..yaml", "..  ..yaml"])
def test_a_file_s_name_names_no_folder_above(name: str, tmp_path: Path) -> None:
    """Without a `name`, a run is called as its recipe's file is: `runs/..` would be the project itself."""
    (tmp_path / name).write_text(RECIPE, "utf-8")
    assert recipe.read(tmp_path / name).name.strip(". ")


@pytest.mark.reliability("paths")
@pytest.mark.parametrize("outside", ["../victim", "/etc/passwd", "datasets/../../victim", "a\0"])
def test_a_run_s_state_names_no_file_outside(outside: str, tmp_path: Path) -> None:
    """A stage that is done again moves its old files away: those of the user must not be among them."""
    (tmp_path / "victim").write_text("mine", "utf-8")
    run = tmp_path / "run"
    run.mkdir()
    stage = {"inputs": "x", "outputs": {outside: "x"}, "summary": {}}
    (run / "run.json").write_text(json.dumps({"stages": {"sample": stage}}), "utf-8")
    with pytest.raises(StorageError, match="names a file outside"), RunDirectory.open(run):
        pass
    assert (tmp_path / "victim").read_text("utf-8") == "mine"


@pytest.mark.reliability("paths")
@pytest.mark.parametrize(
    "link", ["datasets", "checkpoints", "previous", "run.json", "checkpoints/dpo", "a/b/c", "loop"]
)
def test_a_link_that_leads_out_of_a_run_directory_is_refused(link: str, tmp_path: Path) -> None:
    """What is written there would land elsewhere, and what is exported or pushed would be another file."""
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "run" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(place if link == "loop" else tmp_path / "elsewhere")
    said = r"is a link that leads out .*: put what it leads to in its place; .* another disk, move the whole directory"
    with pytest.raises(StorageError, match=said), RunDirectory.open(tmp_path / "run"):
        pass
    assert not any((tmp_path / "elsewhere").iterdir())


@pytest.mark.reliability("paths")
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_place_of_the_lock_is_not_followed(there: bool, tmp_path: Path) -> None:
    """It is opened before anything else is looked at: what it leads to would be made, or held and written over."""
    victim = tmp_path / "victim"
    if there:
        victim.write_text("mine", "utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(victim)
    said = r"\.lock is a link, and is not followed: remove it"
    with pytest.raises(StorageError, match=said), RunDirectory.open(tmp_path / "run"):
        pass
    assert victim.read_text("utf-8") == "mine" if there else not victim.exists()


@pytest.mark.reliability("paths")
def test_links_within_and_to_a_run_directory_are_followed(tmp_path: Path) -> None:
    """That is how a run lies on another disk."""
    (tmp_path / "disk" / "checkpoints").mkdir(parents=True)
    (tmp_path / "disk" / "latest").symlink_to("checkpoints")
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    with RunDirectory.open(tmp_path / "run") as directory:
        directory.begin(name="x", seed=0, constitution={}, versions={}, recipe="")
    assert (tmp_path / "disk" / "run.json").is_file()


@pytest.mark.reliability("paths")
def test_a_link_in_place_of_a_temporary_file_is_not_written_through(tmp_path: Path) -> None:
    """Their names are known, so that what a killed run left behind is overwritten: a link there is taken away."""
    victim = tmp_path / "victim"
    victim.write_text("mine", "utf-8")
    (tmp_path / ".run.json.partial").symlink_to(victim)
    with atomic(tmp_path / "run.json") as partial:
        partial.write_text("new", "utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("mine", "utf-8")
    (tmp_path / ".datasets.partial").symlink_to(tmp_path / "folder")
    (tmp_path / ".datasets.previous").symlink_to(tmp_path / "folder")
    with atomic_folder(tmp_path / "datasets") as partial:
        (partial / "new").write_text("new", "utf-8")
    assert victim.read_text("utf-8") == "mine"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["kept"]
    assert (tmp_path / "run.json").read_text("utf-8") == "new"
    assert not (tmp_path / "datasets").is_symlink()


@pytest.mark.reliability("paths")
@pytest.mark.parametrize("split", ["../x", "a/b", "..", ".x", "x" * 101])
def test_a_split_of_a_hub_names_no_other_folder(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes the name of a file that `solon convert` writes."""
    with pytest.raises(DataError, match=r"is no name of a split|names no dataset"):
        parts(f"hf://org/name/config:{split}")


@pytest.mark.reliability("paths")
def test_no_archive_is_opened(figure: Callable[[str], None]) -> None:
    """No path of a member can lead out of a folder where none is unpacked."""
    opening = {"tarfile", "zipfile"}
    found = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {name for name in names if name.partition(".")[0] in opening}
            if isinstance(node, ast.Attribute) and node.attr == "unpack_archive":
                found.add(node.attr)
    assert not found
    figure("no archive is opened")
