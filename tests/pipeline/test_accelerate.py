"""`accelerate launch -m solon train recipe.yaml`, as the docs have it: two processes on a CPU train as one does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = pytest.mark.slow
STEPS = "batch_size: 4, gradient_accumulation: 1, learning_rate: 0.01, warmup_ratio: 0, max_steps: 3"
REWARDED = "reward: {kind: rules, rules: {early: {regex: '[a-m]'}}}"
RECIPE = "constitution: constitution.yaml\npolicy: {model: policy, threads: 1}\n"
RECIPES = {
    "dpo": f"dataset: preference\ntrain: {{kind: dpo, {STEPS}}}\n",
    "ppo": f"prompts: prompts.jsonl\ntrain: {{kind: ppo, {STEPS}, max_new_tokens: 6, {REWARDED}}}\n",
}
FSDP = """\
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
fsdp_config: {fsdp_version: 2, fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP}
mixed_precision: 'no'
num_machines: 1
num_processes: 2
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Twelve pairs, twelve prompts, and a policy of random weights."""
    made = Project(tmp_path_factory.mktemp("launched"))
    tiny_llama(made.folder / "policy", context=64)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("fsdp.yaml", FSDP)
    made.write("prompts.jsonl", jsonl([{"prompt": f"{n}?"} for n in range(12)]))
    for kind, recipe in RECIPES.items():
        made.write(f"{kind}.yaml", RECIPE + recipe)
    (made.folder / "preference").mkdir()
    pairs = [{"prompt": f"{n}?", "chosen": "nay" * (1 + n % 3), "rejected": "yes"} for n in range(12)]
    pq.write_table(pa.Table.from_pylist(pairs), made.folder / "preference" / "train.parquet")
    return made


def launched(project: Project, *words: str) -> None:
    """Runs ``accelerate launch`` to its end, which must be a good one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    plain = {"HF_HOME": str(project.folder), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", port, *words],
        cwd=project.folder,
        env=os.environ | plain,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=800)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors


def trained(project: Project, kind: str) -> list[dict[str, float]]:
    """The numbers of each step as one process has them; trained once."""
    run = project.folder / "alone" / kind
    if not run.is_dir():
        code, _, err = project.solon("train", f"{kind}.yaml", "--run-dir", str(run))
        assert code == 0, err
    return metrics(run / "checkpoints" / kind)


def metrics(checkpoint: Path) -> list[dict[str, float]]:
    """What was logged of each step; alarms are logged beside them."""
    lines = (checkpoint / "metrics.jsonl").read_text("utf-8").splitlines()
    return [step for step in map(json.loads, lines) if "loss" in step]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("dpo", ["--multi_gpu", "--num_processes", "2"]),
        ("dpo", ["--config_file", "fsdp.yaml"]),
        ("ppo", ["--multi_gpu", "--num_processes", "2"]),
    ],
    ids=["dpo", "dpo divided", "ppo"],
)
def test_two_processes_that_accelerate_started_train_as_one_does(
    project: Project, tmp_path: Path, kind: str, options: list[str]
) -> None:
    """All numbers of all steps, within rounding; by a model that is divided too, where accelerate's file says so."""
    expected = trained(project, kind)
    run = tmp_path / "run"
    launched(project, *options, "-m", "solon", "train", f"{kind}.yaml", "--run-dir", str(run))
    found = metrics(run / "checkpoints" / kind)
    assert len(found) == len(expected) == 3
    for step, same in zip(found, expected, strict=True):
        assert step == pytest.approx(same, abs=1e-3)
