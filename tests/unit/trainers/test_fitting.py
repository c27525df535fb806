"""Rows that are too long, counted in letters here: refused, left out, or their prompts cut."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from solon.trainers.fitting import fit_rows


def asked(*contents: str) -> list[dict[str, str]]:
    """A conversation of a system and users."""
    roles = ["system", *["user"] * len(contents)]
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


def letters(table: pa.Table) -> list[int]:
    """Of prompt and response."""
    return [_size(row["prompt"]) + len(row["response"]) for row in table.to_pylist()]


def _size(prompt: Any) -> int:
    return len(prompt) if isinstance(prompt, str) else sum(len(message["content"]) for message in prompt)


def rows(*prompts: Any, response: str = "yes") -> pa.Table:
    """A table of these prompts with the same response."""
    return pa.Table.from_pylist([{"prompt": prompt, "response": response} for prompt in prompts])


LONG, SHORT = "abcdefgh", "ab"


def test_what_fits_is_left_as_it_is() -> None:
    """A limit is the most that fits: 8 letters and 3."""
    table = rows(LONG, SHORT)
    for way in ("refuse", "leave_out", "cut_prompt"):
        done = fit_rows(table, 11, letters, way)
        assert (done.table.equals(table), done.left_out, done.cut, done.too_long) == (True, 0, 0, ())


def test_rows_that_do_not_fit_are_counted_with_their_lengths() -> None:
    """Nothing is done to them."""
    done = fit_rows(rows(LONG, SHORT, LONG + "i"), 10, letters, "refuse")
    assert (done.table.num_rows, done.too_long) == (3, (11, 12))


def test_rows_are_left_out_in_their_order() -> None:
    """Those that fit stay."""
    done = fit_rows(rows("a", LONG, "b", LONG, "c"), 10, letters, "leave_out")
    assert [row["prompt"] for row in done.table.to_pylist()] == ["a", "b", "c"]
    assert (done.left_out, done.too_long) == (2, ())


def test_a_prompt_loses_its_beginning_and_no_more_than_it_has_to() -> None:
    """9 letters fit, 3 of them are the response: the last six of the prompt stay."""
    done = fit_rows(rows(SHORT, LONG), 9, letters, "cut_prompt")
    assert [row["prompt"] for row in done.table.to_pylist()] == [SHORT, LONG[2:]]
    assert [row["response"] for row in done.table.to_pylist()] == ["yes", "yes"]
    assert (done.cut, done.too_long) == (1, ())


def test_of_a_conversation_the_longest_message_is_cut() -> None:
    """What the system was told and what was said last stay whole."""
    table = rows(asked("sys", LONG, "last"))
    done = fit_rows(table, 12, letters, "cut_prompt")
    assert done.table.schema == table.schema
    assert done.table.to_pylist()[0]["prompt"] == asked("sys", LONG[6:], "last")


@pytest.mark.parametrize("prompt", [LONG, asked("system", "user")], ids=["text", "messages"])
def test_a_row_that_cannot_be_made_to_fit_stays_too_long(prompt: Any) -> None:
    """The response alone leaves no letter of the prompt."""
    table = rows(prompt, prompt, response="a long answer")
    done = fit_rows(table, 13, letters, "cut_prompt")
    assert (done.cut, done.too_long) == (0, tuple(letters(table)))
    assert done.table.equals(table)
