"""A disk that is full while a model is trained, evaluated, tracked or exported."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from full_disk import Disk, filled_up, mounted, solon
from project import CONSTITUTION, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.reliability("disk-full"),
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("default"),  # what the libraries warn of is theirs
]
RECIPE = """\
name: project
constitution: constitution.yaml
dataset: preference
policy: {model: policy, threads: 1}
train: {kind: dpo, max_steps: 4, batch_size: 2, learning_rate: 0.01, save_every: 1}
evaluate:
  prompts: held_out.jsonl
  max_tokens: 8
  with: [{kind: compliance, rules: {brief: {length: words, max: 1}}}]
track: tensorboard
"""
TRAIN, EVALUATE = ("train", "recipe.yaml"), ("evaluate", "recipe.yaml")
COMMANDS = {
    "train": (TRAIN, (), 4),
    "evaluate": (EVALUATE, (TRAIN,), 6),
    "report": (("run", "recipe.yaml"), (EVALUATE,), 6),
    "export": (("export", "runs/project", "--to", "exported"), (TRAIN,), 8),
}
"""Each with the commands before it, and how many sizes are drawn."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Enough for two of these trainings."""
    with mounted(tmp_path_factory.mktemp("full") / "disk", "64m") as made:
        yield made


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that begins at a dataset, with a model of some hundred kB."""
    folder = tmp_path_factory.mktemp("begun") / "project"
    tiny_llama(folder / "policy", context=64)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "constitution.yaml").write_text(CONSTITUTION)
    (folder / "held_out.jsonl").write_text(jsonl([{"prompt": f"{n}?"} for n in range(4)]))
    pair = {
        "prompt": [{"role": "user", "content": "Hi"}],
        "chosen": [{"role": "assistant", "content": "a"}],
        "rejected": [{"role": "assistant", "content": "b"}],
    }
    (folder / "preference").mkdir()
    pq.write_table(pa.Table.from_pylist([pair] * 10), folder / "preference" / "train.parquet")
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_loses_no_checkpoint_and_the_run_goes_on(
    disk: Disk, begun: Path, name: str, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """Whatever library it is that cannot write: pages are drawn from those that the command writes in all."""
    if not full:
        pytest.skip("trains a dozen times: make reliability")
    command, before, sizes = COMMANDS[name]
    template = Path(shutil.copytree(begun, tmp_path / "project"))
    for words in before:
        code, said = solon(template, *words)
        assert code == 0, said
    figure(filled_up(disk, template, name, command, sizes))
