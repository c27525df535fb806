"""What requests cost in every way they can be bought, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from solon.data.records import Message
from solon.models.anthropic import Anthropic
from solon.models.base import ChatModel, Request
from solon.models.openai import OpenAI
from solon.models.scripted import Scripted
from solon.planning.load import load_of
from solon.planning.nouns import Ways

PRICE = {"input": 1.0, "output": 5.0, "cached": 0.1, "cache_write": 1.25, "batch": 0.5, "batch_cached": 0.05}


def asked(count: int, instructions: int, *, question: int = 35) -> list[tuple[Request, bool]]:
    """Requests with instructions and questions of so many characters, and room for 10 tokens."""
    return [
        (
            Request(
                messages=(
                    Message(role="system", content="x" * instructions),
                    Message(role="user", content=f"{number:0{question}}"),
                ),
                max_tokens=10,
            ),
            False,
        )
        for number in range(count)
    ]


def claude(**settings: Any) -> Anthropic:
    """Of a generation whose tokens are 3.5 characters; it keeps beginnings of 1,024 tokens or more."""
    return Anthropic.model_validate({"model": "claude-sonnet-4-5", "concurrency": 4, "price": PRICE, **settings})


def test_tokens_are_counted_turn_by_turn():
    """7,000 characters are 2,000 tokens and 35 are 10, and each of the two turns takes 4 more: 2,018."""
    load = load_of(claude(), asked(100, 7000))
    assert (load.requests, load.read, load.written) == (100, 201_800, 1_000)


def test_every_way_to_buy_the_same_requests():
    """100 requests of 2,018 tokens, 2,004 of them alike, and 10 written.

    Plain: 201,800 x 1 + 1,000 x 5 = 206,800 millionths. Cached: 4 are under way before the first is back and write
    8,016 at 1.25; 96 read 192,384 at 0.1; 1,400 are fresh: 10,020 + 19,238.4 + 1,400 + 5,000 = 35,658.4.
    """
    ways = load_of(claude(), asked(100, 7000)).ways(1)
    assert ways.model_dump() == pytest.approx(
        {"plain": 0.2068, "cached": 0.0356584, "batched": 0.1034, "both": 0.0178292}
    )


def test_twice_as_many_requests_do_not_write_twice_as_much():
    """Plain doubles. 4 still write 8,016; 196 read 392,784; 2,800 are fresh: 10,020 + 39,278.4 + 2,800 + 10,000."""
    ways = load_of(claude(), asked(100, 7000)).ways(2)
    assert ways.plain == pytest.approx(0.4136)
    assert ways.cached == pytest.approx(0.0620984)


def test_instructions_that_are_too_short_are_kept_by_nobody():
    """3,500 characters are 1,004 tokens, and 1,024 are needed."""
    ways = load_of(claude(), asked(100, 3500)).ways(1)
    assert (ways.cached, ways.both) == (None, None)
    assert ways.batched is not None


def test_each_beginning_is_written_for_itself():
    """Two principles of 50 requests each: 8 write 16,032 at 1.25 and 92 read 184,368 at 0.1."""
    two = asked(50, 7000) + [
        (one.model_copy(update={"messages": (Message(role="system", content="y" * 7000), one.messages[1])}), known)
        for one, known in asked(50, 7000)
    ]
    assert load_of(claude(), two).ways(1).cached == pytest.approx((20_040 + 18_436.8 + 1_400 + 5_000) / 1e6)


def test_a_price_without_a_batch_price_has_no_batch_column():
    """Nothing would be saved by it."""
    price = {"input": 1.0, "output": 5.0}
    ways = load_of(claude(price=price), asked(10, 7000)).ways(1)
    assert (ways.batched, ways.cached, ways.both) == (None, None, None)
    assert ways.plain == pytest.approx(0.02068)


def test_batches_of_older_models_have_no_price_for_what_is_cached():
    """Plain: 2,018 x 100 and 5 x 1,000. Cached: 64 are under way at first, and 36 x 2,004 are read at 0.1."""
    price = {name: PRICE[name] for name in ("input", "output", "cached", "batch")}
    ways = load_of(OpenAI.model_validate({"model": "gpt-old", "price": price}), asked(100, 7000)).ways(1)
    assert ways.model_dump() == pytest.approx(
        {
            "plain": 0.2068,
            "cached": (201_800 - 0.9 * 36 * 2_004 + 5_000) / 1e6,
            "batched": 0.1034,
            "both": None,
        }
    )


def test_openai_is_told_where_the_instructions_end_since_it_charges_for_writing():
    """As with Claude: 4 of 100 write 8,016 at 1.25, 96 read 192,384 at 0.1, and only what differs is read afresh."""
    ways = load_of(OpenAI.model_validate({"model": "gpt-6-luna", "price": PRICE, "concurrency": 4}), asked(100, 7000))
    assert ways.ways(1).model_dump() == pytest.approx(
        {"plain": 0.2068, "cached": 0.0356584, "batched": 0.1034, "both": 0.0178292}
    )


def test_long_requests_cost_what_long_requests_cost():
    """claude-haiku-5-5 (tokens of 2.7 characters): 0.1 and 0.5 up to 100,000 tokens read, 0.5 and 2.5 above."""
    model = Anthropic(model="claude-haiku-5-5")
    short = load_of(model, asked(1, 0, question=27)).ways(1)
    long = load_of(model, asked(1, 0, question=270_000)).ways(1)
    assert short.plain == pytest.approx((18 * 0.1 + 10 * 0.5) / 1e6)
    assert long.plain == pytest.approx((100_008 * 0.5 + 10 * 2.5) / 1e6)


@pytest.mark.parametrize(
    ("model", "expected"),
    [(Scripted(), 0.0), (Scripted.model_validate({"remote": True}), None)],
    ids=["local", "remote"],
)
def test_what_runs_here_costs_nothing_and_an_unknown_price_is_unknown(model: ChatModel, expected: float | None):
    """Never the one for the other."""
    assert load_of(model, asked(3, 70)).ways(1) == Ways(plain=expected)
