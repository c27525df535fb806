"""PPO by two processes on one machine: the same training as by one, and the same after a kill."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from several import Several
from solon.testing.tiny import tiny_llama

torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what torch and PEFT warn of is theirs
SETTINGS = {
    "kind": "ppo",
    "reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}, "late": {"regex": "[n-z]"}}},
    "learning_rate": 1e-3,
    "lora": {"r": 4},
    "max_new_tokens": 6,
    "batch_size": 4,
    "gradient_accumulation": 1,
    "minibatches": 2,
    "passes": 2,
    "max_steps": 4,
    "save_every": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Trainings by one process, by two, and by two that are killed at the third round and go on."""
    folder = tmp_path_factory.mktemp("several")
    base = tiny_llama(folder / "base", seed=1, context=64)
    (folder / "tasks").mkdir()
    pq.write_table(pa.Table.from_pylist([{"prompt": f"{n}?"} for n in range(10)]), folder / "tasks" / "train.parquet")
    every = {"settings": SETTINGS, "base": str(base), "dataset": str(folder / "tasks")}
    trainings = [
        {**every, "count": 1, "out": "one", "kept": "one.kept"},
        {**every, "count": 2, "out": "two", "kept": "two.kept"},
        {**every, "count": 2, "out": "killed", "kept": "kept", "stop_at": 3},
        {**every, "count": 2, "out": "again", "kept": "kept"},
    ]
    with Several(folder) as several:
        for given in trainings:
            several.train(given["out"], **given)
    return folder


def logged(folder, out):
    """The numbers of every round."""
    return json.loads((folder / out / "logged.json").read_text("utf-8"))


def test_two_processes_learn_what_one_does(folder):
    """The same answers in the same order, so the same rewards; losses and gradients agree but for rounding."""
    for one, two in zip(logged(folder, "one-0"), logged(folder, "two-0"), strict=True):
        assert one.keys() == two.keys()
        for name in ("objective/rewards", "lengths/mean", "learning_rate"):
            assert one[name] == two[name]
        for name in ("loss", "grad_norm", "value/loss", "value/grad_norm", "objective/kl", "policy/approx_kl"):
            assert two[name] == pytest.approx(one[name], rel=1e-3, abs=1e-5)


def test_both_processes_see_the_same_numbers(folder):
    """And so stop at the same step, where one of them is too far."""
    assert logged(folder, "two-0") == logged(folder, "two-1")


def test_two_processes_that_were_killed_end_in_the_same_bytes(folder):
    """Only the first writes the checkpoint."""
    name = "adapter_model.safetensors"
    assert (folder / "again-0" / name).read_bytes() == (folder / "two-0" / name).read_bytes()
    assert [row["step"] for row in logged(folder, "again-0")] == [3, 4]
    assert not (folder / "two-1" / name).exists()
