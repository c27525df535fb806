"""SimPO and ORPO in two processes on one machine: the same training as in one, and the same after a kill."""

import hashlib
import json
import os
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
import one_of_several
from solon.errors import RecipeError
from solon.testing.tiny import tiny_llama
from solon.trainers.backend.processes import Processes
from solon.trainers.orpo import ORPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]
SETTINGS = {"learning_rate": 1e-2, "gradient_accumulation": 1, "epochs": 2, "save_every": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """13 pairs of different lengths, so that the last step's rows do not divide evenly, and 3 held out."""
    folder = tmp_path_factory.mktemp("preference")
    rows = [{"prompt": f"{n}?", "chosen": "nay" * (1 + n % 3), "rejected": "yes"} for n in range(16)]
    pq.write_table(pa.Table.from_pylist(rows[:13]), folder / "train.parquet")
    pq.write_table(pa.Table.from_pylist(rows[13:]), folder / "test.parquet")
    return folder


def train_in_two(trainings, base, dataset, folder):
    """Starts two processes that find each other on a free port; both end well, or the test fails with their errors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, one_of_several.__file__, json.dumps(trainings), str(base), str(dataset), str(folder)]
    environment = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(command, env=environment | {"RANK": place, "LOCAL_RANK": place}, stderr=subprocess.PIPE)
        for place in ("0", "1")
    ]
    errors = [process.communicate(timeout=200)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors


def weights(folder):
    """The SHA-256 of the adapter that was trained."""
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


def test_two_processes_train_as_one_does_and_go_on_after_a_kill(base, dataset, tmp_path):
    """With half of the rows each: losses, gradients and held-out numbers agree but for rounding, and both processes end
    with the same bits; killed at the third of four steps they go on from the second, dropout's random numbers too.
    """
    adapter = {"r": 4}
    one = ORPO(**SETTINGS, batch_size=8, lora=adapter)
    _, expected = in_process.train(one, base, dataset, tmp_path / "one")
    two = SETTINGS | {"kind": "orpo", "batch_size": 4, "lora": adapter}
    noisy = two | {"lora": adapter | {"dropout": 0.2}}
    trainings = [
        {"settings": two, "out": "two", "kept": "two.kept"},
        {"settings": noisy, "out": "noisy", "kept": "noisy.kept"},
        {"settings": noisy, "out": "killed", "kept": "kept", "stop_at": 3},
        {"settings": noisy, "out": "again", "kept": "kept"},
    ]
    train_in_two(trainings, base, dataset, tmp_path)
    for place in (0, 1):
        logged = json.loads((tmp_path / f"two-{place}" / "logged.json").read_text())
        assert len(logged) == len(expected) == 6
        for row, same in zip(logged, expected, strict=True):
            assert row == pytest.approx(same, abs=1e-3)
    assert weights(tmp_path / "two-0") == weights(tmp_path / "two-1")
    assert [row["step"] for row in json.loads((tmp_path / "again-0" / "logged.json").read_text())] == [3, 4, 4]
    assert weights(tmp_path / "again-0") == weights(tmp_path / "noisy-0")


def test_a_divided_model_is_refused(monkeypatch):
    """FSDP leaves each process a part of the weights; it would train on nonsense."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RecipeError, match="trainer 'orpo' cannot divide a model among processes"):
        Processes.joined(kind="orpo")
