"""What goes into a layout comes out of it again, and what it cannot hold is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interchanged import ALL, ANSWERS, examples, said, solon_row, values, written
from solon.errors import DataError
from solon.interchange.converting import convert
from solon.interchange.layouts import LAYOUTS
from solon.interchange.shapes import HOLDINGS, Holding

CONTENT = {
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "completion", "label"),
    "reward": ("prompt", "completion", "score"),
    "sft": ("prompt", "completion"),
    "prompts": ("prompt",),
}
HELD = [(name, holding) for name, layout in LAYOUTS.items() for holding in HOLDINGS if holding in layout.targets]


@pytest.mark.parametrize(("layout", "holding"), HELD)
def test_prompts_and_responses_come_back_as_they_were(tmp_path: Path, layout: str, holding: Holding):
    """One turn, a system message, several turns, accents, emoji, a line separator, a text that looks like JSON."""
    before = written(tmp_path / "data", holding, examples(holding))
    there = convert(before, layout, tmp_path / "there")
    assert there.dropped == {}
    assert there.read == 4 == sum(there.files.values())
    back = convert(tmp_path / "there", "solon", tmp_path / "back")
    assert back.dropped == {}
    file = f"{holding}/train.parquet"
    columns = CONTENT[holding]
    assert said(values(tmp_path / "back" / file), *columns) == said(values(before / file), *columns)


@pytest.mark.parametrize("holding", HOLDINGS)
def test_solon_to_solon_changes_no_byte_of_a_row(tmp_path: Path, holding: Holding):
    """Margins, topics, principles, labelers and ids stay too, and nothing is reported as left out."""
    before = written(tmp_path / "data", holding, examples(holding))
    converted = convert(before, "solon", tmp_path / "again")
    file = f"{holding}/train.parquet"
    assert (tmp_path / "again" / file).read_bytes() == (before / file).read_bytes()
    assert converted.left_out == {}
    assert converted.read_as == {holding: ["solon"]}


@pytest.mark.parametrize(("layout", "holding"), [one for one in HELD if one[0] != "solon"])
def test_what_a_layout_does_not_hold_is_counted(tmp_path: Path, layout: str, holding: Holding):
    """Of the four rows all have judges and principles, two a topic, three a margin or all a score."""
    converted = convert(written(tmp_path / "data", holding, examples(holding)), layout, tmp_path / "out")
    every = {"principles": 4, "prompt_id": 4}
    judged = {} if holding == "prompts" else {"labelers": 4}
    own: dict[str, int] = {
        "preference": {"label_margin": 4},
        "unpaired": {"score": 4},
        "sft": {},
        "prompts": {"reference": 4},
    }[holding]
    held = LAYOUTS[layout].targets[holding].holds
    expected = {**every, **judged, "topic": 2, **own}
    assert converted.left_out == {name: count for name, count in expected.items() if name not in held}
    readme = (tmp_path / "out" / "README.md").read_text()
    assert all(f"`{name}` ({count} rows)" in readme for name, count in converted.left_out.items())


@pytest.mark.parametrize("layout", ["trl", "axolotl", "llama-factory", "openrlhf", "distilabel"])
def test_a_kind_that_a_layout_has_not_is_counted_row_by_row(tmp_path: Path, layout: str):
    """Nobody else has rows of responses with scores; the preferences beside them are written all the same."""
    folder = written(tmp_path / "data", "preference", examples("preference"))
    written(folder, "reward", examples("reward"))
    converted = convert(folder, layout, tmp_path / "out")
    assert converted.read == 8
    assert converted.files == {"preference/train.parquet": 4}
    assert converted.dropped == {"reward": {"no_such_kind": 4}}
    assert not (tmp_path / "out" / "reward").exists()


def test_nothing_to_write_is_an_error_and_leaves_nothing(tmp_path: Path):
    folder = written(tmp_path / "data", "unpaired", examples("unpaired"))
    with pytest.raises(DataError, match=r"no row can be written for OpenRLHF: unpaired.*no_such_kind"):
        convert(folder, "openrlhf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_splits_stay_apart_and_one_can_be_asked_for(tmp_path: Path):
    """Two rows to learn from and two held out."""
    records = examples("preference")
    folder = written(tmp_path / "data", "preference", records[:2])
    written(folder, "preference", records[2:], "test")
    assert convert(folder, "trl", tmp_path / "both").files == {
        "preference/train.parquet": 2,
        "preference/test.parquet": 2,
    }
    assert convert(folder, "trl", tmp_path / "one", splits=["test"]).files == {"preference/test.parquet": 2}
    with pytest.raises(DataError, match=r"there is no split 'validation' \(splits: train, test\)"):
        convert(folder, "trl", tmp_path / "none", splits=["validation"])


def test_a_margin_that_openrlhf_holds_comes_back(tmp_path: Path):
    before = written(tmp_path / "data", "preference", examples("preference"))
    convert(before, "openrlhf", tmp_path / "there")
    convert(tmp_path / "there", "solon", tmp_path / "back", layout="openrlhf")
    rows = values(tmp_path / "back" / "preference" / "train.parquet")
    assert [row["label_margin"] for row in rows] == [0.0, 0.25, 0.5, 0.75]


def test_a_margin_that_nobody_said_is_null_and_not_one(tmp_path: Path):
    before = written(tmp_path / "data", "preference", examples("preference"))
    convert(before, "trl", tmp_path / "there")
    convert(tmp_path / "there", "solon", tmp_path / "back", layout="trl")
    assert {row["label_margin"] for row in values(tmp_path / "back" / "preference" / "train.parquet")} == {None}


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path):
    folder = written(tmp_path / "data", "sft", examples("sft"))
    with pytest.raises(DataError, match="is there already and not empty"):
        convert(folder, "trl", folder)


def test_llama_factory_gets_an_entry_for_every_file(tmp_path: Path):
    folder = written(tmp_path / "data", "preference", examples("preference"))
    written(folder, "unpaired", examples("unpaired"), "test")
    convert(folder, "llama-factory", tmp_path / "out")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in info.items()} == {
        "preference_train": "preference/train.parquet",
        "unpaired_test": "unpaired/test.parquet",
    }
    assert info["preference_train"]["ranking"] is True
    assert info["unpaired_test"]["columns"]["kto_tag"] == "label"


def test_the_card_says_what_the_source_s_card_says_of_constitution_and_judges(tmp_path: Path):
    folder = written(tmp_path / "data", "sft", examples("sft"))
    lines = ["- Constitution: kind, version 1, `0123456789abcdef`, 2 principles", "- Judged by: `pairwise:judge`"]
    (folder / "README.md").write_text(
        "---\ntags:\n- solon\n---\n\n# Datasets\n\n" + "\n".join(lines) + "\n\n## Rows\n- no\n"
    )
    convert(folder, "trl", tmp_path / "out")
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "\n".join(lines) in readme
    assert "- no" not in readme
    convert(tmp_path / "out", "solon", tmp_path / "back", layout="trl")
    assert "\n".join(lines) in (tmp_path / "back" / "README.md").read_text()


def test_the_card_names_the_judges_of_the_rows_where_there_is_no_other(tmp_path: Path):
    convert(written(tmp_path / "data", "sft", examples("sft")), "trl", tmp_path / "out")
    assert "- Judged by: `pairwise:judge`" in (tmp_path / "out" / "README.md").read_text()


def test_the_samples_hold_what_they_are_meant_to():
    """A test of the tests: four prompts, and rows whose ids are those of their prompts."""
    assert len(ALL) == len(ANSWERS) == 4
    assert all(solon_row(one)["prompt_id"] for holding in HOLDINGS for one in examples(holding))
