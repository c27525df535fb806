"""What a training in memory learns from: rows of a frame, and the files that they go to, which are nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import solon
from solon.api import given
from solon.api.learned import learned, refuse_foreign, write
from solon.api.scratch import NO_CONSTITUTION
from solon.errors import DataError, RunBusy, StorageError
from solon.rundir import RunDirectory

PAIRS = [{"prompt": f"{n}?", "chosen": f"{n}", "rejected": f"It is {n}."} for n in range(4)]
OWN = pa.table({"text": ["mine"]})


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _learned(data: Any) -> Any:
    return learned(data, given.trainer("dpo"), NO_CONSTITUTION, held_out=0, seed=0)


def _pairs() -> Any:
    mine = [{"prompt": f"{n}?", "responses": [f"{n}", f"It is {n}"]} for n in range(20)]
    rules = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}
    labels = solon.label(mine, ["Be brief."], rules, ledger=None, progress=False)
    return solon.build(labels, held_out=0.3).preferences


def test_the_dataset_of_a_training_under_way_is_not_touched() -> None:
    """A second call with other data is refused, and what the first one reads stays."""
    write(_learned(PAIRS), Path("out/dataset"))
    before = Path("out/dataset/train.parquet").read_bytes()
    with RunDirectory.open(Path("out")), pytest.raises(RunBusy):
        solon.train(PAIRS[:1], "models/policy", out="out", progress=False)
    assert Path("out/dataset/train.parquet").read_bytes() == before


@pytest.mark.parametrize("name", ["train.parquet", "test.parquet", "notes.txt"])
def test_a_dataset_that_somebody_else_has_written_is_refused(name: str) -> None:
    """It would be replaced in silence, and its test split deleted; the folder does not become a run either."""
    Path("out/dataset").mkdir(parents=True)
    pq.write_table(OWN, Path("out/dataset") / name)
    before = (Path("out/dataset") / name).read_bytes()
    with pytest.raises(StorageError, match=rf"holds '{name}', and solon has not written that.*out="):
        solon.train(PAIRS, "models/policy", out="out", progress=False)
    assert (Path("out/dataset") / name).read_bytes() == before
    assert sorted(path.name for path in Path("out").iterdir()) == [".lock", "dataset"]


def test_what_an_earlier_call_wrote_is_replaced_as_a_whole() -> None:
    """A test split that the new data does not have is gone."""
    folder = Path("out/dataset")
    write(_learned({"train": PAIRS, "test": PAIRS[:1]}), folder)
    refuse_foreign(folder)
    write(_learned(PAIRS[:2]), folder)
    assert [path.name for path in folder.iterdir()] == ["train.parquet"]
    assert pq.read_table(folder / "train.parquet").to_pylist() == PAIRS[:2]


def test_a_data_frame_is_learned_from_as_what_it_was_made_of() -> None:
    """One split of a dataset, and all of it, which a column tells apart."""
    pytest.importorskip("pandas")
    pairs = _pairs()
    assert set(pairs.counts()) == {"train", "test"}
    for frame, sides in ((pairs.to_pandas("train"), ("train",)), (pairs.to_pandas(), ("train", "test"))):
        found = _learned(frame)
        assert tuple(found) == sides
        for side in sides:
            assert found[side].to_pylist() == pairs.table(side).to_pylist()


def test_a_frame_with_a_split_that_nothing_is_known_of_is_refused() -> None:
    """Its rows would be left out, or learned from, and nobody would know."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([{**pair, "split": "validation"} for pair in PAIRS])
    with pytest.raises(DataError, match=r"rows of the split 'validation'.*train or test"):
        _learned(frame)
