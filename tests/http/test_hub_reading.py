"""Datasets read from a hub: the revision, the split and the configuration that an address names, and clear errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubs import a_run, asked_here, datasets_ask
from interchanged import examples, said, values, written
from solon.data import hub as reading
from solon.data.records import Preference
from solon.data.tables import identity, read_rows
from solon.errors import DataError
from solon.interchange.converting import convert
from solon.interchange.pushing import push_to_hub
from solon.testing import HubServer, HubTrouble
from solon.trainers.dataset import place_of
from solon.trainers.dataset import read_rows as training_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with HubServer() as one:
        yield one


@pytest.fixture
def hub(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """One for all tests, with names of their own for repositories; caches are of each test."""
    server.troubles.clear()
    server.requests.clear()
    asked_here(server, tmp_path, monkeypatch)
    datasets_ask(server, tmp_path, monkeypatch)
    return server


def lines(folder: Path, *prompts: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "train.jsonl").write_text("".join(f'{{"prompt": "{prompt}"}}\n' for prompt in prompts))
    return folder


def prompts(address: str) -> list[str]:
    return [row["prompt"] for row in values(address)]


def test_what_was_pushed_is_what_a_recipe_trains_on(hub: HubServer, tmp_path: Path):
    """Byte for byte the files of the build, of the kind that the trainer learns from."""
    run = a_run(tmp_path)
    pushed = push_to_hub(run, "hf://org/pushed")
    for address in ("hf://org/pushed", pushed.address, "hf://org/pushed/preference"):
        place = place_of(address, Preference)
        for split in ("train", "test"):
            there = (place / f"{split}.parquet").read_bytes()
            assert there == (run / "datasets" / "preference" / f"{split}.parquet").read_bytes()
    assert training_rows(place, Preference, trainer="dpo").counts() == {"train": 3, "test": 1}
    with pytest.raises(DataError, match=r"holds no unpaired/train.parquet .*solon convert hf://org/pushed/unpaired"):
        place_of("hf://org/pushed/unpaired", Preference)


def test_what_was_pushed_is_converted_with_all_its_splits(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/splits")
    converted = convert("hf://org/splits/preference", "solon", tmp_path / "out")
    assert converted.files == {"preference/train.parquet": 3, "preference/test.parquet": 1}
    for split in ("train", "test"):
        ours = run / "datasets" / "preference" / f"{split}.parquet"
        assert (tmp_path / "out" / "preference" / f"{split}.parquet").read_bytes() == ours.read_bytes()


def test_what_was_pushed_is_converted_with_all_its_kinds(hub: HubServer, tmp_path: Path):
    """Where the address names none; a split that it names is taken of the kinds that have it."""
    push_to_hub(a_run(tmp_path), "hf://org/kinds")
    every = {"preference/train.parquet": 3, "preference/test.parquet": 1, "sft/train.parquet": 4}
    assert convert("hf://org/kinds", "trl", tmp_path / "every").files == every
    assert convert("hf://org/kinds:test", "trl", tmp_path / "test").files == {"preference/test.parquet": 1}
    some = convert("hf://org/kinds:train[:2]", "trl", tmp_path / "some")
    assert some.files == {"preference/train.parquet": 2, "sft/train.parquet": 2}


def test_of_anybody_s_configurations_one_must_be_named(hub: HubServer, tmp_path: Path):
    """Rows of several would come into one file, or be left out without a word."""
    folder = tmp_path / "data"
    for name in ("de", "en"):
        (folder / name).mkdir(parents=True)
        (folder / name / "train.jsonl").write_text(f'{{"prompt": "{name}"}}\n')
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/train.jsonl\n" for name in ("de", "en"))
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    hub.put("datasets/org/languages", folder)
    said = r"holds 2 configurations, and the address names none: de, en \(name one of them: hf://org/languages/de@v1"
    hub.repositories["datasets/org/languages"].tags["v1"] = hub.repositories["datasets/org/languages"].head
    with pytest.raises(DataError, match=said):
        convert("hf://org/languages@v1", "trl", tmp_path / "all")
    done = convert("hf://org/languages/en@v1", "trl", tmp_path / "one")
    assert done.files == {"prompts/train.parquet": 1}
    assert values(tmp_path / "one" / "prompts" / "train.parquet")[0]["prompt"] == [{"role": "user", "content": "en"}]


def test_a_revision_stays_what_it_was(hub: HubServer, tmp_path: Path):
    """A commit and a tag name the old rows after new ones were pushed."""
    old = hub.put("datasets/org/moving", lines(tmp_path / "data", "old"))
    before = identity("hf://org/moving")
    hub.repositories["datasets/org/moving"].tags["v1"] = old
    hub.put("datasets/org/moving", lines(tmp_path / "data", "new", "newer"))
    assert prompts("hf://org/moving") == ["new", "newer"]
    assert prompts(f"hf://org/moving@{old}:train") == ["old"]
    assert prompts("hf://org/moving@v1") == ["old"]
    assert set(identity("hf://org/moving").values()) != set(before.values())
    with pytest.raises(DataError, match="there is no such revision"):
        prompts("hf://org/moving@never")


def test_what_is_private_needs_a_token(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Read with the one in HF_TOKEN; without one, or with a wrong one, the error names the variable."""
    hub.put("datasets/org/private", lines(tmp_path / "data", "hidden"), private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(DataError, match=r"no such repository, or it is private .*put a token into HF_TOKEN"):
        prompts("hf://org/private")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(DataError, match="the token in HF_TOKEN is wrong"):
        prompts("hf://org/private")
    monkeypatch.setenv("HF_TOKEN", "hf_write")
    assert prompts("hf://org/private") == ["hidden"]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("hf://org/none", "there is no such repository, or it is private"),
        ("hf://org/there:none", "none"),
        ("hf://a/b/c/d", "the address names no dataset"),
        ("hf://org/there/none", "none"),
    ],
    ids=["name", "split", "address", "configuration"],
)
def test_what_is_not_there_is_named(hub: HubServer, tmp_path: Path, address: str, what: str):
    hub.put("datasets/org/there", lines(tmp_path / "data", "a"))
    with pytest.raises(DataError, match=what) as raised:
        list(read_rows(address))
    assert str(raised.value).startswith(address)


@pytest.mark.parametrize(("status", "what"), [(403, "not allowed"), (507, "trouble of its own"), (429, "too often")])
def test_a_hub_in_trouble_is_told_from_a_missing_dataset(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, what: str
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the library's own waiting for what passes
    hub.put("datasets/org/troubled", lines(tmp_path / "data", "a"))
    hub.troubles.append(HubTrouble("org/troubled", status))
    with pytest.raises(DataError, match=what):
        prompts("hf://org/troubled")


def test_code_of_a_dataset_is_never_run(hub: HubServer, tmp_path: Path):
    """A script beside the data, as datasets once were: refused, and the file that it would write is not there."""
    (tmp_path / "data").mkdir()
    trap = tmp_path / "ran"
    (tmp_path / "data" / "scripted.py").write_text(f"open({str(trap)!r}, 'w').write('ran')\n")
    hub.put("datasets/org/scripted", tmp_path / "data")
    with pytest.raises(DataError, match=r"it is a script and not data .*never run"):
        prompts("hf://org/scripted")
    assert not trap.exists()


def test_what_is_in_the_cache_is_read_without_a_network(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import datasets
    from huggingface_hub import constants

    hub.put("datasets/org/cached", written(tmp_path / "data", "sft", examples("sft")))
    (rows,) = [values("hf://org/cached")]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert said(values("hf://org/cached"), "prompt", "completion") == said(rows, "prompt", "completion")
    assert hub.requests == []
    with pytest.raises(DataError, match="hub cannot be reached"):
        values("hf://org/other")


def test_a_dataset_for_a_training_is_read_from_the_cache_too(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from huggingface_hub import constants

    pushed = push_to_hub(a_run(tmp_path), "hf://org/kept")
    first = reading.folder(pushed.address, "preference")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert reading.folder(pushed.address, "preference") == first
    assert hub.requests == []
