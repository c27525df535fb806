"""Canary keys while a model is trained, tracked, pushed, and code is run: none in what is written, sent or started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from canaries import PLANTED, canary, environment, environment_of, everything, hits
from project import CONSTITUTION, jsonl
from solon.sandbox.worker import Job, Worker
from solon.testing import HubServer
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.reliability("canaries"),
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc"),
]
RECIPE = """\
constitution: constitution.yaml
dataset: preference
policy: {model: policy, threads: 1}
train: {kind: dpo, max_steps: 2, batch_size: 2, save_every: 1, alarms: {chosen_logps: null, grad_norm: null}}
evaluate: {prompts: held_out.jsonl, max_tokens: 4, with: [{kind: compliance, rules: {brief: {length: words, max: 1}}}]}
track:
  - tensorboard
  - {kind: wandb, mode: offline, project: p}
  - {kind: mlflow, uri: mlruns, experiment: e}
"""


def test_a_training_its_trackers_and_what_is_pushed_hold_no_key(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """DPO with curves in three trackers, then dataset and model to a hub; the training's process is given no key."""
    tiny_llama(tmp_path / "policy", context=64)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    (tmp_path / "held_out.jsonl").write_text(jsonl([{"prompt": f"{n}?"} for n in range(2)]))
    message = {name: [{"role": role, "content": name}] for name, role in (("prompt", "user"), ("chosen", "assistant"))}
    (tmp_path / "preference").mkdir()
    rows = pa.Table.from_pylist([{**message, "rejected": [{"role": "assistant", "content": "b"}]}] * 4)
    pq.write_table(rows, tmp_path / "preference" / "train.parquet")
    streams: list[tuple[str, bytes]] = []
    with HubServer(tokens={canary("HF_TOKEN"): "me"}) as hub:
        around = {**os.environ, **environment(), "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
        around |= {"HF_ENDPOINT": hub.root, "HF_HUB_OFFLINE": "0", "NO_PROXY": "*", "OMP_NUM_THREADS": "1"}
        around |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
        for name in ("home", "tmp"):
            (tmp_path / name).mkdir()
        for words in (
            ("run", "recipe.yaml", "--run-dir", "runs/recipe"),
            ("push", "runs/recipe", "hf://org/model", "--what", "model", "--yes"),
        ):
            process = subprocess.Popen(
                [sys.executable, "-m", "solon.cli.app", *words],
                cwd=tmp_path,
                env=around,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            started = Started(process.pid)
            out, err = process.communicate(timeout=800)
            streams += [
                *started.told(),
                (f"standard output of {words[0]}", out),
                (f"standard error of {words[0]}", err),
            ]
            assert process.returncode == 0, err.decode()[-2000:]
        streams += [("what the hub was sent", b"\n".join([*hub.received, *hub.large.values()]))]
    names = {name for name, _ in streams}
    assert any("command line" in name and "worker" in name for name in names), "the training was seen"
    places = [*streams, *everything(tmp_path)]
    found = hits(places)
    assert found == []
    figure(f"2 paths x {len(PLANTED) + 1} canaries: {len(found)} hits in {len(places)} files and streams")


class Started:
    """What a process has started, looked at until it ends: command lines, and the environment of a training."""

    def __init__(self, pid: int) -> None:
        self._pid, self._seen = pid, dict[str, bytes]()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def told(self) -> list[tuple[str, bytes]]:
        """By the name of what was looked at."""
        self._done.set()
        self._thread.join()
        return sorted(self._seen.items())

    def _look(self) -> None:
        while not self._done.wait(0.1):
            for pid in self._below(self._pid):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                    self._seen[f"command line of {pid} {line[-80:].decode(errors='replace')}"] = line
                    if b"solon.trainers.worker" in line:
                        self._seen[f"environment of {pid}"] = environment_of(pid)
                except OSError:
                    continue

    def _below(self, pid: int) -> list[int]:
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            return []
        return [*children, *(each for child in children for each in self._below(child))]


def test_code_that_is_rewarded_sees_no_key(monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]) -> None:
    """Its environment is made anew."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    worker = Worker(["python"], "none")
    try:
        code = "def f():\n    import os\n    return repr(dict(os.environ))"
        result = worker.run(Job("python", {"code": code, "setup": "", "expression": "f()", "truth": False}))
    finally:
        worker.end()
    assert "PYTHONHASHSEED" in repr(result)
    found = hits([("what it saw", repr(result).encode())])
    assert found == []
    figure(f"rewarded code sees {len(found)} of {len(PLANTED) + 1}")
