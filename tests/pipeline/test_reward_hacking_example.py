"""The example of reward hacking, as its README has it, at a small size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from project import Project

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
SMALL = ("prompts=few.jsonl", "policy.batch_size=32")
SHORT = ("train.max_steps=2", "train.batch_size=4", "train.minibatches=1", "train.passes=1")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The examples in a folder of one's own, with a tenth of the prompts."""
    project = Project(tmp_path)
    for name in ("quickstart", "reward_hacking"):
        shutil.copytree(ROOT / "examples" / name, tmp_path / "examples" / name)
    lines = (tmp_path / "examples" / "quickstart" / "prompts.jsonl").read_text().splitlines()
    (tmp_path / "examples" / "reward_hacking" / "few.jsonl").write_text("\n".join(lines[:40]) + "\n")
    return project


def run(project: Project, name: str, *overrides: str) -> Path:
    """One recipe of the example."""
    code, out, err = project.solon("run", f"examples/reward_hacking/{name}.yaml", *SMALL, *overrides)
    assert code == 0, out + err
    named = next((one.removeprefix("name=") for one in overrides if one.startswith("name=")), name)
    return project.folder / "runs" / named


def test_the_commands_of_the_readme_run(project: Project) -> None:
    """Reward models, PPO against one with a judge beside it, and against three of which the least pleased counts."""
    run(project, "reward", "sample.n=2")
    for seed in range(3):
        run(project, "reward", f"name=reward-{seed}", f"seed={seed}", "sample.n=2")
    for name, rewards in (("hacked", 1), ("held", 3)):
        folder = run(project, name, *SHORT, "evaluate=null")
        steps = [
            json.loads(line) for line in (folder / "checkpoints" / "ppo" / "metrics.jsonl").read_text().splitlines()
        ]
        rounds = [step for step in steps if "objective/kl" in step]
        assert len(rounds) == 2
        assert all("gold/gold" in step for step in rounds)
        parts = [name for name in rounds[0] if name.startswith("rewards/") and name != "rewards/missing"]
        assert len(parts) == rewards
        assert (folder / "figures" / "overoptimisation.svg").is_file()
