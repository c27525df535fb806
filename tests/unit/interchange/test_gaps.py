"""Rows without a response or a prompt, and cells that hold something else than their column should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interchanged import values
from solon.errors import DataError
from solon.interchange.converting import Converted, convert
from solon.interchange.layouts import LAYOUTS

ASKED, SAID, OTHER = (
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "assistant", "content": "Go"},
)
WHOLE: dict[str, dict[str, Any]] = {
    "TRL, texts": {"prompt": "q", "chosen": "a", "rejected": "b"},
    "TRL, conversational": {"prompt": [ASKED], "completion": [SAID]},
    "TRL, labelled": {"prompt": "q", "completion": "a", "label": True},
    "TRL, prompt in both": {"chosen": [ASKED, SAID], "rejected": [ASKED, OTHER]},
    "Axolotl": {"messages": [ASKED], "chosen": SAID, "rejected": OTHER},
    "LLaMA-Factory": {"instruction": "q", "input": "", "output": "a"},
    "OpenRLHF": {"input": "q", "output": "a"},
    "distilabel": {"instruction": "q", "generation": "a"},
    "distilabel, rated": {"instruction": "q", "generations": ["a", "b"], "ratings": [1, 2]},
    "solon": {
        "prompt": [ASKED],
        "completion": [SAID],
        "topic": None,
        "prompt_id": "",
        "principles": [],
        "labelers": [],
    },
}
RESPONSES = {"chosen", "rejected", "completion", "output", "generation", "generations"}
PROMPTS = {"prompt", "messages", "instruction"}
MISSING = [
    pytest.param(name, column, "no_response" if column in RESPONSES else "empty_prompt", id=f"{name}: {column}")
    for name, row in WHOLE.items()
    for column in row
    if column in RESPONSES | PROMPTS
]


def converted(folder: Path, *rows: dict[str, Any], to: str = "solon", layout: str | None = None) -> Converted:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return convert(folder / "rows.jsonl", to, folder / "out", layout=layout)


@pytest.mark.parametrize("before", [1, 150])
@pytest.mark.parametrize(("name", "column", "reason"), MISSING)
def test_a_row_without_prompt_or_response_is_left_out_and_the_others_are_not(
    tmp_path: Path, name: str, column: str, reason: str, before: int
):
    """As the second row, and after those by which the layout was told."""
    rows = [WHOLE[name]] * before
    done = converted(tmp_path, *rows, {**WHOLE[name], column: None})
    (reasons,) = done.dropped.values()
    assert (reasons, done.read, sum(done.files.values())) == ({reason: 1}, before + 1, before)


def test_an_empty_cell_of_a_csv_file_is_no_response(tmp_path: Path):
    (tmp_path / "train.csv").write_text("prompt,chosen,rejected\nq1,,b\nq2,a,b\nq3,a,\n,a,b\n")
    done = convert(tmp_path / "train.csv", "trl", tmp_path / "out")
    assert done.dropped == {"preference": {"empty_prompt": 1, "no_response": 2}}
    assert done.files == {"preference/train.parquet": 1}


def test_rows_that_all_lack_a_response_tell_no_layout(tmp_path: Path):
    with pytest.raises(DataError, match=r"rows.jsonl:1: no layout has rows like this one"):
        converted(tmp_path, {"prompt": "q", "chosen": None, "rejected": "b"})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"chosen": [ASKED, {**SAID, "role": "developer"}, SAID], "rejected": [ASKED, OTHER]}, "role 'developer' is"),
        ({"messages": [ASKED, {"role": ["assistant"], "content": "a"}, SAID]}, "a role is a text"),
        ({"messages": [{"role": {"name": "user"}, "content": "a"}, SAID]}, "a role is a text"),
        ({"instruction": "q", "output": "a", "history": [["x", None]]}, "history is a list of pairs of texts"),
        ({"instruction": "q", "output": "a", "history": 3}, "history is a list of pairs of texts"),
        ({"prompt": "q", "reference": ["4"]}, r"column 'reference' holds a text or a number, and this is \"\['4'\]\""),
        ({"prompt": "q", "topic": {"name": "sums"}}, "column 'topic' holds a text or a number"),
        ({"prompt": "q", "topic": True}, "column 'topic' holds a text or a number, and this is 'True'"),
        ({**WHOLE["solon"], "topic": ["sums"]}, "column 'topic' holds a text or a number"),
        ({**WHOLE["solon"], "prompt_id": ["0"]}, "column 'prompt_id' holds a text or a number"),
        ({**WHOLE["solon"], "principles": "polite"}, "column 'principles' is a list of texts"),
        ({**WHOLE["solon"], "labelers": [None]}, "column 'labelers' is a list of texts"),
        ({**WHOLE["solon"], "score": 10**400}, "column 'score' holds a number"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else None,
)
def test_a_cell_of_another_kind_is_refused_by_its_column(tmp_path: Path, row: dict[str, Any], said: str):
    with pytest.raises(DataError, match=r"rows.jsonl:1: " + said):
        converted(tmp_path, row)


def test_a_number_is_a_reference(tmp_path: Path):
    converted(tmp_path, {"prompt": "2 + 2?", "reference": 4}, to="trl")
    (found,) = values(tmp_path / "out" / "prompts" / "train.parquet")
    assert found["reference"] == "4"


def test_a_rating_may_be_a_number_of_any_size(tmp_path: Path):
    done = converted(tmp_path, {"instruction": "q", "generations": ["a", "b"], "ratings": [10**400, 1]})
    assert done.files == {"preference/train.parquet": 1}


def test_a_column_whose_name_is_no_text_is_counted(tmp_path: Path):
    """As the card can hold it."""
    assert converted(tmp_path, {"prompt": "q", "\ud83d": 1}).left_out == {"\\ud83d": 1}


# ---------------------------------------------------------------- margins


@pytest.mark.parametrize("margin", [0.3, 2.5])
@pytest.mark.parametrize("layout", [None, "trl"])
def test_a_margin_of_anybody_s_is_left_aside_and_counted(tmp_path: Path, margin: float, layout: str | None):
    """TRL's has no scale: what lies in [0, 1] is no more solon's than what does not."""
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "margin": margin}
    assert converted(tmp_path, row, layout=layout).left_out == {"margin": 1}
    (found,) = values(tmp_path / "out" / "preference" / "train.parquet")
    assert found["label_margin"] is None


def test_a_margin_read_as_openrlhf_s_is_one_that_solon_has_written(tmp_path: Path):
    """So one of another scale is refused, and not left aside row by row."""
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "margin": 0.3}
    converted(tmp_path, row, layout="openrlhf")
    (found,) = values(tmp_path / "out" / "preference" / "train.parquet")
    assert found["label_margin"] == 0.3
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"rows.jsonl:2: column 'margin' is in \[0, 1\], and this is 2.5"):
        converted(tmp_path / "other", row, {**row, "margin": 2.5}, layout="openrlhf")


# ---------------------------------------------------------------- what is said of it


@pytest.mark.parametrize(
    ("layout", "word"),
    [("trl", "eval_dataset"), ("axolotl", "test_datasets"), ("llama-factory", "eval_dataset"), ("openrlhf", "--eval.")],
)
def test_what_is_learned_from_is_not_evaluated_on(layout: str, word: str):
    """A ``test`` alone is what there is to learn from; beside ``train`` it is held out, and so is ``validation``."""
    needs = LAYOUTS[layout].needs
    assert word not in needs({"sft": ["test"]})
    assert word not in needs({"sft": ["train"]})
    assert word in needs({"sft": ["train", "test"]})
    assert "validation" in needs({"sft": ["train", "validation"]})


def test_files_of_several_layouts_are_all_named(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text('{"prompt": "q", "completion": "a"}\n')
    (tmp_path / "data" / "test.jsonl").write_text('{"instruction": "q", "input": "", "output": "a"}\n')
    done = convert(tmp_path / "data", "trl", tmp_path / "out")
    assert done.read_as == {"sft": ["trl", "llama-factory"]}


@pytest.mark.parametrize("name", ["data", "t", "sft"])
def test_a_short_name_of_a_folder_leaves_the_card_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    """The card of a folder called ``t`` is that of any other; what is printed names the folder."""
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"prompt": "q", "completion": "a"}\n')
    done = convert("rows.jsonl", "trl", Path(name))
    convert("rows.jsonl", "trl", Path("a-longer-name"))
    assert (Path(name) / "README.md").read_bytes() == Path("a-longer-name/README.md").read_bytes()
    assert 'load_dataset("FOLDER", "sft")' in (Path(name) / "README.md").read_text()
    assert f'load_dataset("{name}", "sft")' in done.needs
