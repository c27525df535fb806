"""Prompts and candidates in any file people have them in, and every problem named with its place."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from solon.data.prompts import PromptColumns, read_prompts
from solon.data.records import Message, Prompt
from solon.errors import DataError, MissingExtra

ROWS = [
    {"prompt": "What is 2 + 2?", "topic": "sums", "reference": 4},
    {"prompt": "Name a colour.", "topic": None, "reference": ""},
]
PROMPTS = (Prompt.of("What is 2 + 2?", topic="sums", reference="4"), Prompt.of("Name a colour."))
CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def problems_of(path: Path | str, columns: PromptColumns = PromptColumns()) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_prompts(path, columns)
    return [str(problem) for problem in caught.value.problems]


# ---------------------------------------------------------------- what is read


def test_json_lines_json_csv_and_parquet_hold_the_same_prompts(tmp_path):
    """The kind of file is no part of the prompts."""
    jsonl(tmp_path / "p.jsonl", *ROWS)
    (tmp_path / "p.json").write_text(json.dumps(ROWS))
    (tmp_path / "p.csv").write_text("prompt,topic,reference\nWhat is 2 + 2?,sums,4\nName a colour.,,\n")
    (tmp_path / "p.tsv").write_text("prompt\ttopic\treference\nWhat is 2 + 2?\tsums\t4\nName a colour.\t\t\n")
    columns = {name: [row[name] for row in ROWS] for name in ("prompt", "topic")}
    pq.write_table(pa.table({**columns, "reference": ["4", None]}), tmp_path / "p.parquet")
    for name in ("p.jsonl", "p.json", "p.csv", "p.tsv", "p.parquet"):
        assert read_prompts(tmp_path / name).prompts == PROMPTS, name


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    """Not in the order of the file system; other files are passed over."""
    jsonl(tmp_path / "b.jsonl", {"prompt": "second"})
    jsonl(tmp_path / "a.jsonl", {"prompt": "first"})
    (tmp_path / "README.md").write_text("about them")
    assert [prompt.text for prompt in read_prompts(tmp_path).prompts] == ["first", "second"]


def test_conversations_are_read_from_either_column(tmp_path):
    """The names that TRL and most datasets use; a plain line of JSON text is a prompt too."""
    path = jsonl(tmp_path / "p.jsonl", {"messages": CHAT}, {"prompt": CHAT[1:]}, "Hello")
    system = Prompt(messages=(Message(role="system", content="Be kind."), Message(role="user", content="Hi")))
    assert read_prompts(path).prompts == (system, Prompt.of("Hi"), Prompt.of("Hello"))
    pq.write_table(pa.Table.from_pylist([{"messages": CHAT}]), tmp_path / "p.parquet")
    assert read_prompts(tmp_path / "p.parquet").prompts == (system,)
    (tmp_path / "p.csv").write_text('messages\n"{}"\n'.format(json.dumps(CHAT).replace('"', '""')))
    assert read_prompts(tmp_path / "p.csv").prompts == (system,)


def test_columns_can_be_named(tmp_path):
    """Anybody's dataset, without converting it."""
    path = jsonl(tmp_path / "p.jsonl", {"question": "2 + 2?", "answer": "4", "subject": "sums", "prompt": "ignored"})
    columns = PromptColumns(prompt="question", reference="answer", topic="subject")
    assert read_prompts(path, columns).prompts == (Prompt.of("2 + 2?", topic="sums", reference="4"),)
    with pytest.raises(ValidationError, match="name one of prompt and messages"):
        PromptColumns(prompt="a", messages="b")


def test_exact_duplicates_are_dropped_and_counted(tmp_path):
    """The first is kept in its place; another reference answer makes another prompt."""
    path = jsonl(
        tmp_path / "p.jsonl", {"prompt": "a"}, {"prompt": "b"}, {"prompt": "a"}, {"prompt": "a", "reference": "1"}
    )
    found = read_prompts(path)
    assert found.prompts == (Prompt.of("a"), Prompt.of("b"), Prompt.of("a", reference="1"))
    assert found.duplicates == 1


def test_a_csv_field_may_hold_lines_commas_and_a_long_text(tmp_path):
    """The standard library stops at 131,072 characters; conversations may be longer."""
    long = "x" * 200_000
    (tmp_path / "p.csv").write_text(f'prompt\n"one, ""two""\nthree"\n{long}\n')
    assert [prompt.text for prompt in read_prompts(tmp_path / "p.csv").prompts] == ['one, "two"\nthree', long]


# ---------------------------------------------------------------- what is refused


def test_every_broken_line_is_named_at_once(tmp_path):
    """One run of the command shows all there is to mend."""
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"prompt": "fine"}\n'
        '{"prompt": "broken\n'
        "[1, 2]\n"
        '{"prompt": "  "}\n'
        '{"prompt": 7}\n'
        '{"messages": [{"role": "human", "content": "Hi"}]}\n'
        '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}\n'
        '{"messages": [{"role": "user", "content": "Hi", "tool_calls": [1]}]}\n'
        '{"prompt": "fine", "topic": ["a"]}\n'
        '{"promt": "typo"}\n'
        '{"prompt": "half \\ud83d"}\n'
        f'{{"prompt": "fine", "n": {"1" * 5000}}}\n'
        f'{{"prompt": "[{{\\"role\\": {"1" * 5000}"}}\n'
        f'{{"prompt": "[{{\\"role\\": {"[" * 100_000}"}}\n'
    )
    conversation = "looks like a conversation, and"
    assert problems_of(path) == [
        f"{path}:2:12: not valid JSON: unterminated string",
        f"{path}:3: a row is an object with columns, and this is a list",
        f"{path}:4: column 'prompt': the prompt is empty",
        f"{path}:5: column 'prompt': a prompt is a text, or a list of messages with role and content",
        f"{path}:6: column 'messages': message 1: role 'human' is unknown: it is one of system, user, assistant",
        f"{path}:7: column 'messages': the last message is from 'assistant': leave out what follows the user's last",
        f"{path}:8: column 'messages': message 1: 'tool_calls' is not supported: a message has role and content",
        f"{path}:9: column 'topic': a topic is a text or a number, not [\"a\"]",
        f"{path}:10: there is no column 'prompt' or 'messages' (did you mean 'promt'? columns: 'promt')",
        f"{path}:11: column 'prompt': the text holds half of a surrogate pair, which no tokenizer reads",
        f"{path}:12: not usable JSON: a number has more digits than can be read",
        f"{path}:13: column 'prompt': {conversation} is not usable JSON: a number has more digits than can be read",
        f"{path}:14: column 'prompt': {conversation} is not usable JSON: nested too deeply",
    ]


def test_more_than_twenty_problems_are_counted(tmp_path):
    """A wrong export must not fill the screen."""
    path = jsonl(tmp_path / "p.jsonl", *[{"prompt": ""}] * 33)
    problems = problems_of(path)
    assert problems[0] == f"{path}:1: column 'prompt': the prompt is empty"
    assert problems[19] == f"{path}:20: column 'prompt': the prompt is empty"
    assert problems[20:] == [f"{path}: and 13 more problems"]


def test_a_column_that_no_row_has_is_one_problem(tmp_path):
    """And not one a row; with the nearest name that there is."""
    path = jsonl(tmp_path / "p.jsonl", *[{"promt": "a", "topic": "b"}] * 3)
    assert problems_of(path) == [
        f"{path}: there is no column 'prompt' or 'messages' (did you mean 'promt'? columns: 'promt', 'topic')"
    ]
    path = jsonl(tmp_path / "q.jsonl", *[{"prompt": "a", "topics": "b"}] * 3)
    assert read_prompts(path).prompts == (Prompt.of("a"),)
    assert problems_of(path, PromptColumns(topic="topic")) == [
        f"{path}: there is no column 'topic' (did you mean 'topics'? columns: 'prompt', 'topics')"
    ]


def test_an_empty_set_is_refused(tmp_path):
    """Nothing to do is nearly always a mistake, and everything after it would be empty too."""
    for name in ("p.jsonl", "p.csv"):
        (tmp_path / name).write_text("")
        assert problems_of(tmp_path / name) == [f"{tmp_path / name}: there are no prompts in it"]
    (tmp_path / "p.json").write_text("[]")
    assert problems_of(tmp_path / "p.json") == [f"{tmp_path / 'p.json'}: there are no prompts in it"]


def test_a_missing_file_names_the_one_that_may_be_meant(tmp_path):
    """The most common mistake of all."""
    jsonl(tmp_path / "prompts.jsonl", {"prompt": "a"})
    path = tmp_path / "promts.jsonl"
    meant = str(tmp_path / "prompts.jsonl")
    assert problems_of(path) == [f"{path}: there is no such file (did you mean {meant!r}?)"]
    nowhere = tmp_path / "none" / "prompts.jsonl"
    assert problems_of(nowhere) == [f"{nowhere}: there is no such file (nor is there a folder {str(nowhere.parent)!r})"]


def test_files_that_are_not_what_their_name_says_are_refused(tmp_path):
    """Each with what it is instead, or where it breaks."""
    endings = ".jsonl, .ndjson, .json, .csv, .tsv or .parquet"
    lines = "one object a line is JSON Lines: name it .jsonl"
    convert = "it may be WINDOWS-1252; convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
    for name, content, expected in (
        ("p.txt", b"a", f": files that end in '.txt' are not read (it may be {endings})"),
        ("p.json", b'{"prompt": "a"}', ": a list of rows was expected, and it holds an object"),
        ("q.json", b'[\n{"prompt": }]', f":2:12: not valid JSON: expecting value ({lines})"),
        ("r.json", b"[" * 100_000, ": not usable JSON: nested too deeply"),
        ("s.json", b"[" + b"1" * 5000 + b"]", ": not usable JSON: a number has more digits than can be read"),
        ("p.csv", b"prompt,topic\na,b,c\nd\n", ":2: 3 fields in a row, and the header names 2 columns"),
        ("q.csv", b"prompt,prompt\na,b\n", ":1: the header names column 'prompt' twice"),
        ("r.csv", b'prompt\n"a', ":2: not valid CSV: unexpected end of data"),
        ("s.csv", b"prompt\ncaf\xe9\n", f":2:4: not UTF-8 text: byte 0xe9 ({convert})"),
    ):  # fmt: skip
        path = tmp_path / name
        path.write_bytes(content)
        assert problems_of(path)[0] == f"{path}{expected}"
    path = tmp_path / "p.parquet"
    path.write_bytes(b"")
    assert problems_of(path)[0].startswith(f"{path}: not a readable Parquet file: ")


def test_a_row_of_a_csv_file_is_named_by_the_line_it_begins_on(tmp_path):
    """Fields with line ends make rows and lines differ."""
    path = tmp_path / "p.csv"
    path.write_text('prompt,topic\n"two\nlines",a\n"  ",b\n')
    assert problems_of(path) == [f"{path}:4: column 'prompt': the prompt is empty"]


def test_a_folder_without_data_is_refused(tmp_path):
    """With the endings that would be read."""
    endings = ".jsonl, .ndjson, .json, .csv, .tsv or .parquet"
    assert problems_of(tmp_path) == [f"{tmp_path}: the folder holds no file that ends in {endings}"]


def test_a_hub_dataset_that_cannot_be_reached_is_a_clear_error(monkeypatch):
    """Offline, as a machine without a network is, or without the package."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    try:
        import datasets
        from huggingface_hub import constants
    except ImportError:
        with pytest.raises(MissingExtra, match=r"pip install 'solon\[train\]'"):
            read_prompts("hf://org/name")
    else:
        # the variable is read at import, which another test may have done before
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        (problem,) = problems_of("hf://solon-tests/none:test")
        assert problem.startswith("hf://solon-tests/none:test: cannot be loaded: ")
        assert problem.endswith("HF_ENDPOINT and HF_HUB_OFFLINE; a downloaded file or folder can be given)")
    remedy = "write hf://org/name, hf://org/name:split or hf://org/name/config@revision:split"
    assert problems_of("hf://") == [f"hf://: the address names no dataset ({remedy})"]


def test_a_cell_of_a_kind_that_json_does_not_have_is_named(tmp_path):
    """Parquet holds dates, also in lists."""
    path = tmp_path / "p.parquet"
    rows = [{"prompt": "When?", "reference": [dt.date(1969, 7, 20)]}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    what = 'a reference is a text or a number, not ["1969-07-20"]'
    assert problems_of(path) == [f"{path}: row 1: column 'reference': {what}"]
