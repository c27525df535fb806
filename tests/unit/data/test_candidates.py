"""Existing responses in every shape that people publish them in, gathered by prompt without being held."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.data.artifacts import write_jsonl
from solon.data.candidates import CandidateColumns, reading_candidates
from solon.data.records import Candidates, Completion, Message, Prompt
from solon.errors import DataError, StorageError

USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, columns: CandidateColumns = CandidateColumns()) -> tuple[Candidates, ...]:
    with reading_candidates(path, columns, index=path.parent / "index") as found:
        candidates = tuple(found)
        assert len(found) == len(candidates)
    assert not (path.parent / "index").exists()
    return candidates


def problems_of(path: Path, columns: CandidateColumns = CandidateColumns()) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(path, columns)
    assert not (path.parent / "index").exists()
    return [str(problem) for problem in caught.value.problems]


def given(*texts: str) -> tuple[Completion, ...]:
    return tuple(Completion(text=text, model="given") for text in texts)


def candidates(prompt: str, *texts: str, missing: int = 0) -> Candidates:
    return Candidates(prompt=Prompt.of(prompt), completions=given(*texts), missing=missing)


# ---------------------------------------------------------------- shapes


def test_responses_come_in_a_list_in_columns_or_in_rows(tmp_path):
    """The three layouts that published datasets have; an empty cell is a response that is missing."""
    expected = (candidates("a", "x", "y"),)
    path = jsonl(tmp_path / "list.jsonl", {"prompt": "a", "responses": ["x", "y"]})
    assert read(path) == expected
    path = jsonl(tmp_path / "columns.jsonl", {"prompt": "a", "response_0": "x", "response_1": "y"})
    assert read(path, CandidateColumns(responses=("response_0", "response_1"))) == expected
    path = jsonl(tmp_path / "rows.jsonl", {"prompt": "a", "response": "x"}, {"prompt": "a", "response": "y"})
    assert read(path) == expected
    (tmp_path / "columns.csv").write_text("prompt,r0,r1\na,x,\n")
    assert read(tmp_path / "columns.csv", CandidateColumns(responses=("r0", "r1"))) == (
        candidates("a", "x", missing=1),
    )
    pq.write_table(pa.Table.from_pylist([{"prompt": "a", "responses": ["x", "y"]}]), tmp_path / "list.parquet")
    assert read(tmp_path / "list.parquet") == expected


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"},
        {"prompt": "Hi", "chosen": [USER, ANSWER], "rejected": [USER, {**ANSWER, "content": "Go away"}]},
        {"prompt": [USER], "chosen": [ANSWER], "rejected": [{**ANSWER, "content": "Go away"}]},
        {"chosen": [USER, ANSWER], "rejected": [USER, {**ANSWER, "content": "Go away"}]},
        {"prompt": "Hi", "completions": [{"model": "given", "response": "Hello"}, {"response": "Go away"}]},
        {"prompt": "Hi", "responses": [ANSWER, {**ANSWER, "content": "Go away"}]},
        {"prompt": "Hi", "responses": ["Hello", "Go away"], "chosen": "Hello", "rejected": "Go away"},
    ],
    ids=["texts", "conversations", "TRL, explicit", "TRL, implicit", "UltraFeedback", "messages", "first of the usual"],
)
def test_the_shapes_of_published_preference_data_are_read_as_they_are(tmp_path, row):
    """Which one was preferred is left aside: that is what the labeler is asked."""
    assert read(jsonl(tmp_path / "c.jsonl", row)) == (candidates("Hi", "Hello", "Go away"),)


def test_a_conversation_that_ends_with_the_assistant_is_a_prompt_with_a_response(tmp_path):
    """Chat data for fine-tuning: one row a response; what stands before it is the prompt, with its system message."""
    system = {"role": "system", "content": "Be kind."}
    path = jsonl(tmp_path / "c.jsonl", {"messages": [system, USER, ANSWER], "topic": "talk"})
    prompt = Prompt(
        messages=(Message(role="system", content="Be kind."), Message(role="user", content="Hi")), topic="talk"
    )
    assert read(path) == (Candidates(prompt=prompt, completions=given("Hello")),)
    named = CandidateColumns(messages="chat")
    assert read(jsonl(tmp_path / "d.jsonl", {"chat": [USER, ANSWER]}), named) == (candidates("Hi", "Hello"),)


def test_the_rows_of_a_prompt_may_stand_anywhere(tmp_path):
    """Prompts come in the order of their first rows, responses in the order of theirs."""
    rows = [{"prompt": f"p{n % 3}", "response": f"r{n}", "model": f"m{n % 2}"} for n in range(9)]
    found = read(jsonl(tmp_path / "c.jsonl", *rows))
    assert [one.prompt.text for one in found] == ["p0", "p1", "p2"]
    assert [[(each.text, each.model) for each in one.completions] for one in found] == [
        [("r0", "m0"), ("r3", "m1"), ("r6", "m0")],
        [("r1", "m1"), ("r4", "m0"), ("r7", "m1")],
        [("r2", "m0"), ("r5", "m1"), ("r8", "m0")],
    ]


def test_repeated_responses_are_dropped_and_counted(tmp_path):
    """The same text of the same model is one completion, or judgments on it would be ambiguous. Readings count anew."""
    path = jsonl(
        tmp_path / "c.jsonl",
        {"prompt": "a", "responses": ["x", "x"], "model": "one"},
        {"prompt": "a", "responses": ["x"], "model": "two"},
    )
    with reading_candidates(path) as found:
        for _ in range(2):
            (one,) = found
            assert one.completions == (Completion(text="x", model="one"), Completion(text="x", model="two"))
            assert found.duplicates == 1


def test_the_candidates_of_another_run_are_read_as_they_are(tmp_path):
    """With their seeds and everything, so that the ledger still knows them; also half of a surrogate pair."""
    sampled = Candidates(
        prompt=Prompt.of("a", topic="t"),
        completions=(Completion(text="x \ud83d", model="tiny", seed=1, temperature=1.0),),
        missing=2,
    )
    write_jsonl(tmp_path / "candidates.jsonl", [sampled])
    assert read(tmp_path / "candidates.jsonl") == (sampled,)


def test_what_the_docs_show_can_be_read(tmp_path):
    """Each row by itself: people copy them."""
    page = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text("utf-8")
    shown = page.partition("## Candidates")[2].partition("```json\n")[2].partition("```")[0].splitlines()
    assert len(shown) == 6
    for line in shown:
        path = tmp_path / "c.jsonl"
        path.write_text(line + "\n")
        (one,) = read(path)
        assert one.completions


# ---------------------------------------------------------------- what is refused


def test_responses_that_are_none_are_refused(tmp_path):
    """With line and column."""
    path = jsonl(
        tmp_path / "c.jsonl",
        {"prompt": "a", "response": 7},
        {"prompt": "b", "response": None},
        {"prompt": "c", "response": "fine"},
        {"prompt": "d", "answer": "x"},
        {"prompt": {"messages": []}, "completions": []},
        {"prompt": "e", "chosen": [USER], "rejected": "x"},
        {"prompt": "f", "chosen": [USER, ANSWER], "rejected": "x"},
        {"messages": [USER]},
        {"messages": [{"role": "system", "content": "s"}, ANSWER]},
        {"messages": [USER, ANSWER], "response": "x"},
    )
    assert problems_of(path) == [
        f"{path}:1: column 'response': a response is a text, or there is a list of texts",
        f"{path}:2: there is no response to the prompt",
        f"{path}:4: there is no column 'responses' or 'response' (columns: 'prompt', 'answer')",
        f"{path}:5: not a Candidates at 'prompt.messages': tuple should have at least 1 item after validation, not 0",
        f"{path}:6: column 'chosen': a conversation with a response ends with the assistant, and this one with 'user'",
        f"{path}:7: a response stands in a conversation other than that of the prompt",
        f"{path}:8: there is no column 'responses' or 'response' (columns: 'messages')",
        f"{path}:9: column 'messages': what the response answers ends with 'system', and not with the user",
        f"{path}:10: column 'messages': the last message is from 'assistant': leave out what follows the user's last",
    ]


def test_a_response_column_that_no_row_has_is_one_problem(tmp_path):
    """Named or not."""
    path = jsonl(tmp_path / "c.jsonl", *[{"prompt": "a", "respons": "x"}] * 3)
    for columns in (CandidateColumns(), CandidateColumns(responses="response")):
        (problem,) = problems_of(path, columns)
        assert "did you mean 'respons'" in problem


def test_a_named_column_must_exist_also_where_other_rows_can_be_read(tmp_path):
    """A prompt column that is named is not replaced by what the responses answer."""
    path = jsonl(tmp_path / "c.jsonl", {"chosen": [USER, ANSWER], "rejected": [USER, ANSWER]})
    (problem,) = problems_of(path, CandidateColumns(prompt="question"))
    assert problem.startswith(f"{path}: there is no column 'question' (")


def test_of_many_bad_rows_the_first_are_shown_and_the_rest_counted(tmp_path):
    """All are found before anything is spent, and a wrong export of a million rows must not fill the memory."""
    path = jsonl(tmp_path / "c.jsonl", {"prompt": "fine", "response": "x"}, *[{"prompt": "a", "response": 7}] * 30)
    problems = problems_of(path)
    assert len(problems) == 21
    assert problems[0].startswith(f"{path}:2: column 'response': ")
    assert problems[20] == f"{path}: and 10 more problems"


def test_an_empty_file_of_candidates_is_refused(tmp_path):
    """Nothing to judge."""
    path = jsonl(tmp_path / "c.jsonl")
    assert problems_of(path) == [f"{path}: there are no candidates in it"]


def test_what_cannot_be_gathered_is_an_error_of_the_disk(tmp_path):
    """Not one of the data."""
    path = jsonl(tmp_path / "c.jsonl", {"prompt": "a", "response": "x"})
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="gathers what belongs together"),
        reading_candidates(path, index=tmp_path / "file" / "index"),
    ):
        pass
