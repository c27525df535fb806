"""All four trackers at once, in a training that is killed and gone on: what each of them has in the end."""

from __future__ import annotations

import json
import shutil
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import killed
from project import CONSTITUTION, Project, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what the libraries warn of is theirs
]
SECRET = "canary-0123456789-secret"
RECIPE = """\
constitution: constitution.yaml
dataset: preference
policy: {model: policy, threads: 1}
train:
  kind: killed_dpo
  dies_at: 3
  once: once
  max_steps: 5
  batch_size: 2
  learning_rate: 0.1
  warmup_ratio: 0
  save_every: 1
  alarms: {chosen_logps: null, grad_norm: null}
evaluate:
  prompts: held_out.jsonl
  max_tokens: 8
  with: [{kind: compliance, rules: {brief: {length: words, max: 1}}}]
track:
  - tensorboard
  - {kind: wandb, mode: offline, project: p}
  - {kind: mlflow, uri: mlruns, experiment: e}
  - {kind: trackio, project: p}
"""
LOGGED = '''
from typing import ClassVar
from solon.errors import TrainingError
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer, read_rows

class Logged(Trainer):
    """Ends after its last step, and has only its checkpoint to write when it goes on."""
    kind: ClassVar[str] = "logged"
    consumes: ClassVar[type[Record]] = Preference

    def train(self, job: Job) -> Checkpoint:
        rows = read_rows(job.dataset, self.consumes, trainer=self.kind)
        if not (job.kept / "done").exists():
            job.report(1, 2, {"loss": 0.5})
            job.report(2, 2, {"loss": 0.25})
            (job.kept / "done").touch()
            raise TrainingError("killed, say")
        job.go_on_from(2)
        (job.out / "count.txt").write_text("2")
        return Checkpoint(path=".", base_model="policy", form="full", trainer=self.kind, dataset=rows.id)
'''
Curve = dict[str, list[tuple[int, float]]]


def message(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def with_pairs(folder: Path) -> None:
    pair = {"prompt": message("user", "Hi"), "chosen": message("assistant", "a"), "rejected": message("assistant", "b")}
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist([pair] * 10), folder / "train.parquet")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Run twice: the training dies at its third step, and the same command goes on from the second."""
    made = Project(tmp_path_factory.mktemp("tracking") / "project")
    tiny_llama(made.folder / "policy", context=64)
    made.write("recipe.yaml", RECIPE)
    made.write("constitution.yaml", CONSTITUTION.replace("name: brief", f"name: {SECRET}"))  # it is told
    made.write("held_out.jsonl", jsonl([{"prompt": f"{n}?"} for n in range(4)]))
    with_pairs(made.folder / "preference")
    environment = {
        "PYTHONPATH": killed.install(made.folder / "site"),
        "SOME_API_KEY": SECRET,
        "TRACKIO_DIR": str(made.folder / "trackio"),
        "HOME": str(made.folder / "home"),
    }
    for code in (1, 0):
        process = made.start("run", "recipe.yaml", environment=environment)
        out, err = process.communicate(timeout=800)
        assert process.returncode == code, err
        assert "takes no numbers" not in err
        assert "trackio" not in out.lower()
    return made


@pytest.fixture(scope="module")
def logged(project: Project) -> Curve:
    """What ``metrics.jsonl`` says, which is what every tracker should."""
    (file,) = project.run_dir.glob("checkpoints/*/metrics.jsonl")
    found: Curve = defaultdict(list)
    for line in map(json.loads, file.read_text("utf-8").splitlines()):
        for name, value in line.items():
            if name not in ("step", "steps") and value is not None and "alarm" not in line:
                found[f"train/{name}"].append((line["step"], pytest.approx(value, rel=1e-6)))
    assert [step for step, _ in found["train/loss"]] == [1, 2, 3, 4, 5]
    return found


@pytest.fixture(scope="module")
def measured(project: Project) -> Mapping[str, float]:
    """What was measured after the training, with its interval."""
    metrics = json.loads((project.run_dir / "evaluation" / "metrics.json").read_text())
    (after,) = [one for one in metrics if (one["name"], one["of"]) == ("compliance/brief", "after")]
    name = "evaluation/compliance/brief/after"
    return {name: after["value"], f"{name}_low": after["low"], f"{name}_high": after["high"]}


def curves_of(found: Curve) -> Curve:
    return {name: points for name, points in found.items() if name.startswith("train/") and name != "train/progress"}


def test_tensorboard_has_every_step_once_and_what_was_measured(
    project: Project, logged: Curve, measured: Mapping[str, float]
) -> None:
    """Read by TensorBoard's own reader, whose numbers are of 32 bits."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    files = EventAccumulator(str(project.run_dir / "tensorboard"))
    files.Reload()
    found = {name: [(one.step, one.value) for one in files.Scalars(name)] for name in files.Tags()["scalars"]}
    assert curves_of(found) == logged
    assert {name: found[name] for name in measured} == {
        name: [(0, pytest.approx(value))] for name, value in measured.items()
    }


def test_steps_that_a_killed_process_has_logged_and_not_told_are_told_when_it_is_found_done(tmp_path: Path) -> None:
    """The process was killed between its last step and the tracker's thread: nothing had come there."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = Project(tmp_path / "project")
    tiny_llama(made.folder / "policy", context=64)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("logged.py", LOGGED)
    settings = 'policy: {model: policy}\nallow_import: true\ntrain: {kind: "logged:Logged"}\n'
    made.write("recipe.yaml", f"constitution: constitution.yaml\ndataset: preference\n{settings}")
    with_pairs(made.folder / "preference")
    assert made.solon("train", "recipe.yaml")[0] == 1
    shutil.rmtree(made.run_dir / "tensorboard")
    shutil.rmtree(made.run_dir / "tracking")
    code, _, said = made.solon("train", "recipe.yaml")
    assert code == 0, said
    files = EventAccumulator(str(made.run_dir / "tensorboard"))
    files.Reload()
    assert [(one.step, one.value) for one in files.Scalars("train/loss")] == [(1, 0.5), (2, 0.25)]


def records(data: bytes) -> Iterator[bytes]:
    """The records of a file of W&B: a header of 7 bytes, then LevelDB's log format in blocks of 32 KiB."""
    place, whole = 7, b""
    while place + 7 <= len(data):
        if 2**15 - place % 2**15 < 7:
            place += 2**15 - place % 2**15
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part of one
            yield whole
            whole = b""


def test_wandb_has_every_step_once_in_one_run(project: Project, logged: Curve, measured: Mapping[str, float]) -> None:
    """Read from the files that `wandb sync` would send."""
    from wandb.proto.wandb_internal_pb2 import Record

    found: Curve = defaultdict(list)
    summary: dict[str, object] = {}
    runs, groups = set(), set()
    for file in sorted(project.run_dir.glob("tracking/wandb/offline-run-*/*.wandb")):
        assert SECRET.encode() not in file.read_bytes()
        for data in records(file.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "run":
                runs.add((record.run.run_id, record.run.display_name, record.run.project))
                groups.add(record.run.run_group)
            if record.WhichOneof("record_type") == "history":
                step = record.history.step.num
                for item in record.history.item:
                    name = item.key or "/".join(item.nested_key)
                    if name.startswith("train/"):
                        found[name].append((step, json.loads(item.value_json)))
            if record.WhichOneof("record_type") == "summary":
                summary |= {item.key: json.loads(item.value_json) for item in record.summary.update}
    assert not list(project.run_dir.glob("tracking/wandb/**/requirements.txt"))  # what is installed here is nobody's
    assert curves_of(found) == logged
    assert [run[1:] for run in runs] == [("project", "p")]
    assert groups == {""}
    assert {name: summary[name] for name in measured} == {
        name: pytest.approx(value) for name, value in measured.items()
    }


def in_mlflow(name: str) -> str:
    """A name as MLflow has it: it keeps metrics in files, so that none can be the folder of others."""
    group, _, rest = name.partition("/")
    return f"{group}/{rest.replace('/', '.')}"


def test_mlflow_has_every_step_once_in_one_run(
    project: Project, logged: Curve, measured: Mapping[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read through MLflow's own client."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=(project.folder / "mlruns").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert (run.info.run_name, run.info.status) == ("project", "FINISHED")
    found = {
        name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    assert curves_of(found) == {in_mlflow(name): points for name, points in logged.items()}
    assert {name: found[in_mlflow(name)] for name in measured} == {
        name: [(0, pytest.approx(value))] for name, value in measured.items()
    }
    assert run.data.params["recipe.train.learning_rate"] == "0.1"
    assert run.data.params["constitution.name"] == "…"  # the secret that it is called by
    assert SECRET not in str(run.data)


def test_trackio_has_every_step_once_in_one_run(
    project: Project, logged: Curve, measured: Mapping[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from its store."""
    import sqlite3

    (file,) = (project.folder / "trackio").glob("*.db")
    rows = sqlite3.connect(file).execute("select run_name, step, metrics from metrics order by id").fetchall()
    found: Curve = defaultdict(list)
    for _, step, told in rows:
        for name, value in json.loads(told).items():
            found[name].append((step, value))
    assert {name for name, _, _ in rows} == {"project"}
    assert curves_of(found) == logged
    assert {name: found[name] for name in measured} == {
        name: [(5, pytest.approx(value))] for name, value in measured.items()
    }
    assert SECRET.encode() not in file.read_bytes()
