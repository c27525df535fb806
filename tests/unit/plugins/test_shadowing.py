"""Files beside a recipe stand in for no module of Python's and of no package, in any process that solon starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from packages import labeler, publish
from solon.plugins.inspecting import entries
from solon.plugins.trying import tried
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Policy
from solon.trainers.launch import run_training
from solon.trainers.parameters import counts_by_building
from third_party import installed

SOURCE = Path(__file__).parents[3] / "src" / "solon"
TRAINER = """
import importlib.util
from typing import ClassVar
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer

class Still(Trainer):
    kind: ClassVar[str] = "still"
    consumes: ClassVar[type[Record]] = Preference

    def train(self, job: Job) -> Checkpoint:
        (job.out / "found").write_text(str(getattr(importlib.util.find_spec("datasets"), "origin", None)))
        return Checkpoint(path=".", base_model="m", form="full", trainer=self.kind, dataset="d")
"""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: files in it have the names of modules that every process of ours imports."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("json", "pydantic", "torch", "datasets"):
        folder.joinpath(f"{name}.py").write_text(f"raise AssertionError('the {name}.py beside the recipe')")
    monkeypatch.chdir(folder)
    return folder


def test_a_training_imports_none_of_them(beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `datasets.py` with one's own loading code is nothing unusual."""
    (beside / "data").mkdir()
    with installed("still", TRAINER, tmp_path / "site", monkeypatch) as trainer:
        run_training(
            trainer(),
            Policy(model="m"),
            dataset=beside / "data",
            seed=0,
            run_dir=beside,
            out=beside / "out",
            on_step=lambda *_: None,
        )
    assert (beside / "out" / "found").read_text() != str(beside / "datasets.py")


@pytest.mark.usefixtures("beside")
def test_looking_whether_plugins_load_imports_none_of_them(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`solon plugins list --check`."""
    publish(site, "solon-wit", {"solon.labelers": {"wit": "wit_judge:Brevity"}}, {"wit_judge.py": labeler("wit")})
    monkeypatch.setenv("PYTHONPATH", str(site))
    (found,) = tried([entry for entry in entries(["solon.labelers"]) if entry.package == "solon-wit"])
    assert (found.state, found.problem) == ("loads", "")


@pytest.mark.slow
def test_counting_a_models_parameters_imports_none_of_them(beside: Path) -> None:
    """`solon plan` of a model whose shape it does not know."""
    pytest.importorskip("torch", reason="torch is not installed: pip install 'solon[train]'")
    tiny_llama(beside / "model", seed=1)
    assert counts_by_building(str(beside / "model"), "causal", None)


def test_every_process_is_started_by_one_function() -> None:
    """`python -m` alone looks into the working directory first."""
    starting = [path for path in SOURCE.rglob("*.py") if '"-m"' in path.read_text("utf-8")]
    assert starting == [SOURCE / "starting.py"]


@pytest.mark.slow
def test_what_a_script_registered_finds_the_files_beside_the_script(tmp_path: Path) -> None:
    """Where it trains too, wherever it was started; behind all that is installed."""
    folder, elsewhere = tmp_path / "script", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    folder.joinpath("help_me.py").write_text("WORD = 'from beside the script'")
    folder.joinpath("json.py").write_text("from importlib import import_module; raise AssertionError('json')")
    folder.joinpath("script.py").write_text(
        TRAINER.replace('find_spec("datasets")', 'find_spec("json")').replace(
            "write_text(", 'write_text(__import__("help_me").WORD + " " + ', 1
        )
        + """
if __name__ == "__main__":
    from pathlib import Path
    from solon.trainers.base import Policy
    from solon.trainers.launch import run_training
    here = Path()
    (here / "data").mkdir()
    run_training(Still(), Policy(model="m"), dataset=here / "data", seed=0, run_dir=here, out=here / "out",
                 on_step=lambda *_: None)
    print((here / "out" / "found").read_text())
"""
    )
    code = f"import json, runpy, sys; sys.path.append({str(folder)!r}); runpy.run_path({str(folder / 'script.py')!r}, "
    command = [sys.executable, "-P", "-c", f"{code}run_name='__main__')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=elsewhere, check=False)
    assert done.stdout.strip() == f"from beside the script {json.__file__}", done.stderr
