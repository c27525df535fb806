"""Every template of `solon init` run to its end, offline, as its README says."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from project import Project
from solon.project import Here, create
from solon.testing.judge_server import JudgeServer
from solon.trainers.backends import Machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]


def made(tmp_path: Path, template: str) -> Project:
    """As `solon init` writes it where there is no key and no GPU."""
    folder = tmp_path / "mine"
    create(folder, template, Here({}, Machine()))
    return Project(folder)


def shortened(project: Project, *names: str, lines: int) -> None:
    """Fewer prompts: a test takes less time."""
    for name in names:
        file = project.folder / name
        file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[:lines]), "utf-8")


def result(project: Project, *words: str) -> dict[str, object]:
    code, out, err = project.solon("run", "recipe.yaml", "--json", "--quiet", *words)
    assert code == 0, err
    return dict(json.loads(out))


def test_quickstart(tmp_path: Path) -> None:
    """The models are tiny, and so is what a test gives them."""
    project = made(tmp_path, "quickstart")
    shortened(project, "prompts.jsonl", "held_out.jsonl", lines=60)
    found = result(project, "sample.n=4", "train.max_steps=2")
    assert found["run_dir"] == "runs/mine"
    assert (project.folder / "runs/mine/report.html").is_file()


async def test_api_judge(tmp_path: Path) -> None:
    """Against the simulated judge; canaries are judged, and nothing is paid."""
    import asyncio

    project = made(tmp_path, "api-judge")
    async with JudgeServer() as server:
        found = await asyncio.to_thread(result, project, "--set", "offline", f"label.judge.base_url={server.base_url}")
    run_dir = project.folder / str(found["run_dir"])
    assert (run_dir / "datasets" / "preference" / "train.parquet").is_file()
    assert (run_dir / "canaries.jsonl").read_text().count('"outcome":"lost"') >= 1
    # the simulated judge's verdicts are not those of a model that is served on this machine, where nobody listens
    code, out, err = project.solon("run", "recipe.yaml", "label.judge.base_url=http://127.0.0.1:1/v1")
    assert code != 0, out
    assert "cannot be reached" in err
    assert "done before, with the same inputs" not in out + err


def test_gpu_4bit_on_a_cpu(tmp_path: Path) -> None:
    """The recipe is proven by `--set tiny` before a GPU is rented: 4 bits apart it is the same way."""
    project = made(tmp_path, "gpu-4bit")
    shortened(project, "prompts.jsonl", lines=80)
    found = result(project, "--set", "tiny", "train.max_steps=2")
    checkpoint = project.folder / str(found["run_dir"]) / "checkpoints" / "dpo"
    assert (checkpoint / "adapter_config.json").is_file()


def test_detox(tmp_path: Path) -> None:
    """Both phases: the second begins at what the first has left."""
    project = made(tmp_path, "detox")
    short = ("phases.summarise.train.max_steps=2", "phases.detoxify.train.max_steps=1")
    found = result(project, *short, "phases.detoxify.evaluate.max_tokens=8")
    assert found["run_dir"] == "runs/mine/detoxify"
    assert (project.folder / "runs" / "mine" / "summarise" / "checkpoints" / "sft-merged").is_dir()
    assert (project.folder / "runs" / "mine" / "detoxify" / "checkpoints" / "ppo").is_dir()


def test_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, found as an installed one is, labels the answers."""
    project = made(tmp_path, "plugin")
    (package,) = project.folder.glob("solon-*")
    points = tomllib.loads((package / "pyproject.toml").read_text())["project"]["entry-points"]
    info = tmp_path / "site" / "mine-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.name}\nVersion: 0.1.0\n")
    lines = [
        line for group, named in points.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in named.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join([*lines, ""]))
    path = [str(tmp_path / "site"), str(package / "src"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    found = result(project)
    assert (project.folder / str(found["run_dir"]) / "datasets" / "unpaired" / "train.parquet").is_file()
