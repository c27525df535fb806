"""Rows as the libraries and published datasets have them, read as what they mean, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interchanged import said, values
from solon.data.candidates import reading_candidates
from solon.data.records import Preference
from solon.errors import DataError
from solon.interchange.converting import Converted, convert
from solon.interchange.shapes import LEFT_OUT, NOTES
from solon.trainers.dataset import read_rows as training_rows


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "Be brief."}
HUMAN, GPT, OTHER = {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}, {"from": "gpt", "value": "Go"}
PAIR: dict[str, dict[str, Any]] = {
    "TRL, conversational": {"prompt": [user("Hi")], "chosen": [assistant("Hello")], "rejected": [assistant("Go")]},
    "TRL, texts": {"prompt": "Hi", "chosen": "Hello", "rejected": "Go"},
    "TRL, prompt in both": {"chosen": [user("Hi"), assistant("Hello")], "rejected": [user("Hi"), assistant("Go")]},
    "Axolotl, chat_template.default": {
        "messages": [user("Hi")],
        "chosen": assistant("Hello"),
        "rejected": assistant("Go"),
    },
    "Axolotl, prompt_pairs": {"prompt": "Hi", "system": "", "chosen": "Hello", "rejected": "Go"},
    "LLaMA-Factory, sharegpt": {"conversations": [HUMAN], "chosen": GPT, "rejected": OTHER},
    "LLaMA-Factory, alpaca": {"instruction": "Hi", "input": "", "chosen": "Hello", "rejected": "Go"},
    "distilabel, formatted": {
        "prompt": "Hi",
        "prompt_id": "0",
        "chosen": [user("Hi"), assistant("Hello")],
        "chosen_rating": 5.0,
        "rejected": [user("Hi"), assistant("Go")],
        "rejected_rating": 1.0,
    },
    "UltraFeedback, binarized": {
        "prompt": "Hi",
        "prompt_id": "0",
        "chosen": [user("Hi"), assistant("Hello")],
        "rejected": [user("Hi"), assistant("Go")],
        "messages": [user("Hi"), assistant("Hello")],
        "score_chosen": 8.0,
        "score_rejected": 2.0,
    },
    "distilabel, rated": {"instruction": "Hi", "generations": ["Go", "Hello"], "ratings": [1, 5]},
    "distilabel, rated chat": {"messages": [user("Hi")], "generations": ["Go", "Hello"], "ratings": [1, 5]},
}
LABELLED: dict[str, dict[str, Any]] = {
    "TRL": {"prompt": "Hi", "completion": "Hello", "label": True},
    "Axolotl, argilla_chat": {"completion": [user("Hi"), assistant("Hello")], "label": True},
    "LLaMA-Factory, sharegpt": {"messages": [user("Hi"), assistant("Hello")], "label": True},
    "LLaMA-Factory, alpaca": {"instruction": "Hi", "input": "", "output": "Hello", "kto_tag": True},
}
SHOWN: dict[str, dict[str, Any]] = {
    "TRL": {"prompt": [user("Hi")], "completion": [assistant("Hello")]},
    "messages": {"messages": [user("Hi"), assistant("Hello")]},
    "LLaMA-Factory, sharegpt": {"conversations": [HUMAN, GPT]},
    "LLaMA-Factory, alpaca": {"instruction": "Hi", "input": "", "output": "Hello"},
    "OpenRLHF": {"input": "Hi", "output": "Hello"},
    "distilabel, formatted": {"prompt": "Hi", "prompt_id": "0", "messages": [user("Hi"), assistant("Hello")]},
    "distilabel, generated": {"instruction": "Hi", "generation": "Hello", "model_name": "m"},
}
ASKED: dict[str, dict[str, Any]] = {
    "TRL": {"prompt": [user("Hi")]},
    "a text": {"prompt": "Hi"},
    "OpenRLHF": {"input": "Hi"},
    "LLaMA-Factory, alpaca": {"instruction": "Hi", "input": ""},
    "distilabel": {"instruction": "Hi"},
    "distilabel, chat": {"messages": [user("Hi")]},
}
EACH = [
    pytest.param(kind, row, id=f"{kind}: {name}")
    for kind, rows in (("preference", PAIR), ("unpaired", LABELLED), ("sft", SHOWN), ("prompts", ASKED))
    for name, row in rows.items()
]


def converted(folder: Path, *rows: dict[str, Any], to: str = "trl", layout: str | None = None) -> Converted:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return convert(folder / "rows.jsonl", to, folder / "out", layout=layout)


@pytest.mark.parametrize(("kind", "row"), EACH)
def test_what_a_library_has_is_told_by_its_columns(tmp_path: Path, kind: str, row: dict[str, Any]):
    """All say the same: to "Hi", "Hello" is good, and "Go" is worse."""
    assert converted(tmp_path, row).files == {f"{kind}/train.parquet": 1}
    (found,) = values(tmp_path / "out" / kind / "train.parquet")
    assert found["prompt"] == [user("Hi")]
    assert found.get("completion", found.get("chosen", [assistant("Hello")])) == [assistant("Hello")]
    assert found.get("rejected", [assistant("Go")]) == [assistant("Go")]
    assert found.get("label", True) is True


@pytest.mark.parametrize("name", sorted(PAIR))
def test_anybody_s_preferences_are_a_recipe_s_dataset_and_candidates(tmp_path: Path, name: str):
    """What ``--to solon`` writes is read by a training, and its responses by a labeler."""
    converted(tmp_path, PAIR[name], to="solon")
    place = tmp_path / "out" / "preference"
    assert training_rows(place, Preference, trainer="dpo").counts() == {"train": 1}
    with reading_candidates(place) as candidates:
        ((one,)) = list(candidates)
    assert [completion.text for completion in one.completions] == ["Hello", "Go"]


def test_system_messages_and_earlier_turns_come_along(tmp_path: Path):
    """From columns of their own, as alpaca rows have them."""
    row = {
        "instruction": "And 3 + 3?",
        "input": "Say it.",
        "output": "6",
        "system": "Be brief.",
        "history": [["2 + 2?", "4"]],
    }
    converted(tmp_path, row)
    (found,) = values(tmp_path / "out" / "sft" / "train.parquet")
    assert found["prompt"] == [SYSTEM, user("2 + 2?"), assistant("4"), user("And 3 + 3?\nSay it.")]


def test_columns_and_keys_that_nobody_reads_are_counted(tmp_path: Path):
    """An empty one says nothing, and is not."""
    rows = [
        {"messages": [user("Hi"), {**assistant("Hello"), "weight": 0}], "source": "web", "note": None},
        {"messages": [user("Hi"), assistant("Hello")], "source": "", "note": None},
    ]
    assert converted(tmp_path, *rows).left_out == {"messages.weight": 1, "source": 1}


TOOL = {"role": "tool", "content": "4"}
BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "tools, a role": ("tools", {"messages": [user("2 + 2?"), TOOL, assistant("4")]}),
    "tools, a call": (
        "tools",
        {"messages": [user("2 + 2?"), {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
    ),
    "tools, a column": ("tools", {"conversations": [HUMAN, GPT], "tools": '[{"name": "sum"}]'}),
    "media, parts": ("media", {"messages": [{"role": "user", "content": [{"type": "image"}]}, assistant("4")]}),
    "media, a column": ("media", {"conversations": [HUMAN, GPT], "images": ["a.png"]}),
    "empty_prompt": ("empty_prompt", {"messages": [user("  "), assistant("4")]}),
    "order": ("order", {"messages": [user("a"), assistant("b"), assistant("c")]}),
    "other_prompt": ("other_prompt", {"chosen": [user("a"), assistant("b")], "rejected": [user("c"), assistant("d")]}),
    "tie": ("tie", {"instruction": "Hi", "generations": ["a", "b"], "ratings": [3, 3]}),
    "unrated": ("unrated", {"instruction": "Hi", "generations": ["a", "b"], "ratings": [3, None]}),
    "malformed": ("malformed", {"messages": [user("\ud83d"), assistant("4")]}),
    "no_response, in a message": ("no_response", {"messages": [user("a"), {"role": "assistant", "content": None}]}),
    "tools, in a pair": (
        "tools",
        {"chosen": [user("a"), TOOL, assistant("b")], "rejected": [user("a"), TOOL, assistant("c")]},
    ),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_row_that_cannot_be_held_is_left_out_for_its_reason(tmp_path: Path, name: str):
    """Two good rows of the same shape are written, and in = out + left out."""
    reason, row = BAD[name]
    good = {
        "messages": SHOWN["messages"],
        "conversations": SHOWN["LLaMA-Factory, sharegpt"],
        "chosen": PAIR["TRL, prompt in both"],
        "instruction": PAIR["distilabel, rated"],
    }[next(iter(row))]
    done = converted(tmp_path, good, row, good)
    (reasons,) = done.dropped.values()
    assert reasons == {reason: 1}
    assert done.read == 3 == sum(done.files.values()) + sum(reasons.values())
    assert LEFT_OUT[reason] in (tmp_path / "out" / "README.md").read_text()


WRITTEN: list[tuple[str, str, dict[str, Any]]] = [
    ("llama-factory", "turns", {"prompt": [user("a"), user("b")], "completion": [assistant("c")]}),
    ("llama-factory", "empty_response", {"prompt": [user("a")], "completion": [assistant("")], "label": True}),
    ("axolotl", "empty_response", {"prompt": "a", "chosen": "", "rejected": "b"}),
    ("openrlhf", "empty_response", {"prompt": "a", "completion": " "}),
    ("openrlhf", "image_mark", {"prompt": "<image>?"}),
]


@pytest.mark.parametrize(("layout", "reason", "row"), [pytest.param(*one, id=f"{one[0]}, {one[1]}") for one in WRITTEN])
def test_a_row_that_a_library_would_misread_is_left_out_for_its_reason(
    tmp_path: Path, layout: str, reason: str, row: dict[str, Any]
):
    """``tests/interchange`` shows with the libraries' own readers what would become of it."""

    def good_one(value: Any) -> Any:
        if isinstance(value, list):
            return [{**value[0], "content": "good"}]
        return "good" if isinstance(value, str) else value

    good = {name: good_one(value) for name, value in row.items()}
    done = converted(tmp_path, good, row, to=layout)
    (reasons,) = done.dropped.values()
    assert (reasons, sum(done.files.values())) == ({reason: 1}, 1)


def test_what_a_person_should_know_is_counted(tmp_path: Path):
    """A response that ends with a space, where Axolotl is to read it; and prompts that were plain texts."""
    rows = [{"prompt": "a", "chosen": "b ", "rejected": "c"}, {"prompt": "a", "chosen": "b", "rejected": "c"}]
    done = converted(tmp_path, *rows, to="axolotl")
    assert done.notes == {"spaces": 1, "texts": 2}
    assert all(NOTES[note] in (tmp_path / "out" / "README.md").read_text() for note in done.notes)


def test_of_more_than_two_rated_responses_the_rest_is_counted(tmp_path: Path):
    """The best against the worst, as distilabel pairs them: of 2, 5, 1 the second against the third."""
    done = converted(tmp_path, {"instruction": "Hi", "generations": ["a", "b", "c"], "ratings": [2, 5, 1]})
    assert done.notes == {"others": 1}
    (found,) = values(tmp_path / "out" / "preference" / "train.parquet")
    assert (found["chosen"], found["rejected"]) == ([assistant("b")], [assistant("c")])


JSON = '[{"role": "assistant", "content": "Hello"}]'
TEXTS: list[dict[str, Any]] = [
    {"instruction": JSON, "input": "", "output": JSON},
    {"instruction": JSON, "input": "", "chosen": JSON, "rejected": JSON},
    {"instruction": JSON, "output": JSON, "kto_tag": True},
    {"input": JSON, "output": JSON},
    {"instruction": JSON, "generation": JSON},
    {"instruction": JSON, "generations": [JSON, JSON], "ratings": [2, 1]},
    {"prompt": "Hi", "system": "Be brief.", "chosen": JSON, "rejected": JSON},
]


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: ", ".join(row))
def test_a_text_that_looks_like_messages_stays_a_text(tmp_path: Path, row: dict[str, Any]):
    """Where the column holds texts alone: somebody asked for JSON."""
    layout = "axolotl" if "system" in row else None
    (file,) = converted(tmp_path, row, layout=layout).files
    (found,) = values(tmp_path / "out" / file)
    assert found["prompt"][-1] == user(row.get("instruction", row.get("input", "Hi")))
    assert found.get("completion", found.get("chosen")) == [assistant(JSON)]


# ---------------------------------------------------------------- told, and not guessed


def test_a_row_that_means_two_things_is_refused_until_somebody_says_which(tmp_path: Path):
    """A system message in a column of its own is read by Axolotl, and by TRL it is not."""
    row = {"prompt": "Hi", "system": "Be brief.", "chosen": "Hello", "rejected": "Go"}
    with pytest.raises(DataError, match=r"rows.jsonl:1: this row means one thing in axolotl .* another in .*--from"):
        converted(tmp_path, row)
    converted(tmp_path, row, layout="axolotl")
    (found,) = values(tmp_path / "out" / "preference" / "train.parquet")
    assert found["prompt"] == [SYSTEM, user("Hi")]


def test_rows_that_no_layout_has_are_refused_with_their_columns(tmp_path: Path):
    with pytest.raises(DataError, match=r"rows.jsonl:1: no layout has rows like this one: its columns are 'a', 'b'"):
        converted(tmp_path, {"a": 1, "b": 2})
    with pytest.raises(DataError, match=r"layout 'trl' does not have rows like this one"):
        converted(tmp_path, PAIR["LLaMA-Factory, sharegpt"], layout="trl")


def test_a_row_unlike_those_before_it_is_refused_with_its_line(tmp_path: Path):
    """Also where it stands after the rows by which the layout was told."""
    rows = [*[PAIR["TRL, texts"]] * 150, {"prompt": "Hi", "response": "Hello"}]
    with pytest.raises(DataError, match=r"rows.jsonl:151: unlike the rows before it, this is no preference row"):
        converted(tmp_path, *rows)
    assert not (tmp_path / "out").exists()


def test_every_bad_row_is_named_and_nothing_is_written(tmp_path: Path):
    """Two of three: a role that nobody has, and a line that is no JSON."""
    lines = [json.dumps(SHOWN["messages"]), '{"messages": ', json.dumps({"messages": [user("a"), assistant("b")]})]
    lines[2] = lines[2].replace('"user"', '"somebody"')
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError) as raised:
        convert(tmp_path / "rows.jsonl", "trl", tmp_path / "out")
    assert [problem.where.split("/")[-1] for problem in raised.value.problems] == ["rows.jsonl:2:13", "rows.jsonl:3"]
    assert not (tmp_path / "out").exists()


def test_an_unknown_layout_is_refused_with_those_there_are(tmp_path: Path):
    with pytest.raises(DataError, match=r"no layout is called 'trll': there are solon, trl, axolotl"):
        converted(tmp_path, PAIR["TRL, texts"], to="trll")


def test_csv_is_read_too(tmp_path: Path):
    """A conversation as JSON in a cell, and a label as a word."""
    chat = json.dumps([user("Hi")]).replace('"', '""')
    answer = json.dumps([assistant("Hello")]).replace('"', '""')
    (tmp_path / "test.csv").write_text(f'prompt,completion,label\n"{chat}","{answer}",True\n')
    done = convert(tmp_path / "test.csv", "trl", tmp_path / "out")
    assert done.files == {"unpaired/test.parquet": 1}
    (found,) = values(tmp_path / "out" / "unpaired" / "test.parquet")
    assert said([found], "prompt", "label") == [{"prompt": [user("Hi")], "label": True}]
