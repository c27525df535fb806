"""Three phases, run as a user runs them: demonstrations, a reward model, PPO; killed in between, and resumed."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml

from project import Project, artifacts
from solon.ledger import Ledger

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
RECIPE = """\
constitution: quickstart/constitution.yaml
prompts: few.jsonl
policy: {model: quickstart/models/policy, threads: 1}
sample: {n: 3, max_tokens: 24}
label: {kind: rules, rules: {brief: {length: words, max: 9}}}
build: {held_out: 0.2}
evaluate: {max_tokens: 16, with: [length, kl]}
phases:
  supervised:
    train: {kind: sft, lora: {r: 4}, learning_rate: 0.01, batch_size: 4, gradient_accumulation: 1, max_steps: 2}
  reward:
    train: {kind: reward, lora: {r: 4}, batch_size: 4, gradient_accumulation: 1, max_steps: 1}
  reinforced:
    train: {kind: ppo, batch_size: 4, gradient_accumulation: 1, max_steps: 1, passes: 1, max_new_tokens: 8}
"""


def phased(folder: Path) -> Project:
    shutil.copytree(QUICKSTART, folder / "quickstart", ignore=shutil.ignore_patterns("make*", "runs", ".solon"))
    lines = (QUICKSTART / "prompts.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "few.jsonl").write_text("".join(lines[:16]), "utf-8")
    (folder / "phased.yaml").write_text(RECIPE)
    return Project(folder)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The project after a run of it, and what that printed."""
    project = phased(tmp_path_factory.mktemp("undisturbed"))
    code, out, err = project.solon("run", "phased.yaml", "--json")
    assert code == 0, err
    return project, out


def test_each_phase_begins_where_the_one_before_left_the_policy(undisturbed: tuple[Project, str]) -> None:
    """The adapter is merged, the reward model stands on the same weights, and the first policy is what is beaten."""
    runs = undisturbed[0].folder / "runs" / "phased"
    recipes = {name: yaml.safe_load((runs / name / "recipe.yaml").read_text()) for name in ("reward", "reinforced")}
    merged = "runs/phased/supervised/checkpoints/sft-merged"
    assert recipes["reward"]["policy"] == {"model": merged, "threads": 1}
    assert recipes["reinforced"]["policy"] == {"model": merged, "threads": 1}
    judge = recipes["reinforced"]["train"]["reward"]
    assert (judge["model"], judge["adapter"]) == (merged, "runs/phased/reward/checkpoints/reward")
    assert recipes["reinforced"]["evaluate"]["against"]["model"] == "quickstart/models/policy"
    assert "evaluate" not in recipes["reward"]
    assert "label" not in recipes["reinforced"]
    told = json.loads((runs / "reinforced" / "run.json").read_text())
    assert told["name"] == "phased/reinforced"
    assert list(told["stages"]) == ["build", "train", "evaluate", "report"]
    size = (undisturbed[0].folder / merged / "model.safetensors").stat().st_size
    assert size == (QUICKSTART / "models" / "policy" / "model.safetensors").stat().st_size


def test_the_last_phase_measures_what_all_of_them_did(undisturbed: tuple[Project, str]) -> None:
    """Its distance is from the first policy, and SFT alone went further than one small step of PPO."""
    runs = undisturbed[0].folder / "runs" / "phased"

    def kl(phase: str) -> float:
        metrics = json.loads((runs / phase / "evaluation" / "metrics.json").read_text())
        return next(float(one["value"]) for one in metrics if one["name"] == "kl")

    before = [
        [
            json.loads(line)["before"]["text"]
            for line in (runs / phase / "evaluation" / "samples.jsonl").read_text().splitlines()
        ]
        for phase in ("supervised", "reinforced")
    ]
    assert before[0] == before[1]
    assert kl("reinforced") > 0.5 * kl("supervised") > 0


def test_json_names_the_run_directory_of_every_phase(undisturbed: tuple[Project, str]) -> None:
    """Programs read it; people get a page that leads to all reports."""
    project, out = undisturbed
    told = json.loads(out)
    assert told["run_dir"] == "runs/phased/reinforced"
    assert told["phases"] == {name: f"runs/phased/{name}" for name in ("supervised", "reward", "reinforced")}
    page = (project.folder / "runs" / "phased" / "report.html").read_text("utf-8")
    assert (project.folder / "runs" / "phased").stat().st_mode & 0o777 == 0o700
    for name in told["phases"]:
        assert f'href="{name}/report.html"' in page
        assert (project.folder / "runs" / "phased" / name / "report.html").is_file()


def test_killed_between_phases_and_begun_again_it_asks_nothing_twice_and_ends_with_the_same_bytes(
    undisturbed: tuple[Project, str], tmp_path: Path
) -> None:
    """Killed when the second phase has begun: the first is not done again, and its merged weights are used again."""
    killed = phased(tmp_path / "killed")
    process, begun = killed.start("run", "phased.yaml"), killed.folder / "runs" / "phased" / "reward" / "run.json"
    while not begun.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    merged = killed.folder / "runs/phased/supervised/checkpoints/sft-merged/model.safetensors"
    written = merged.stat().st_mtime_ns
    asked = _replies(killed)
    code, _, err = killed.solon("run", "phased.yaml", "--json")
    assert code == 0, err
    assert merged.stat().st_mtime_ns == written
    assert "train     done before, with the same inputs" in err
    again = _replies(killed)
    assert {key: again[key] for key in asked} == asked
    assert again.keys() == _replies(undisturbed[0]).keys()
    found, wanted = artifacts(killed.folder / "runs"), artifacts(undisturbed[0].folder / "runs")
    assert found.keys() == wanted.keys()
    assert {name for name in found if found[name] != wanted[name]} == set()


def _replies(project: Project) -> dict[str, tuple[str, str]]:
    with Ledger.open(project.folder / ".solon" / "ledger.sqlite") as ledger:
        return {entry.key: (entry.run, str(entry.replied_at)) for entry in ledger.entries()}
