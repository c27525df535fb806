"""The settings of a local model: what names it in the ledger, without loading torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from solon.errors import DataError
from solon.models.backend.folders import check_folder
from solon.models.backend.identity import content_identity
from solon.models.transformers import Transformers

MIB = 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a model; nobody loads it."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": "llama", "_name_or_path": "/somewhere"}))
    (path / "tokenizer.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def test_the_same_files_in_another_folder_are_the_same_model(folder: Path, tmp_path: Path) -> None:
    """A run that moves to another machine must not pay for its replies again."""
    copy = shutil.copytree(folder, tmp_path / "elsewhere" / "model")
    assert Transformers(model=str(copy)).describe() == Transformers(model=str(folder)).describe()


def test_a_model_retrained_in_the_same_folder_is_another_model(folder: Path) -> None:
    """Replies of the old weights must not be taken for replies of the new ones."""
    before = Transformers(model=str(folder)).describe()
    (folder / "model.safetensors").write_bytes(b"others!")
    assert Transformers(model=str(folder)).describe() != before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json", "chat_template.jinja"])
def test_whatever_may_change_a_reply_changes_the_identity(folder: Path, name: str) -> None:
    """The chat template changes replies as much as the weights do."""
    before = content_identity(str(folder))
    (folder / name).write_text('{"changed": true}')
    assert content_identity(str(folder)) != before


def test_where_a_model_came_from_does_not_change_its_identity(folder: Path) -> None:
    """save_pretrained notes the folder it loaded from and its own version; neither changes a reply."""
    before = content_identity(str(folder))
    (folder / "config.json").write_text(
        json.dumps({"_name_or_path": "/other", "model_type": "llama", "transformers_version": "9"})
    )
    assert content_identity(str(folder)) == before


def test_notes_beside_the_weights_do_not_change_the_identity(folder: Path) -> None:
    """A trainer's state holds times and rates that differ from run to run."""
    before = content_identity(str(folder))
    (folder / "trainer_state.json").write_text("{}")
    (folder / "README.md").write_text("hello")
    assert content_identity(str(folder)) == before


@pytest.mark.parametrize("change", ["first", "last", "size"])
def test_a_large_file_is_told_apart_by_its_ends_and_its_size(folder: Path, change: str) -> None:
    """Reading 16 GB for every run would take a minute."""
    weights = folder / "model.safetensors"

    def write(first: bytes, size: int, last: bytes) -> str:
        with weights.open("wb") as file:
            file.write(first)
            file.seek(size - len(last))
            file.write(last)
        return content_identity(str(folder))

    before = write(b"aaa", 65 * MIB, b"zzz")
    after = {
        "first": lambda: write(b"bbb", 65 * MIB, b"zzz"),
        "last": lambda: write(b"aaa", 65 * MIB, b"yyy"),
        "size": lambda: write(b"aaa", 65 * MIB + 1, b"zzz"),
    }[change]()
    assert after != before


def test_an_adapter_has_its_part_in_the_identity(folder: Path, tmp_path: Path) -> None:
    """The same base with another adapter is another model."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"low rank")
    plain, adapted = Transformers(model=str(folder)), Transformers(model=str(folder), adapter=str(adapter))
    assert adapted.describe() != plain.describe()


def test_speed_settings_do_not_change_the_identity(folder: Path) -> None:
    """A resumed run may use another batch size or another number of threads."""
    slow = Transformers(model=str(folder), batch_size=1, threads=1, prefix_cache=False, device="cpu")
    assert slow.describe() == Transformers(model=str(folder), batch_size=256).describe()


def test_the_description_holds_no_path(folder: Path) -> None:
    """It is written into ledgers and reports that travel."""
    assert str(folder.parent) not in json.dumps(Transformers(model=str(folder)).describe())


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    """Its identity would be that of every other empty folder."""
    with pytest.raises(DataError, match=r"holds no model \(it needs config.json"):
        content_identity(str(tmp_path))


def test_the_name_is_the_last_part_of_the_path() -> None:
    """What reports show must be short and hold no path of a machine."""
    assert Transformers(model="/data/runs/a/checkpoints/dpo").name == "dpo"
    assert Transformers(model="meta-llama/Llama-3.1-8B-Instruct").name == "Llama-3.1-8B-Instruct"
    assert Transformers(model="models/policy/", adapter="checkpoints/dpo").name == "policy+dpo"


def test_it_is_local_and_free() -> None:
    """The stream journals remote calls and reserves their money; a local model needs neither."""
    model = Transformers(model="m", batch_size=32)
    price = model.cost()
    assert price is not None
    assert (model.remote, price.input, price.output, model.max_in_flight) == (False, 0, 0, 1)
    assert model.requests_in_a_batch == 32


def test_an_unknown_setting_is_refused() -> None:
    """A misspelt key must never be ignored."""
    with pytest.raises(ValidationError, match="treads"):
        Transformers.model_validate({"model": "m", "treads": 1})


WITHOUT_TORCH = """
import sys
from solon.models.transformers import Transformers
model = Transformers(model=sys.argv[1])
model.describe()
assert not {"torch", "transformers"} & set(sys.modules), "settings must not import torch"
sys.modules["torch"] = None  # as if it were not installed
import asyncio
from solon.data.records import Message
from solon.errors import MissingExtra
from solon.models.base import Request
try:
    asyncio.run(model.complete(Request(messages=(Message(role="user", content="hi"),), max_tokens=1)))
except MissingExtra as error:
    print(error)
"""


def test_without_torch_the_settings_work_and_an_answer_says_what_to_install(folder: Path) -> None:
    """`solon check` runs where only the core is installed."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "a model that runs in this process needs packages that are not installed: pip install 'solon[train]'"
    )


@pytest.mark.parametrize("written", ["models/toxx", "./models/toxx", "./toxx", "~/toxx", "../a/toxx", "a/b/toxx"])
def test_what_looks_like_a_path_and_is_not_there_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """A hub would be asked for it, after an hour of other work or behind no network at all."""
    (tmp_path / "models" / "toxic").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"{written}: there is no such model folder"):
        check_folder(written)


def test_a_misspelt_model_folder_is_told_what_is_beside_it(tmp_path: Path) -> None:
    """The place of the mistake is in the name."""
    for name in ("toxic", "polite", "toxins"):
        (tmp_path / name).mkdir()
    problem = Transformers(model=str(tmp_path / "toxik")).problems()[0]
    assert problem.endswith(f"did you mean '{tmp_path}/toxic' or '{tmp_path}/toxins'?)")


@pytest.mark.parametrize("hub_id", ["gpt2", "org/name"])
def test_a_hub_id_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub_id: str) -> None:
    """Nothing of it can be checked without a network."""
    monkeypatch.chdir(tmp_path)
    check_folder(hub_id)
