"""What a trainer accepts as its dataset, and what it says about the rest."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.data.layout import COLUMNS
from solon.data.records import Demonstration, Preference, Rating, Task
from solon.errors import DataError
from solon.stages.train import DATASET_OF
from solon.trainers.dataset import read_rows

PAIR = {
    "prompt": [{"role": "user", "content": "Hi"}],
    "chosen": [{"role": "assistant", "content": "Hello."}],
    "rejected": [{"role": "assistant", "content": "What?"}],
}


def write(folder, rows, name="train.parquet", schema=None):
    """A Parquet file of rows."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / name)
    return folder


def test_both_splits_are_read_with_the_columns_that_the_trainer_reads(tmp_path):
    """TRL takes some further columns, such as `tools`, for instructions."""
    write(tmp_path, [{**PAIR, "margin": 1.0, "tools": "[]"}] * 3)
    write(tmp_path, [PAIR], "test.parquet")
    rows = read_rows(tmp_path, Preference, trainer="dpo")
    assert rows.counts() == {"train": 3, "test": 1}
    assert rows.train.column_names == ["prompt", "chosen", "rejected"]


def test_a_single_file_is_a_dataset_with_nothing_held_out(tmp_path):
    """People keep preference data in one file."""
    write(tmp_path, [PAIR, PAIR])
    assert read_rows(tmp_path / "train.parquet", Preference, trainer="dpo").counts() == {"train": 2}


def test_an_empty_test_split_is_none(tmp_path):
    """Few prompts may leave nothing held out; evaluating on no rows would give numbers that mean nothing."""
    write(tmp_path, [PAIR])
    write(tmp_path, [], "test.parquet", schema=pa.Table.from_pylist([PAIR]).schema)
    assert read_rows(tmp_path, Preference, trainer="dpo").test is None


def test_the_id_changes_with_either_file_and_with_nothing_else(tmp_path):
    """A checkpoint names the data it was trained on."""
    write(tmp_path, [PAIR])
    first = read_rows(tmp_path, Preference, trainer="dpo").id
    again = read_rows(tmp_path, Preference, trainer="dpo").id
    write(tmp_path, [PAIR], "test.parquet")
    with_test = read_rows(tmp_path, Preference, trainer="dpo").id
    assert first == again
    assert first != with_test


def test_a_dataset_of_another_kind_is_refused_with_what_it_has_and_what_is_wanted(tmp_path):
    """The commonest mistake: a trainer that is given another trainer's data."""
    write(tmp_path, [{"prompt": PAIR["prompt"], "completion": PAIR["chosen"], "label": True}])
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path, Preference, trainer="dpo")
    assert str(caught.value) == (
        f"{tmp_path}/train.parquet: has the columns 'prompt', 'completion', 'label', so its rows are Rating records "
        "(trainer 'dpo' learns from Preference records: 'prompt', 'chosen', 'rejected'; "
        "`solon build RECIPE` builds them from judgments, into datasets/preference)"
    )


@pytest.mark.parametrize(("record", "trainer"), [(Demonstration, "sft"), (Task, "ppo"), (Rating, "kto")])
def test_the_build_line_names_the_folder_that_the_train_stage_reads(record, trainer, tmp_path):
    """Prompts are built of prompts, and nothing else is."""
    write(tmp_path, [{"text": "x"}])
    source = "prompts" if record is Task else "judgments"
    line = f"`solon build RECIPE` builds them from {source}, into datasets/{DATASET_OF[record]}"
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path, record, trainer=trainer)
    assert line in str(caught.value)


RESPONSE = {"prompt": PAIR["prompt"], "completion": PAIR["chosen"]}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([{"label": True}, {"label": False}, {"label": None}], "2 of 3 rows have a `label` that is not true"),
        ([{"score": 0.25}, {"score": 0.75}], "its rows have a `score` each, and not the same: 2 responses"),
    ],
    ids=["ratings", "scored"],
)
def test_judged_responses_are_no_demonstrations(values, says, tmp_path):
    """Their columns are those of demonstrations and one more; the bad ones would be imitated without a word."""
    write(tmp_path, [RESPONSE | value for value in values])
    with pytest.raises(DataError, match=says) as caught:
        read_rows(tmp_path, Demonstration, trainer="sft")
    assert "trainer 'sft' imitates every response" in str(caught.value)
    assert "`solon build RECIPE` builds them from judgments, into datasets/sft" in str(caught.value)


@pytest.mark.parametrize("more", [{"label": True}, {"label": "positive"}, {"score": 1.0}, {"score": "A"}])
def test_columns_of_those_names_that_say_nothing_bad_are_left_aside(more, tmp_path):
    """All desirable, or something else that is called so."""
    write(tmp_path, [RESPONSE | more] * 2)
    assert read_rows(tmp_path, Demonstration, trainer="sft").counts() == {"train": 2}


def test_a_held_out_split_of_another_kind_is_refused_too(tmp_path):
    """It would fail after the whole training, at its evaluation."""
    write(tmp_path, [PAIR])
    write(tmp_path, [{"text": "x"}], "test.parquet")
    with pytest.raises(DataError, match=r"test\.parquet: has the columns 'text' \("):
        read_rows(tmp_path, Preference, trainer="dpo")


def test_no_rows_is_an_error(tmp_path):
    """Training on nothing gives the untrained model and calls it trained."""
    write(tmp_path, [], schema=pa.Table.from_pylist([PAIR]).schema)
    with pytest.raises(DataError, match="has no rows, so trainer 'dpo' has nothing to learn"):
        read_rows(tmp_path, Preference, trainer="dpo")


def test_a_missing_file_says_how_to_build_it(tmp_path):
    """`solon train` before `solon build`."""
    with pytest.raises(DataError, match=r"train\.parquet: is missing \(build it with `solon build RECIPE`\)"):
        read_rows(tmp_path, Preference, trainer="dpo")


def test_what_is_no_parquet_is_named(tmp_path):
    """A JSON Lines file under a Parquet name."""
    (tmp_path / "train.parquet").write_text('{"prompt": "x"}\n')
    with pytest.raises(DataError, match=r"train\.parquet: not a readable Parquet file"):
        read_rows(tmp_path, Preference, trainer="dpo")


@pytest.mark.parametrize("nested", [True, False], ids=["messages", "texts"])
def test_half_a_character_is_refused_by_its_row(tmp_path, nested):
    """Other writers leave bytes that are no UTF-8 in a Parquet file, and pyarrow says so where it is too late."""
    texts = ["yes", "BROKEN", "yes"]
    columns = [[[{"role": "user", "content": text}] if nested else text for text in texts]] * 2
    table = pa.table(dict(zip(("prompt", "completion"), columns, strict=True)))
    pq.write_table(table, tmp_path / "train.parquet", compression="none", use_dictionary=False)
    written = (tmp_path / "train.parquet").read_bytes()
    (tmp_path / "train.parquet").write_bytes(written.replace(b"BROKEN", b"ab\xed\xa0\xbdc"))
    with pytest.raises(DataError, match=r"train\.parquet, row 2: holds what is no Unicode text") as caught:
        read_rows(tmp_path, Demonstration, trainer="sft")
    assert "leave the row out" in str(caught.value)


def test_rows_without_a_value_are_counted(tmp_path):
    """TRL would fail inside its chat template, without a row number."""
    write(tmp_path, [PAIR, {**PAIR, "rejected": None}, {**PAIR, "rejected": None}])
    with pytest.raises(DataError, match="rows without a value: 'rejected' in 2 of 3 rows"):
        read_rows(tmp_path, Preference, trainer="dpo")


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({**PAIR, "chosen": "Hello."}, "'prompt' holds messages, 'chosen' holds texts, 'rejected' holds messages"),
        (
            {"prompt": 1, "chosen": 2, "rejected": 3},
            "'prompt' holds int64, 'chosen' holds int64, 'rejected' holds int64",
        ),
    ],
)
def test_columns_that_do_not_go_together_are_refused(tmp_path, row, found):
    """TRL takes texts or messages, not both."""
    write(tmp_path, [row])
    with pytest.raises(DataError, match=found):
        read_rows(tmp_path, Preference, trainer="dpo")


def test_plain_texts_are_taken_as_they_are(tmp_path):
    """Base models have such data; TRL adds the end token."""
    write(tmp_path, [{"prompt": "1 + 1 =", "chosen": " 2", "rejected": " 3"}])
    assert read_rows(tmp_path, Preference, trainer="dpo").counts() == {"train": 1}


def test_demonstrations_have_their_own_columns(tmp_path):
    """The same reader serves every trainer; the columns are those that `build` writes."""
    write(tmp_path, [{"prompt": PAIR["prompt"], "completion": PAIR["chosen"]}])
    wanted = ["prompt", "completion"]
    assert read_rows(tmp_path, Demonstration, trainer="sft").train.column_names == wanted
    assert [column.name for column in COLUMNS["sft"]][:2] == wanted
