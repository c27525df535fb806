"""Both stages of Constitutional AI as one recipe, as the example's README has it, at a small size."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from project import Project

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
SMALL = (
    "prompts=few.jsonl",
    "policy.batch_size=32",
    "evaluate.prompts=held_out.jsonl",
    "evaluate.with.2=diversity",  # in place of the examiner
    "evaluate.max_tokens=32",
    "phases.supervised.train.learning_rate=1e-3",  # of few revisions, more is learned at a time
    "phases.supervised.train.batch_size=4",
    "phases.supervised.train.epochs=3",
    "phases.preferred.sample.n=3",
    "phases.preferred.train.batch_size=8",
    "phases.preferred.train.epochs=1",
)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with a twelfth of the prompts, run from the top of a copy of the repository."""
    project = Project(tmp_path_factory.mktemp("example"))
    for name in ("quickstart", "constitutional_ai"):
        shutil.copytree(ROOT / "examples" / name, project.folder / "examples" / name)
    for source, name, count in (("prompts", "few", 32), ("held_out", "held_out", 24)):
        lines = (ROOT / "examples" / "quickstart" / f"{source}.jsonl").read_text("utf-8").splitlines(keepends=True)
        (project.folder / "examples" / "constitutional_ai" / f"{name}.jsonl").write_text(
            "".join(lines[:count]), "utf-8"
        )
    code, out, err = project.solon("run", "examples/constitutional_ai/recipe.yaml", *SMALL)
    assert code == 0, out + err
    return project.folder / "runs" / "constitutional_ai"


def test_the_policy_learns_revisions_first_and_preferences_on_what_it_became(run_dir: Path) -> None:
    """Critiques and revisions under both principles; then verdicts on the answers of the revised policy."""
    rows = [json.loads(line) for line in (run_dir / "supervised" / "judgments.jsonl").read_text("utf-8").splitlines()]
    revised = [row["outcome"] for row in rows if row["outcome"].get("rounds")]
    assert len(revised) > 0.9 * len(rows)
    assert all(re.search(r"Confidence: (high|medium|low)\b", one["completion"]["text"]) for one in revised[:20])
    assert {one["principle"] for outcome in revised for one in outcome["rounds"]} == {"polite", "sure"}
    said = json.loads((run_dir / "preferred" / "run.json").read_text("utf-8"))
    assert list(said["stages"]) == ["sample", "label", "build", "train", "evaluate", "report"]
    assert (
        "../../runs/constitutional_ai/supervised/checkpoints/sft" in (run_dir / "preferred" / "recipe.yaml").read_text()
    )


def test_after_each_stage_the_policy_is_nearer_to_the_constitution_than_at_first(run_dir: Path) -> None:
    """Answers that say how sure they are, of 24 held-out prompts; each phase's `before` is the very first policy's."""
    shares = {}
    for phase in ("supervised", "preferred"):
        metrics = json.loads((run_dir / phase / "evaluation" / "metrics.json").read_text("utf-8"))
        shares[phase] = {one["of"]: one["value"] for one in metrics if one["name"] == "compliance/sure"}
    assert shares["supervised"]["before"] == shares["preferred"]["before"]
    assert shares["supervised"]["before"] < shares["supervised"]["after"]
    assert shares["supervised"]["before"] < shares["preferred"]["after"]
